"""Structural rules of the code base."""

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import models
from models import batch_errors, errors, key_errors, registration_errors, webhook_errors
from models.errors import HexavoxError
from workflows.worker_registry import WORKFLOWS

ROOT = Path(__file__).parent.parent
LAYERS = ("api", "workflows", "activities", "providers", "models", "simulator", "cli")
LINT = Path(sys.executable).with_name("lint-imports")
HEAVY = ("sqlalchemy", "sqlmodel", "psycopg", "pydantic", "httpx", "fastapi", "starlette")


def modules(*folders: str) -> list[Path]:
    """Return every Python file below these folders, each of which must have some."""
    found = {folder: sorted((ROOT / folder).rglob("*.py")) for folder in folders}
    assert [folder for folder, paths in found.items() if not paths] == []
    return [path for paths in found.values() for path in paths]


CLOCKS = {"now", "utcnow", "today", "time", "time_ns", "monotonic", "perf_counter"}


def clocks_read_at_import(tree: ast.AST) -> Iterator[str]:
    """Yield the calls of a clock that run when a module is imported.

    Decorators and defaults of functions are evaluated then, their bodies are not.
    """
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending += [*node.decorator_list, node.args]
        elif isinstance(node, ast.Lambda):
            pending.append(node.args)
        else:
            pending += ast.iter_child_nodes(node)
        if isinstance(node, ast.Call) and _is_clock(node.func):
            yield ast.unparse(node)


def _is_clock(called: ast.expr) -> bool:
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        return called.attr in CLOCKS and called.value.id in {"datetime", "date", "time"}
    return isinstance(called, ast.Name) and called.id in CLOCKS - {"time"}


