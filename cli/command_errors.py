"""Prints configuration and connection errors as one line, without stack trace or value.

Exit code 2: the configuration is wrong, and the same start would fail again. Exit code 1: an
external service is unreachable. Exit code 3: another version created the database.
"""

from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from cli.command_table import COMMANDS, load

_CONNECTION_STATES: Final = ("08", "28", "3D", "57P")
"""SQLSTATE classes of PostgreSQL: connection, authorization, database name, shutdown."""


OTHER_VERSION: Final = 3
"""Exit code: another version created the database."""


class OutOfReach(Exception):
    """An external service is unreachable; the message names the variable with its address."""


class Commands(TyperGroup):
    """The commands; an operator's mistake is reported without a stack trace."""

    def __init__(self, **attributes: Any) -> None:
        """List the commands of the table, without importing them."""
        listed = [TyperCommand(name, help=entry.help) for name, entry in COMMANDS.items()]
        super().__init__(**(attributes | {"commands": listed}))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Import the command that runs."""
        name, _listed, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else None, rest

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except typer.Exit:
            raise  # no mistake, and what `explain` imports takes long
        except Exception as error:
            explained = explain(error)
            if explained is None:
                raise
            lines, code = explained
            for line in lines.splitlines():
                typer.echo(f"hexavox: {line}", err=True)
            raise typer.Exit(code) from None


def explain(error: Exception) -> tuple[str, int] | None:
    """Return the message and the exit code; None for a programming error."""
    from models.configuration.environment_settings import BadSettings
    from models.database.schema_version import UnknownSchemaVersion

    if isinstance(error, BadSettings):
        return str(error), 2
    if isinstance(error, OutOfReach):
        return str(error), 1
    if isinstance(error, UnknownSchemaVersion):
        return str(error), OTHER_VERSION
    explained = _explain_database(error)
    return None if explained is None else (explained, 1)


def _explain_database(error: Exception) -> str | None:
    import psycopg
    from sqlalchemy.exc import DBAPIError, TimeoutError

    if isinstance(error, TimeoutError):
        return "the database at DATABASE_URL does not answer in time"
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, psycopg.errors.UndefinedTable):
        return "the database at DATABASE_URL is not migrated: run hexavox migrate"
    if not isinstance(cause, psycopg.OperationalError):
        return None
    state = cause.sqlstate or ""
    if state and not state.startswith(_CONNECTION_STATES):
        return f"the database at DATABASE_URL refused a statement, with SQLSTATE {state}"
    # The driver's message is only inspected, not printed: it contains user and host.
    text = str(cause)
    if "authentication failed" in text or "no password supplied" in text:
        return "the server at DATABASE_URL refuses this user or password"
    if "database" in text and "does not exist" in text:
        return "the server at DATABASE_URL has no database of that name"
    return "the database at DATABASE_URL is out of reach"
