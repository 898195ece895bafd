"""Alerts about used allowance and remaining credits, raised when a threshold is crossed.

The code that captures units knows the figures before and after, and calls this module only if a
threshold lies between. It holds the row lock of the month or of the credits, so of concurrent
captures only one crosses a threshold. Balances are read again here, because a limit or an upgrade
may have changed while that lock was waited for.
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
    ThresholdAlert,
    ThresholdAlerts,
    credit_alerts,
    credits_crossed,
    is_short_by_holds,
    message_of,
    usage_alerts,
    usage_crossed,
)
from models.rules.billing.periods import first_day, month_of
from models.session import ReadSession, WriteSession

_REFUSALS_COUNT_AGAIN_AFTER: Final = timedelta(minutes=1)
"""Refused sends within this time write nothing, so that a loop of them costs only reads."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Account:
    """Owner and channel of units; merchant 0 is the tenant itself."""

    tenant_id: int
    merchant_id: int
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountBalances:
    """Balances of an account, and its open alerts."""

    account: Account
    funds: Funds
    open: ThresholdAlerts
    past: bool
    """An alert of an earlier month is still open."""

    @property
    def wanted(self) -> ThresholdAlerts:
        """Alerts that should be open."""
        funds = self.funds
        usage = usage_alerts(funds.used, funds.allowance)
        return usage | credit_alerts(funds, self.open)

    @property
    def settled(self) -> bool:
        """Whether no alert has to be raised or resolved."""
        return not self.past and self.wanted == self.open


_BALANCES = text(
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
    """Return the balances of accounts; accounts without a merchant are left out."""
    month = month_of(now)
    rows = await db.execute(
        _BALANCES,
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
        (ThresholdAlert(AlertType(type), threshold), past and type == AlertType.USAGE_THRESHOLD)
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
        open=frozenset(alert for alert, past in open if not past),
        past=any(past for _, past in open),
    )


def beginning_of(month: str) -> datetime:
    """Return the first moment of a month given as YYYY-MM."""
    return datetime.combine(first_day(month), time.min, UTC)


async def allowance_used(
    db: WriteSession, account: Account, *, before: int, after: int, now: datetime
) -> None:
    """Raise the alerts of thresholds that a capture crossed; the caller locks the month's row."""
    for balances in await read_balances(db, [account], now):
        reached = usage_crossed(before, after, balances.funds.allowance)
        if reached:
            await _end_past(db, balances, now)
        await _raise(db, balances, reached, now)


async def credits_captured(
    db: WriteSession, account: Account, *, before: int, after: int, now: datetime
) -> None:
    """Raise the alerts of the thresholds that a capture crossed; the caller locks the credits' row.

    `before` and `after` are remaining credits, available or held.
    """
    for balances in await read_balances(db, [account], now):
        reached = credits_crossed(before, after, balances.funds.upgrade)
        await _raise(db, balances, reached, now)
        await _resolve(db, balances, (balances.open - balances.wanted) & LOW_ALONE, now)


async def credits_refused(db: WriteSession, account: Account, now: datetime) -> None:
    """Raise an alert that a send was refused because most remaining credits are held.

    The alert counts such refusals while it is open, at most one a minute. While 15 % of the last
    upgrade is available no alert is raised, because the watcher would resolve it at once.
    """
    await _lock_credits(db, account)
    for balances in await read_balances(db, [account], now):
        if is_short_by_holds(balances.funds):
            await _raise(db, balances, LOW_ALONE, now)


_UNREPORTED = text(
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


async def is_refusal_unreported(db: ReadSession, account: Account, now: datetime) -> bool:
    """Return whether credits are held and LOW_CREDITS was not raised within the last minute."""
    found = await db.scalar(
        _UNREPORTED,
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
    """Raise and resolve the alerts after credits were bought or refunded.

    Call it last in the transaction that moves credits: account and ledger entry must be written,
    and the row of the credits locked.
    """
    account = Account(tenant_id=tenant_id, merchant_id=merchant_id, channel=channel)
    for balances in await read_balances(db, [account], now):
        await _align(db, balances, CREDITS, now)


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
    """Raise and resolve the alerts after a change of limits; the limits must be written."""
    await _lock_months(db, tenant_id, merchant_id, list(Channel), now)
    accounts = [
        Account(tenant_id=tenant_id, merchant_id=merchant_id, channel=channel)
        for channel in sorted(Channel)
    ]
    for balances in sorted(await read_balances(db, accounts, now), key=lambda s: s.account):
        await _align(db, balances, USAGE, now)


async def align(db: WriteSession, account: Account, now: datetime) -> bool:
    """Raise and resolve the alerts of an account; False if none had to change."""
    await _lock_months(db, account.tenant_id, account.merchant_id, [account.channel], now)
    await _lock_credits(db, account)
    all_balances = await read_balances(db, [account], now)
    for balances in all_balances:
        await _align(db, balances, USAGE | CREDITS, now)
    return not all(balances.settled for balances in all_balances)


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


async def _align(
    db: WriteSession, balances: AccountBalances, about: ThresholdAlerts, now: datetime
) -> None:
    """Raise and resolve alerts so that the wanted ones are open; the caller holds the locks."""
    if balances.past and about & USAGE:
        await _end_past(db, balances, now)
    await _raise(db, balances, (balances.wanted - balances.open) & about, now)
    await _resolve(db, balances, (balances.open - balances.wanted) & about, now)


async def _raise(
    db: WriteSession, balances: AccountBalances, alerts: Collection[ThresholdAlert], now: datetime
) -> None:
    account = balances.account
    for alert in sorted(alerts):
        await raise_alert(
            db,
            tenant_id=account.tenant_id,
            merchant_id=account.merchant_id,
            channel=account.channel,
            type=alert.type,
            threshold=alert.threshold,
            severity=alert.severity,
            message=message_of(alert, account.channel, balances.funds),
            now=now,
        )


async def _resolve(
    db: WriteSession, balances: AccountBalances, alerts: Collection[ThresholdAlert], now: datetime
) -> None:
    account = balances.account
    for alert in sorted(alerts):
        await resolve_alerts(
            db,
            tenant_id=account.tenant_id,
            merchant_id=account.merchant_id,
            channel=account.channel,
            type=alert.type,
            thresholds=[alert.threshold],
            now=now,
        )


_END_PAST = text(
    """
    UPDATE alert SET resolved_at = :now
     WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
       AND type = 'USAGE_THRESHOLD' AND resolved_at IS NULL AND created_at < :since
    """
)


async def _end_past(db: WriteSession, balances: AccountBalances, now: datetime) -> None:
    """Resolve the alerts of earlier months, so that those of this month are new."""
    account = balances.account
    await db.execute(
        _END_PAST,
        {
            "tenant_id": account.tenant_id,
            "merchant_id": account.merchant_id,
            "channel": account.channel,
            "since": beginning_of(balances.funds.month),
            "now": now,
        },
    )
