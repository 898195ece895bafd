"""What `hexavox provider list` shows of each account."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from models.configuration.providers_file import Account, SmtpAccount
from models.queries.accounts.health import AccountReading, read_accounts
from models.queries.accounts.open_attempts import count_open_attempts
from models.queries.accounts.provider_accounts import AccountSettings, list_account_settings
from models.queries.accounts.spending import AccountSpending, read_spending
from models.rules.accounts.circuit import CircuitState
from models.rules.accounts.names import SIMULATOR
from models.rules.billing.periods import day_of
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What Postgres knows of all accounts, by name."""

    settings: Mapping[str, AccountSettings]
    health: Mapping[str, AccountReading]
    spending: Mapping[str, AccountSpending]
    open_attempts: Mapping[str, int]


async def read_facts(db: WriteSession, *, now: datetime) -> Facts:
    """Read what is known of all accounts."""
    return Facts(
        settings=await list_account_settings(db),
        health=await read_accounts(db),
        spending={spent.account: spent for spent in await read_spending(db, day_of(now))},
        open_attempts=await count_open_attempts(db),
    )


def line_of(name: str, entry: Account | None, facts: Facts) -> dict[str, Any]:
    """Return what is shown of an account; `entry` is None if the file does not have it."""
    settings = facts.settings.get(name, AccountSettings())
    health = facts.health.get(name, AccountReading())
    return {
        "name": name,
        "vendor": SIMULATOR if name == SIMULATOR else entry and entry.vendor,
        "state": _state(name, entry, settings),
        "tenants": entry and entry.tenants and list(entry.tenants),
        "senders": _senders(entry),
        "circuit": _circuit(health),
        "lastMinute": _last_minute(health),
        "spending": _spending(facts.spending.get(name), settings),
        "openAttempts": facts.open_attempts.get(name, 0),
        "lastError": health.last_error,
        "lastErrorAt": _moment(health.last_error_at),
    }


def words_of(line: Mapping[str, Any]) -> Iterator[str]:
    """Yield the columns of a line."""
    circuit, minute, spending = line["circuit"], line["lastMinute"], line["spending"]
    yield line["name"]
    yield line["vendor"] or "-"
    yield line["state"]
    yield "all tenants" if line["tenants"] is None else ",".join(line["tenants"])
    yield f"circuit {circuit['state']}" + (f" ({circuit['reason']})" if circuit["reason"] else "")
    latency = "" if minute["meanMs"] is None else f", {minute['meanMs']} ms"
    yield f"{minute['attempts']} attempts, {minute['failures']} failed{latency}"
    most = "no limit" if spending["limitUsd"] is None else f"of {spending['limitUsd']}"
    yield f"{spending['bookedUsd']} + {spending['reservedUsd']} USD today, {most}"
    yield f"{line['openAttempts']} open"
    yield "-" if line["lastError"] is None else f"{line['lastErrorAt']} {line['lastError']}"


def decimal_of(amount: Decimal | None) -> str | None:
    """Return an exact amount without an exponent."""
    return None if amount is None else f"{amount:f}"


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


def _circuit(health: AccountReading) -> dict[str, Any]:
    is_closed = health.state is CircuitState.CLOSED
    reason = None if is_closed else health.circuit.reason
    return {
        "state": str(health.state),
        "reason": None if reason is None else str(reason),
        "since": _moment(health.since),
        "probeFrom": None if is_closed else _moment(health.circuit.open_until),
    }


def _last_minute(health: AccountReading) -> dict[str, Any]:
    latency = health.latency
    return {
        "attempts": health.total.attempts,
        "failures": health.total.failures,
        "slow": health.total.slow,
        "meanMs": None if latency is None else round(latency.total_seconds() * 1000),
    }


def _spending(spent: AccountSpending | None, settings: AccountSettings) -> dict[str, Any]:
    nothing = Decimal("0.00")
    return {
        "limitUsd": decimal_of(settings.daily_limit),
        "bookedUsd": decimal_of(nothing if spent is None else spent.booked),
        "reservedUsd": decimal_of(nothing if spent is None else spent.reserved),
    }


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")
