"""The structural promises: what a newcomer may rely on without reading everything."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import models
from models import errors
from models.errors import HexavoxError

ROOT = Path(__file__).parent.parent
ROOMS = ("api", "workflows", "activities", "providers", "models", "simulator", "cli")
HEAVY = ("sqlalchemy", "sqlmodel", "psycopg", "pydantic", "httpx", "fastapi", "starlette")


def every_error() -> list[type[HexavoxError]]:
    found = [HexavoxError]
    for error in found:
        found += error.__subclasses__()
    return found


def test_the_rooms_are_those_of_this_checkout() -> None:
    assert Path(str(models.__file__)).is_relative_to(ROOT)


def test_imports_point_one_way() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout[-3000:]


@pytest.mark.parametrize(
    "module",
    [
        "workflows.send_message",
        "workflows.housekeeping",
        "workflows.pump",
        "workflows.registration",
        "workflows.provision_voice",
    ],
)
def test_a_workflow_file_loads_nothing_that_does_io(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


def test_packages_re_export_nothing() -> None:
    # import-linter does not see through a re-export.
    for room in ROOMS:
        for path in (ROOT / room).rglob("__init__.py"):
            tree = ast.parse(path.read_text())
            assert not [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)], (
                path
            )


def test_every_error_has_a_code_of_its_own_and_is_drawn_in_the_tree() -> None:
    drawn = errors.__doc__ or ""
    for error in every_error():
        assert error.__name__ in drawn
        assert error.code.isupper()


def test_every_error_code_is_documented() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    assert [e.code for e in every_error() if f"`{e.code}`" not in page] == []


def test_no_file_has_outgrown_its_room() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for room in (*ROOMS, "tests", "bench")
        for path in (ROOT / room).rglob("*.py")
        if (lines := path.read_text().count("\n")) > 400 and "migrations" not in path.parts
    }
    assert long == {}


def test_no_code_prints_or_keeps_contents() -> None:
    for room in ("api", "activities", "workflows", "providers", "models"):
        for path in (ROOT / room).rglob("*.py"):
            calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
            names = [c.func.id for c in calls if isinstance(c.func, ast.Name)]
            assert "print" not in names, path
