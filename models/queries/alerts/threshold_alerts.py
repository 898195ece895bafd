"""Warning of what a merchant has used and what it has left, at the moment a mark is reached.

Who captures units knows what they were before and after, and comes here only when a mark lies
between. It holds the row of the month, or of the credits, so of many that are at it together
one crosses. What is read here is read anew: a limit or an upgrade may have changed while that lock
was waited for.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final

from sqlalchemy import Row, text

from models.enums import AlertType, Channel
from models.queries.alerts.alerts import raise_alert, resolve_alerts
from models.queries.billing.allowances import limit_of
from models.rules.alerts.thresholds import (
    CREDITS,
    LOW_ALONE,
    USAGE,
    Funds,
    Mark,
    Marks,
    credit_marks,
    credits_crossed,
    tell,
    usage_crossed,
    usage_marks,
)
from models.rules.billing.periods import first_day, month_of
from models.session import ReadSession, WriteSession

_REFUSALS_COUNT_AGAIN_AFTER: Final = timedelta(minutes=1)
"""Refused sends within it write nothing, so that a loop of them costs a read each."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Account:
    """Whose units, on which channel; merchant 0 is the tenant itself."""

    tenant_id: int
    merchant_id: int
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalances:
    """What an account has, and what is warned of."""

    account: Account
    funds: Funds
    open: Marks
    past: bool
    """A warning of an earlier month is still open."""

    @property
    def wanted(self) -> Marks:
        """What is to be warned of."""
        funds = self.funds
        usage = usage_marks(funds.used, funds.allowance)
        return usage | credit_marks(funds, self.open)

    @property
    def settled(self) -> bool:
        """Whether nothing is to be raised or resolved."""
        return not self.past and self.wanted == self.open


_STANDINGS = text(
    f"""
    SELECT m.tenant_id, m.id AS merchant_id, wanted.channel,
           {limit_of("wanted.channel")} AS allowance,
           COALESCE(month.used, 0) AS used, COALESCE(credits.available, 0) AS available,
           COALESCE(credits.held, 0) AS held,
           (SELECT e.units FROM ledger_entry e
             WHERE e.tenant_id = m.tenant_id AND e.merchant_id = m.id
               AND e.channel = wanted.channel AND e.kind = 'TOPUP'
             ORDER BY e.id DESC LIMIT 1) AS upgrade,
           (SELECT json_agg(json_build_array(a.type, a.threshold, a.created_at < :since))
              FROM alert a
             WHERE a.tenant_id = m.tenant_id AND a.merchant_id = m.id
               AND a.channel = wanted.channel AND a.resolved_at IS NULL
               AND a.type IN ('USAGE_THRESHOLD', 'LOW_CREDITS', 'CREDITS_EXHAUSTED')) AS open
      FROM unnest(CAST(:tenants AS bigint[]), CAST(:merchants AS bigint[]),
                  CAST(:channels AS text[])) AS wanted (tenant_id, merchant_id, channel)
      JOIN merchant m ON m.tenant_id = wanted.tenant_id AND m.id = wanted.merchant_id
      LEFT JOIN allowance_month month
             ON month.tenant_id = m.tenant_id AND month.merchant_id = m.id
            AND month.channel = wanted.channel AND month.month = :month
      LEFT JOIN credit_account credits
             ON credits.tenant_id = m.tenant_id AND credits.merchant_id = m.id
            AND credits.channel = wanted.channel
    """  # noqa: S608 - every value is a parameter
)


async def read_balances(
    db: ReadSession | WriteSession, accounts: Sequence[Account], now: datetime
) -> list[AccountBalances]:
    """Return how accounts stand; those of no merchant are left out."""
    month = month_of(now)
    rows = await db.execute(
        _STANDINGS,
        {
            "tenants": [account.tenant_id for account in accounts],
            "merchants": [account.merchant_id for account in accounts],
            "channels": [account.channel.value for account in accounts],
            "month": month,
            "since": beginning_of(month),
        },
    )
    return [_balances(row, month) for row in rows]


def _balances(row: Row[tuple[object, ...]], month: str) -> AccountBalances:
    open = [
        (Mark(AlertType(type), threshold), past and type == AlertType.USAGE_THRESHOLD)
        for type, threshold, past in row.open or ()
    ]
    return AccountBalances(
        account=Account(
            tenant_id=row.tenant_id, merchant_id=row.merchant_id, channel=Channel(row.channel)
        ),
        funds=Funds(
            month=month,
            allowance=row.allowance,
            used=row.used,
            available=row.available,
            held=row.held,
            upgrade=row.upgrade,
        ),
        open=frozenset(mark for mark, past in open if not past),
        past=any(past for _, past in open),
    )


def beginning_of(month: str) -> datetime:
    """Return the first moment of a month given as YYYY-MM."""
    return datetime.combine(first_day(month), time.min, UTC)


async def allowance_used(
    db: WriteSession, account: Account, *, before: int, after: int, now: datetime
) -> None:
    """Warn of the marks that a capture reached; the caller holds the row of this month."""
    for standing in await read_balances(db, [account], now):
        reached = usage_crossed(before, after, standing.funds.allowance)
        if reached:
            await _end_past(db, standing, now)
        await _raise(db, standing, reached, now)


async def credits_captured(
    db: WriteSession, account: Account, *, before: int, after: int, now: datetime
) -> None:
    """Warn of the marks that a capture reached; the caller holds the row of the credits.

    `before` and `after` are remaining credits, available or held.
    """
    for standing in await read_balances(db, [account], now):
        reached = credits_crossed(before, after, standing.funds.upgrade)
        await _raise(db, standing, reached, now)
        await _resolve(db, standing, (standing.open - standing.wanted) & LOW_ALONE, now)


