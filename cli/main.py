"""The `hexavox` command: every process and every operator's tool."""

import typer

from cli import database, processes
from cli.command_errors import Commands
from cli.commands import invoice, keys, numbers, prices, rates, tenants, voice

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
app.command("reconcile")(invoice.reconcile)
app.command("migrate")(database.migrate)
app.add_typer(tenants.app, name="tenant")
app.add_typer(keys.app, name="key")
app.add_typer(numbers.app, name="number")
app.add_typer(rates.app, name="rates")
app.add_typer(prices.app, name="prices")
app.add_typer(voice.app, name="voice")


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
