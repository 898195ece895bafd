"""The commands of `hexavox`; the module of one is imported when it runs, and no other.

Importing all of them takes a second of CPU, most of it for parts that the command does not use.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.main import get_group


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command is, and its line in `hexavox --help`."""

    module: str
    attribute: str
    """A function, or a `typer.Typer` with further commands."""
    help: str
    """The first paragraph of the command's own help."""


COMMANDS: Final = {
    "dev": Entry(
        "cli.processes", "dev", "Run everything on embedded servers under one supervisor."
    ),
    "api": Entry("cli.processes", "api", "Serve the public API."),
    "worker": Entry("cli.processes", "worker", "Run workflows and activities."),
    "simulator": Entry("cli.processes", "simulator", "Serve the carrier simulator."),
    "replay": Entry(
        "cli.processes",
        "replay",
        "Replay workflow histories to check that this code may be deployed.",
    ),
    "migrate": Entry(
        "cli.database",
        "migrate",
        "Migrate the database to this version. Safe to run concurrently.",
    ),
    "bounces": Entry(
        "cli.commands.bounces",
        "bounces",
        "Read bounces, so that messages end UNDELIVERED and dead addresses are suppressed.",
    ),
    "tenant": Entry("cli.commands.tenants", "app", "Integrators."),
    "key": Entry("cli.commands.keys", "app", "API keys: of secrets only hashes are kept."),
    "number": Entry("cli.commands.numbers", "app", "Numbers to send from, and how fast."),
    "address": Entry("cli.commands.addresses", "app", "Addresses that e-mail is sent from."),
    "provider": Entry(
        "cli.commands.providers", "app", "Accounts at vendors, of the providers file."
    ),
    "batch": Entry("cli.commands.batches", "app", "Batches of sends, and their progress."),
    "payment": Entry(
        "cli.commands.payments", "app", "Refunds that are owed, and disputed payments."
    ),
    "rates": Entry("cli.commands.rates", "app", "What messages cost, and what is added."),
    "prices": Entry("cli.commands.prices", "app", "What credits cost."),
    "invoice": Entry("cli.commands.invoice", "app", "Providers' invoices."),
    "voice": Entry("cli.commands.voice", "app", "The SIP registrar, and what browsers bring."),
}


def load(name: str) -> Any:
    """Import a command of the table; return it in the form that typer runs."""
    entry = COMMANDS[name]
    command = getattr(import_module(entry.module), entry.attribute)
    holder = typer.Typer()
    if isinstance(command, typer.Typer):
        holder.add_typer(command, name=name)
    else:
        holder.command(name)(command)
    return get_group(holder).commands[name]
