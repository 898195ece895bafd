"""The only place where messages end: status, ledger, usage and totals in one statement."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from models.enums import OPEN, TERMINAL, WAITING, MessageStatus
from models.queries.accounts.spending import book
from models.queries.alerts.threshold_alerts import allowance_used, credits_captured
from models.queries.alerts.unknown_deliveries import warn_of_unknown
from models.queries.billing.allowances import LIMIT
from models.queries.billing.usage_days import DayIsClosed
from models.queries.billing.usage_posting import TOO_LATE, USED, lock_days, usage_of
from models.queries.messages.settlement_facts import LockedMessage
from models.queries.messages.status_steps import may_step
from models.rules.alerts.thresholds import credits_crossed, usage_crossed
from models.rules.billing.periods import day_of, month_of
from models.rules.messages.settlement import End
from models.session import WriteSession

# Each part reads from the previous one, so that rows are locked in one order: month, credits,
# message, day. The message's row lock is already held, but the row is changed only after month and
# credits are locked. Otherwise there is a deadlock: a replayed acceptance that holds month and
# credits waits at the unique index of its key for the transaction that changed the message.
_END = text(
    f"""
    WITH open AS (
        SELECT funded FROM message
         WHERE tenant_id = :tenant_id AND id = :message_id AND completed_at IS NULL
    ), month AS (
        UPDATE allowance_month
           SET held = held - :held_allowance, used = used + :captured_allowance,
               credits_used = credits_used + :captured_credits
          FROM open
         WHERE funded AND tenant_id = :tenant_id AND merchant_id = :merchant_id
           AND channel = :channel AND month = :month
        RETURNING used
    ), account AS (
        UPDATE credit_account
           SET held = held - :held_credits, available = available + :released_credits
          FROM month
         WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
        RETURNING available, held
    ), ended AS (
        UPDATE message
           SET status = :status, error_code = :error_code, provider_code = :provider_code,
               provider = COALESCE(:provider, provider), billed_units = :captured,
               completed_at = :now
          FROM open LEFT JOIN account ON TRUE
         WHERE tenant_id = :tenant_id AND id = :message_id
           AND (account.available IS NOT NULL OR NOT open.funded)
           AND ({may_step(OPEN, TERMINAL)} OR status = 'SENT' AND CAST(:status AS text) = 'SENT')
        RETURNING id
    ), entries AS (
        INSERT INTO ledger_entry
               (tenant_id, merchant_id, channel, kind, units, credit_units, balance, month,
                message_id, at)
        SELECT :tenant_id, :merchant_id, :channel, p.kind, p.units, p.credits,
               account.available - p.rest, :month, :message_id, :now
          FROM account, (VALUES ('CAPTURE', CAST(:captured AS int),
                                 CAST(:captured_credits AS int), CAST(:released_credits AS int)),
                                ('RELEASE', :released, :released_credits, 0))
                        AS p (kind, units, credits, rest)
         WHERE p.units > 0
    ), {USED}, applied AS (
        UPDATE receipt SET applied_at = :now FROM ended
         WHERE tenant_id = :tenant_id AND message_id = :message_id AND applied_at IS NULL
           AND receipt.id = ANY(CAST(:receipts AS bigint[]))
    )
    SELECT EXISTS (SELECT 1 FROM open) AS moved, EXISTS (SELECT 1 FROM ended) AS booked,
           {TOO_LATE} AS too_late,
           (SELECT used FROM month) AS used,
           (SELECT available + held FROM account) AS remaining,
           (SELECT {LIMIT}
              FROM merchant WHERE tenant_id = :tenant_id AND id = :merchant_id) AS allowance
    """  # noqa: S608 - every value is a parameter
)


class LedgerBroken(Exception):
    """A message has nothing to settle with, or may not take this step: a bug."""


async def end_message(
    db: WriteSession,
    message: LockedMessage,
    end: End,
    now: datetime,
    *,
    price_reporters: Collection[str] = (),
) -> bool:
    """End a message; False if it had already ended, then nothing changes. Idempotent.

    Captured units use up the allowance part of the hold first. The rest returns to allowance and
    credits, in the month of the hold. `price_reporters` are the providers whose own price is
    awaited.

    Raises:
        LedgerBroken: a bug.
        DayIsClosed: the clock of this process is slow; a retry succeeds.
    """
    if end.day is not None:
        await lock_days(db, message, {end.day, day_of(now)})
    values = values_of(message, end, now, price_reporters)
    row = (
        await db.execute(
            _END,
            {**values, "message_id": message.message_id, "receipts": list(message.receipts)},
        )
    ).one()
    if row.moved and not row.booked:
        raise LedgerBroken
    if row.moved and row.too_late:
        raise DayIsClosed
    if row.booked and message.guarded:
        await book(db, tenant_id=message.tenant_id, message_ids=[message.message_id])
    if row.booked:
        await warn(db, message, end, row, values, ended=1)
    return bool(row.moved)


def values_of(
    message: LockedMessage, end: End, now: datetime, price_reporters: Collection[str]
) -> dict[str, Any]:
    """Return what is written at a message's end; messages with equal values can end together."""
    captured_allowance = min(end.captured, message.held_allowance)
    captured_credits = end.captured - captured_allowance
    return {
        "tenant_id": message.tenant_id,
        "merchant_id": message.merchant_id,
        "channel": message.facts.channel,
        "month": message.month,
        "status": end.status,
        "error_code": end.error_code,
        "provider_code": end.provider_code,
        "provider": end.provider,
        **usage_of(message, end, now, price_reporters),
        "now": now,
        "held_allowance": message.held_allowance,
        "held_credits": message.held_credits,
        "captured": end.captured,
        "captured_allowance": captured_allowance,
        "captured_credits": captured_credits,
        "released": message.facts.units - end.captured,
        "released_credits": message.held_credits - captured_credits,
    }


async def warn(
    db: WriteSession,
    message: LockedMessage,
    end: End,
    row: Row[Any],
    values: Mapping[str, Any],
    *,
    ended: int,
) -> None:
    """Raise the alerts that this end causes; alerts are locked last.

    So many messages `ended` with these `values_of`; `message` is one of them. `row` has the
    balances after that: used, remaining and allowance.
    """
    of_allowance = ended * values["captured_allowance"]
    of_credits = ended * values["captured_credits"]
    now = values["now"]
    if row.used is not None and message.month == month_of(now):
        before = row.used - of_allowance
        if usage_crossed(before, row.used, row.allowance):
            await allowance_used(db, message.account, before=before, after=row.used, now=now)
    if of_credits and row.remaining is not None:
        before = row.remaining + of_credits
        if credits_crossed(before, row.remaining, message.upgrade):
            await credits_captured(db, message.account, before=before, after=row.remaining, now=now)
    if end.status is MessageStatus.UNKNOWN and end.provider is None:
        await warn_of_unknown(db, message.account, public_id=message.public_id, now=now)


async def cancel_message(db: WriteSession, message: LockedMessage, now: datetime) -> bool:
    """Cancel a waiting message and release its hold; False if it no longer waits.

    The caller holds its lock, as a dispatch does when it sets SENDING, so only one of them
    succeeds.
    """
    if message.completed or message.facts.status not in WAITING:
        return False
    return await end_message(db, message, End(status=MessageStatus.CANCELED, captured=0), now)
