"""The `hexavox` command: all processes and operator commands."""

import os
import sys
from typing import NoReturn

import typer

from cli import database, processes
from cli.command_errors import Commands
from cli.commands import (
    addresses,
    bounces,
    invoice,
    keys,
    numbers,
    payments,
    prices,
    providers,
    rates,
    tenants,
    voice,
)

app = typer.Typer(
    name="hexavox",
    cls=Commands,
    help="Self-hosted messaging backend.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("dev")(processes.dev)
app.command("api")(processes.api)
app.command("worker")(processes.worker)
app.command("simulator")(processes.simulator)
app.command("replay")(processes.replay)
app.command("migrate")(database.migrate)
app.command("bounces")(bounces.bounces)
app.add_typer(tenants.app, name="tenant")
app.add_typer(keys.app, name="key")
app.add_typer(numbers.app, name="number")
app.add_typer(addresses.app, name="address")
app.add_typer(providers.app, name="provider")
app.add_typer(payments.app, name="payment")
app.add_typer(rates.app, name="rates")
app.add_typer(prices.app, name="prices")
app.add_typer(invoice.app, name="invoice")
app.add_typer(voice.app, name="voice")


def main() -> NoReturn:
    """Run the command line, and end the process with its exit code.

    The interpreter is not finalized: threads of Temporal's core may request the GIL meanwhile, and
    CPython then aborts the process (SIGABRT) after all work is done.
    """
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