async def credits_refused(db: WriteSession, account: Account, now: datetime) -> None:
    """Warn that a send was refused for credits of which the rest is held.

    The alert counts such refusals while it is open, at most one a minute.
    """
    await _lock_credits(db, account)
    for standing in await read_balances(db, [account], now):
        if standing.funds.upgrade is not None and standing.funds.held > 0:
            await _raise(db, standing, LOW_ALONE, now)


_UNTOLD = text(
    """
    SELECT EXISTS (
        SELECT 1 FROM credit_account ca
         WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
           AND held > 0
           AND NOT EXISTS (
                SELECT 1 FROM alert a
                 WHERE a.tenant_id = ca.tenant_id AND a.merchant_id = ca.merchant_id
                   AND a.channel = ca.channel AND a.type = 'LOW_CREDITS'
                   AND a.resolved_at IS NULL AND a.raised_at > :since))
    """
)


async def is_refusal_untold(db: ReadSession, account: Account, now: datetime) -> bool:
    """Say whether credits are held and low credits were not warned of within the last minute."""
    found = await db.scalar(
        _UNTOLD,
        {
            "tenant_id": account.tenant_id,
            "merchant_id": account.merchant_id,
            "channel": account.channel,
            "since": now - _REFUSALS_COUNT_AGAIN_AFTER,
        },
    )
    return bool(found)


async def credits_changed(
    db: WriteSession,
    *,
    tenant_id: int,
    merchant_id: int,
    channel: Channel,
    now: datetime,
) -> None:
    """Raise and resolve what bought or refunded credits change.

    Call it last in the transaction that moves them: account and ledger entry are written, and the
    row of the credits is locked.
    """
    account = Account(tenant_id=tenant_id, merchant_id=merchant_id, channel=channel)
    for standing in await read_balances(db, [account], now):
        await _align(db, standing, CREDITS, now)


_LOCK_MONTHS = text(
    """
    SELECT 1 FROM allowance_month
     WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND month = :month
       AND channel = ANY(CAST(:channels AS text[]))
     ORDER BY channel
       FOR NO KEY UPDATE
    """
)

_LOCK_CREDITS = text(
    """
    SELECT 1 FROM credit_account
     WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
       FOR NO KEY UPDATE
    """
)


async def limits_changed(
    db: WriteSession, *, tenant_id: int, merchant_id: int, now: datetime
) -> None:
    """Raise and resolve what another allowance changes; the limits are written already."""
    await _lock_months(db, tenant_id, merchant_id, list(Channel), now)
    accounts = [
        Account(tenant_id=tenant_id, merchant_id=merchant_id, channel=channel)
        for channel in sorted(Channel)
    ]
    for standing in sorted(await read_balances(db, accounts, now), key=lambda s: s.account):
        await _align(db, standing, USAGE, now)


async def align(db: WriteSession, account: Account, now: datetime) -> bool:
    """Raise and resolve whatever is to be; False if nothing was, for somebody else was faster."""
    await _lock_months(db, account.tenant_id, account.merchant_id, [account.channel], now)
    await _lock_credits(db, account)
    standings = await read_balances(db, [account], now)
    for standing in standings:
        await _align(db, standing, USAGE | CREDITS, now)
    return not all(standing.settled for standing in standings)


async def _lock_credits(db: WriteSession, account: Account) -> None:
    await db.execute(
        _LOCK_CREDITS,
        {
            "tenant_id": account.tenant_id,
            "merchant_id": account.merchant_id,
            "channel": account.channel,
        },
    )


async def _lock_months(
    db: WriteSession, tenant_id: int, merchant_id: int, channels: list[Channel], now: datetime
) -> None:
    await db.execute(
        _LOCK_MONTHS,
        {
            "tenant_id": tenant_id,
            "merchant_id": merchant_id,
            "channels": [channel.value for channel in channels],
            "month": month_of(now),
        },
    )


async def _align(db: WriteSession, standing: AccountBalances, about: Marks, now: datetime) -> None:
    """Make what is open what is wanted, of the marks that the held locks are about."""
    if standing.past and about & USAGE:
        await _end_past(db, standing, now)
    await _raise(db, standing, (standing.wanted - standing.open) & about, now)
    await _resolve(db, standing, (standing.open - standing.wanted) & about, now)


async def _raise(
    db: WriteSession, standing: AccountBalances, marks: Collection[Mark], now: datetime
) -> None:
    account = standing.account
    for mark in sorted(marks):
        await raise_alert(
            db,
            tenant_id=account.tenant_id,
            merchant_id=account.merchant_id,
            channel=account.channel,
            type=mark.type,
            threshold=mark.threshold,
            severity=mark.severity,
            message=tell(mark, account.channel, standing.funds),
            now=now,
        )


async def _resolve(
    db: WriteSession, standing: AccountBalances, marks: Collection[Mark], now: datetime
) -> None:
    account = standing.account
    for mark in sorted(marks):
        await resolve_alerts(
            db,
            tenant_id=account.tenant_id,
            merchant_id=account.merchant_id,
            channel=account.channel,
            type=mark.type,
            thresholds=[mark.threshold],
            now=now,
        )


_END_PAST = text(
    """
    UPDATE alert SET resolved_at = :now
     WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
       AND type = 'USAGE_THRESHOLD' AND resolved_at IS NULL AND created_at < :since
    """
)


async def _end_past(db: WriteSession, standing: AccountBalances, now: datetime) -> None:
    """Resolve the warnings of earlier months, so that those of this one are new."""
    account = standing.account
    await db.execute(
        _END_PAST,
        {
            "tenant_id": account.tenant_id,
            "merchant_id": account.merchant_id,
            "channel": account.channel,
            "since": beginning_of(standing.funds.month),
            "now": now,
        },
    )