def imports_that_build_statements(tree: ast.AST) -> Iterator[str]:
    """Yield imports of SQLAlchemy or SQLModel, except for errors that are handled."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                named = [alias.name for alias in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                named = [f"{module}.{alias.name}" for alias in names]
            case _:
                named = []
        for name in named:
            parts = name.split(".")
            if parts[0] in ("sqlalchemy", "sqlmodel") and parts[:2] != ["sqlalchemy", "exc"]:
                yield name


def every_error() -> list[type[HexavoxError]]:
    found = [HexavoxError]
    for error in found:
        found += error.__subclasses__()
    return found


def test_the_layers_are_those_of_this_checkout() -> None:
    assert Path(str(models.__file__)).is_relative_to(ROOT)


def test_imports_point_one_way() -> None:
    checked = subprocess.run([LINT], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout[-3000:]


def test_an_adapter_that_is_built_elsewhere_breaks_a_contract(tmp_path: Path) -> None:
    planted = {
        "api/app.py": "providers.twilio.setup",
        "api/composition.py": "providers.simulator.registry",
        "api/routes/webhooks.py": "providers.simulator.messages",
        "api/services/messages/recordings.py": "providers.simulator.calls",
        "api/services/voice/presence.py": "providers.kamailio",
        "api/services/registration/scope.py": "providers.vendors",
        "activities/messages/dispatch.py": "providers.twilio.registry",
        "activities/registration/registrations.py": "providers.vendors",
        "cli/worker/composition.py": "providers.simulator.payments",
        "providers/routing.py": "providers.twilio.sip",
        "api/services/messages/read.py": "providers.smtp.messages",
    }
    for layer in LAYERS:
        shutil.copytree(
            ROOT / layer, tmp_path / layer, ignore=shutil.ignore_patterns("__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, imported in planted.items():
        with (tmp_path / name).open("a") as file:
            file.write(f"\nimport {imported}\n")
    checked = subprocess.run([LINT], cwd=tmp_path, capture_output=True, text=True, check=False)
    found = re.findall(r"^- (\S+) -> (\S+) \(l\.", checked.stdout, re.MULTILINE)
    assert {f"{importer.replace('.', '/')}.py": imported for importer, imported in found} == planted


@pytest.mark.parametrize("module", sorted({workflow.__module__ for workflow in WORKFLOWS}))
def test_a_workflow_file_loads_nothing_that_does_io(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


def test_packages_re_export_nothing() -> None:
    # import-linter does not see through a re-export.
    packages = [path for path in modules(*LAYERS) if path.name == "__init__.py"]
    assert len(packages) >= len(LAYERS)
    for path in packages:
        tree = ast.parse(path.read_text())
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)], path


def test_every_error_has_a_code_of_its_own_and_is_drawn_in_the_tree() -> None:
    sources = (errors, batch_errors, key_errors, registration_errors, webhook_errors)
    drawn = "".join(module.__doc__ or "" for module in sources)
    for error in every_error():
        assert error.__name__ in drawn
        assert error.code.isupper()


def test_every_error_code_is_documented() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    assert [e.code for e in every_error() if f"`{e.code}`" not in page] == []


@pytest.mark.parametrize("package", ["chaos", "e2e"])
def test_tests_that_share_a_stack_run_in_one_process(package: str) -> None:
    # In a group of its own each file would start the stack again, on the same database.
    files = sorted((ROOT / "tests" / package).glob("test_*.py"))
    assert len(files) > 5
    assert [file.name for file in files if "mark.xdist_group(" not in file.read_text()] == []


def test_no_file_is_over_the_limit_of_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in modules(*LAYERS, "tests", "bench")
        if (lines := path.read_text().count("\n")) > 400 and "migrations" not in path.parts
    }
    assert long == {}


def test_the_reading_order_of_one_sms_opens_twenty_files_at_most() -> None:
    page = (ROOT / "docs" / "overview.md").read_text()
    section = page.partition("### Reading order\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| \d+ \| `(\S+)` \|", section, re.MULTILINE)
    assert 15 <= len(listed) == len(set(listed)) <= 20
    assert [name for name in listed if not (ROOT / name).is_file()] == []


def test_only_models_builds_statements() -> None:
    # import-linter sees only whole external packages; `sqlalchemy.exc` is needed to handle errors.
    built = {
        str(path.relative_to(ROOT)): names
        for path in modules("api", "activities", "cli")
        if (names := list(imports_that_build_statements(ast.parse(path.read_text()))))
    }
    assert built == {}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from sqlalchemy import select", ["sqlalchemy.select"]),
        ("from sqlalchemy import text as sql", ["sqlalchemy.text"]),
        ("from sqlalchemy import delete, exc, update", ["sqlalchemy.delete", "sqlalchemy.update"]),
        (
            "from sqlalchemy.dialects.postgresql import insert",
            ["sqlalchemy.dialects.postgresql.insert"],
        ),
        ("import sqlalchemy", ["sqlalchemy"]),
        ("import sqlalchemy.sql as sql", ["sqlalchemy.sql"]),
        ("def late():\n    from sqlmodel import select", ["sqlmodel.select"]),
        ("import sqlmodel", ["sqlmodel"]),
        ("from sqlalchemy.exc import DBAPIError", []),
        ("import sqlalchemy.exc", []),
        ("from sqlalchemy_utils import text", []),
        ("from .sqlalchemy import select", []),
    ],
)
def test_an_import_that_builds_statements_is_found(code: str, found: list[str]) -> None:
    assert list(imports_that_build_statements(ast.parse(code))) == found


def test_no_code_prints_or_keeps_contents() -> None:
    for path in modules("api", "activities", "workflows", "providers", "models"):
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        names = [c.func.id for c in calls if isinstance(c.func, ast.Name)]
        assert "print" not in names, path


def test_no_module_reads_a_clock_when_it_is_imported() -> None:
    # pytest imports a test minutes before it runs it: "now + 5 minutes" is the past by then.
    read = {
        str(path.relative_to(ROOT)): calls
        for path in modules(*LAYERS, "tests", "bench")
        if (calls := list(clocks_read_at_import(ast.parse(path.read_text()))))
    }
    assert read == {}


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("SOON = datetime.now(UTC) + HOUR", 1),
        ("@parametrize('at', [time.time() - 600, time.time() + 600])\ndef test(at): ...", 2),
        ("def f(at=date.today()): ...", 1),
        ("class A:\n    at = monotonic()", 1),
        ("for _ in range(2):\n    print(perf_counter())", 1),
        ("def f():\n    return datetime.now(UTC)", 0),
        ("at = field(default_factory=lambda: datetime.now(UTC))", 0),
        ("NOON = time(12)", 0),
    ],
)
def test_a_clock_is_found_where_it_is_read_at_import(code: str, found: int) -> None:
    assert len(list(clocks_read_at_import(ast.parse(code)))) == found
