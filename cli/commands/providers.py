"""`hexavox provider …`"""

import asyncio
import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Annotated, Any, Final

import typer

from cli.commands.operator_session import in_transaction
from cli.commands.provider_lines import decimal_of, line_of, read_facts, words_of
from cli.commands.provider_test import Tested, run_test
from cli.commands.spending_options import usd
from cli.read_settings import read_settings
from models.configuration.accounts import configure
from models.configuration.environment_settings import nearest
from models.configuration.providers_file import Account, ProvidersFile, read_providers_file
from models.queries.accounts.provider_accounts import set_daily_limit, set_enabled
from models.rules.accounts.names import SIMULATOR
from models.session import WriteSession
from models.settings import Settings

app = typer.Typer(help="Accounts at vendors, of the providers file.", no_args_is_help=True)

_CENT: Final = Decimal("0.01")

NameArgument = Annotated[str, typer.Argument(help="Name of the account.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_accounts(as_json: JsonOption = False) -> None:
    """List the accounts of the providers file, and others that still have open attempts.

    Attempts are those of the last minute, spending is that of today (UTC).
    """
    entries = {entry.name: entry for entry in _file().accounts}
    facts = in_transaction(partial(read_facts, now=datetime.now(UTC)))
    names = [SIMULATOR, *entries, *sorted(facts.open_attempts.keys() - {SIMULATOR, *entries})]
    lines = [line_of(name, entries.get(name), facts) for name in names]
    if as_json:
        typer.echo(json.dumps(lines))
        return
    for line in lines:
        typer.echo("\t".join(words_of(line)))


@app.command("test")
def check(
    name: NameArgument,
    send: Annotated[
        str | None, typer.Option("--send", help="Really send a message to this number or address.")
    ] = None,
    sender: Annotated[
        str | None, typer.Option("--from", help="With --send: a sender of the account.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check an account's credentials; nothing is sent without --send."""
    if (send is None) != (sender is None):
        raise typer.BadParameter("--send and --from are given together.")
    settings = read_settings(Settings)
    configured = configure(_entry(name), os.environ)
    message = None if send is None or sender is None else (send, sender)
    tested = asyncio.run(run_test(configured, settings, message))
    typer.echo(json.dumps({"name": name, **_shown(tested)}) if as_json else _told(name, tested))
    raise typer.Exit(0 if tested.passed else 1)


@app.command("enable")
def enable(name: NameArgument, as_json: JsonOption = False) -> None:
    """Let new messages be sent with an account again."""
    _switch(name, enabled=True, as_json=as_json)


@app.command("disable")
def disable(name: NameArgument, as_json: JsonOption = False) -> None:
    """Make no new attempt with an account; webhooks and look-ups of its messages go on."""
    _switch(name, enabled=False, as_json=as_json)


@app.command("limit")
def limit(
    name: NameArgument,
    usd_per_day: Annotated[
        str | None, typer.Option("--usd-per-day", help="What may be spent in a day (UTC).")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Remove the limit.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Limit what is spent with an account in a day."""
    if (usd_per_day is None) != none:
        raise typer.BadParameter("Say either --usd-per-day or --none.")
    amount = None if usd_per_day is None else usd(usd_per_day).quantize(_CENT)
    _entry(name)

    async def action(db: WriteSession) -> None:
        await set_daily_limit(db, name, daily_limit=amount, now=datetime.now(UTC))

    in_transaction(action)
    if as_json:
        typer.echo(json.dumps({"name": name, "dailyLimitUsd": decimal_of(amount)}))
    else:
        typer.echo(
            f"{name} has {'no limit' if amount is None else f'a limit of {amount} USD a day'}."
        )


def _switch(name: str, *, enabled: bool, as_json: bool) -> None:
    _entry(name)

    async def action(db: WriteSession) -> None:
        await set_enabled(db, name, enabled=enabled, now=datetime.now(UTC))

    in_transaction(action)
    if as_json:
        typer.echo(json.dumps({"name": name, "enabled": enabled}))
    else:
        typer.echo(f"{name} is {'enabled' if enabled else 'disabled'}.")


def _file() -> ProvidersFile:
    path = read_settings(Settings).providers_file
    return ProvidersFile() if path is None else read_providers_file(path)


def _entry(name: str) -> Account:
    """Return an account of the file; raises BadParameter."""
    entries = {entry.name: entry for entry in _file().accounts}
    if name in entries:
        return entries[name]
    if name == SIMULATOR:
        raise typer.BadParameter("The simulator is built in; it has nothing to test or to set.")
    meant = nearest(name, set(entries))
    raise typer.BadParameter(
        f"There is no account {name} in HEXAVOX_PROVIDERS_FILE."
        + (f" Did you mean {meant}?" if meant else "")
    )


def _shown(tested: Tested) -> dict[str, Any]:
    shown: dict[str, Any] = {"valid": tested.valid, "reason": tested.reason or None}
    return shown if tested.answer is None else {**shown, "answer": tested.answer}


def _told(name: str, tested: Tested) -> str:
    if not tested.valid:
        return f"{name} does not work: {tested.reason}."
    if tested.answer is None:
        return f"{name} works: its credentials are accepted."
    return f"{name}: {tested.answer}"
