"""The `hexavox` command: all processes and operator commands."""

import os
import sys
from typing import NoReturn

import typer

from cli.command_errors import Commands
from cli.garbage_collection import collect_seldom

app = typer.Typer(
    name="hexavox",
    cls=Commands,
    help="Self-hosted messaging backend.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _group() -> None:
    """Make it a group: typer knows no command yet, they are in `cli.command_table`."""


def main() -> NoReturn:
    """Run the command line, and end the process with its exit code.

    The interpreter is not finalized: threads of Temporal's core may request the GIL meanwhile, and
    CPython then aborts the process (SIGABRT) after all work is done.
    """
    collect_seldom()
    try:
        app()
    except SystemExit as end:
        code = end.code
    else:
        code = 0
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    main()
