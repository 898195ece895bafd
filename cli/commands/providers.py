"""`hexavox provider …`"""

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

import typer

from cli.commands.operator_session import in_transaction
from cli.commands.provider_test import Tested, run_test
from cli.read_settings import read_settings
from models.configuration.accounts import configure
from models.configuration.environment_settings import nearest
from models.configuration.providers_file import (
    Account,
    ProvidersFile,
    SmtpAccount,
    read_providers_file,
)
from models.queries.accounts.open_attempts import count_open_attempts
from models.queries.accounts.provider_accounts import (
    AccountSettings,
    list_account_settings,
    set_daily_limit,
    set_enabled,
)
from models.rules.accounts.names import SIMULATOR
from models.session import WriteSession
from models.settings import Settings

app = typer.Typer(help="Accounts at vendors, of the providers file.", no_args_is_help=True)

_HIGHEST: Final = Decimal(1_000_000_000)
_CENT: Final = Decimal("0.01")

NameArgument = Annotated[str, typer.Argument(help="Name of the account.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What Postgres knows of all accounts."""

    settings: Mapping[str, AccountSettings]
    open_attempts: Mapping[str, int]


@app.command("list")
def list_accounts(as_json: JsonOption = False) -> None:
    """List the accounts of the providers file, and others that still have open attempts."""

    async def action(db: WriteSession) -> _Facts:
        return _Facts(
            settings=await list_account_settings(db), open_attempts=await count_open_attempts(db)
        )

    entries = {entry.name: entry for entry in _file().accounts}
    facts = in_transaction(action)
    names = [SIMULATOR, *entries, *sorted(facts.open_attempts.keys() - {SIMULATOR, *entries})]
    lines = [_line(name, entries.get(name), facts) for name in names]
    if as_json:
        typer.echo(json.dumps(lines))
        return
    for line in lines:
        typer.echo("\t".join(_words(line)))


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
    amount = None if usd_per_day is None else _amount(usd_per_day)
    _entry(name)

    async def action(db: WriteSession) -> None:
        await set_daily_limit(db, name, daily_limit=amount, now=datetime.now(UTC))

    in_transaction(action)
    if as_json:
        typer.echo(json.dumps({"name": name, "dailyLimitUsd": _decimal(amount)}))
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


def _amount(given: str) -> Decimal:
    try:
        amount = Decimal(given)
    except InvalidOperation as error:
        raise typer.BadParameter("A limit is an amount in USD, such as 50.00.") from error
    if not amount.is_finite() or not 0 <= amount <= _HIGHEST or amount != amount.quantize(_CENT):
        raise typer.BadParameter(f"A limit lies between 0 and {_HIGHEST} USD, in whole cents.")
    return amount.quantize(_CENT)


def _line(name: str, entry: Account | None, facts: _Facts) -> dict[str, Any]:
    """Return what is shown of an account."""
    settings = facts.settings.get(name, AccountSettings())
    return {
        "name": name,
        "vendor": SIMULATOR if name == SIMULATOR else entry and entry.vendor,
        "state": _state(name, entry, settings),
        "tenants": entry and entry.tenants and list(entry.tenants),
        "senders": _senders(entry),
        "dailyLimitUsd": _decimal(settings.daily_limit),
        "openAttempts": facts.open_attempts.get(name, 0),
    }


def _state(name: str, entry: Account | None, settings: AccountSettings) -> str:
    if name == SIMULATOR:
        return "enabled"
    if entry is None:
        return "not in the file"
    if entry.retired:
        return "retired"
    return "enabled" if settings.enabled else "disabled"


def _senders(entry: Account | None) -> list[str]:
    if entry is None:
        return []
    return list(entry.domains if isinstance(entry, SmtpAccount) else entry.numbers)


def _words(line: Mapping[str, Any]) -> Iterator[str]:
    """Yield the columns of a line."""
    yield line["name"]
    yield line["vendor"] or "-"
    yield line["state"]
    yield "all tenants" if line["tenants"] is None else ",".join(line["tenants"])
    limit = line["dailyLimitUsd"]
    yield "no limit" if limit is None else f"{limit} USD/day"
    yield f"{line['openAttempts']} open"


def _decimal(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount:f}"


def _shown(tested: Tested) -> dict[str, Any]:
    shown: dict[str, Any] = {"valid": tested.valid, "reason": tested.reason or None}
    return shown if tested.answer is None else {**shown, "answer": tested.answer}


def _told(name: str, tested: Tested) -> str:
    if not tested.valid:
        return f"{name} does not work: {tested.reason}."
    if tested.answer is None:
        return f"{name} works: its credentials are accepted."
    return f"{name}: {tested.answer}"
