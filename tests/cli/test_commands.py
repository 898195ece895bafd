"""The list of commands, and what a command imports."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from cli.command_table import COMMANDS, load
from cli.main import app
from tests.stack import ROOT

HEAVY = {"alembic", "api", "fastapi", "google", "sqlalchemy", "temporalio", "workflows"}


def imported_by(*command: str) -> set[str]:
    """Return which heavy packages the interpreter has when a command has shown its help."""
    script = (
        "import sys; from cli.main import app\n"
        f"try: app({list(command)!r})\n"
        "except SystemExit: print(*sys.modules, file=sys.stderr)"
    )
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return HEAVY & set(told.stderr.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_has_the_first_paragraph_of_a_commands_help(name: str) -> None:
    first, _, _ = load(name).help.partition("\n\n")
    assert COMMANDS[name].help == " ".join(first.split())


def test_the_list_has_every_command() -> None:
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert [name for name in COMMANDS if f"│ {name} " not in shown] == []


def test_a_misspelt_command_is_told_what_it_may_mean() -> None:
    told = CliRunner().invoke(app, ["tenat"])
    assert told.exit_code == 2
    assert "Did you mean 'tenant'?" in told.stderr


@pytest.mark.parametrize(
    ("command", "needed"),
    [
        ([], set()),
        (["api"], set()),
        (["worker"], set()),
        (["simulator"], set()),
        (["migrate"], {"alembic", "sqlalchemy"}),
        (["tenant", "list"], {"sqlalchemy"}),
        (["key", "create"], {"sqlalchemy"}),
        (["voice"], {"sqlalchemy"}),
    ],
)
def test_a_command_imports_what_it_needs(command: list[str], needed: set[str]) -> None:
    assert imported_by(*command, "--help") == needed
