"""Applies reports about a message that has ended: correction, new price, closed receipts."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import text

from models.enums import CORRECTABLE, TERMINAL, MessageStatus
from models.queries.accounts.spending import book
from models.queries.alerts.unknown_deliveries import find_untaken, resolve_unknown
from models.queries.billing.repricing import Repriced, reprice
from models.queries.billing.usage_days import DayIsClosed
from models.queries.billing.usage_posting import (
    LATE_OUTCOME,
    TOO_LATE,
    USED,
    lock_days,
    usage_of,
)
from models.queries.messages.settlement_facts import LockedMessage
from models.queries.messages.status_steps import may_step
from models.rules.billing.periods import day_of
from models.rules.messages.settlement import End, correction, price_settled, reported_price
from models.session import WriteSession

_CORRECT = text(
    f"""
    WITH ended AS (
        UPDATE message
           SET status = :status, error_code = :error_code, provider_code = :provider_code,
               provider = COALESCE(:provider, provider), corrected_at = :now
         WHERE tenant_id = :tenant_id AND id = :message_id
           AND {may_step(CORRECTABLE, TERMINAL)}
           AND corrected_at IS NULL
        RETURNING id
    ), {USED}, {LATE_OUTCOME}
    SELECT {TOO_LATE} AS too_late
    """  # noqa: S608 - every value is a parameter
)

_APPLIED = text(
    """
    UPDATE receipt SET applied_at = :now
     WHERE tenant_id = :tenant_id AND message_id = :message_id AND applied_at IS NULL
       AND id = ANY(CAST(:receipts AS bigint[]))
    """
)


async def apply_late_reports(
    db: WriteSession,
    message: LockedMessage,
    now: datetime,
    *,
    price_reporters: Collection[str] = (),
) -> MessageStatus:
    """Apply late reports, which may correct UNKNOWN or SENT once; return the message's status.

    Prices that they contain, and minutes that were unknown, are posted too.

    Raises:
        DayIsClosed: the clock of this process is slow; a retry succeeds.
    """
    end = correction(message.facts, day_of(now))
    await lock_days(db, message, {day_of(now)})
    untaken_since = None
    if end is not None:
        untaken_since = await find_untaken(
            db, tenant_id=message.tenant_id, message_id=message.message_id
        )
        too_late = await db.scalar(
            _CORRECT,
            {
                "tenant_id": message.tenant_id,
                "message_id": message.message_id,
                "merchant_id": message.merchant_id,
                "channel": message.facts.channel,
                "status": end.status,
                "error_code": end.error_code,
                "provider_code": end.provider_code,
                "provider": end.provider,
                "captured": end.captured,
                **usage_of(message, end, now, price_reporters),
                "now": now,
            },
        )
        if too_late:
            raise DayIsClosed
    await _post_corrections(db, message, end, now)
    await close_receipts(db, message, now)
    if message.guarded:
        await book(db, tenant_id=message.tenant_id, message_ids=[message.message_id])
    if untaken_since is not None:
        await resolve_unknown(db, message.account, since=untaken_since, now=now)
    return message.facts.status if end is None else end.status


async def _post_corrections(
    db: WriteSession, message: LockedMessage, end: End | None, now: datetime
) -> None:
    """Reprice a message whose usage record lacks what is now known of its cost."""
    booked = message.booked
    if booked is None:
        return
    units = booked.cost_units if end is None else max(booked.cost_units, end.cost_units)
    told = reported_price(message.facts, booked.provider) is not None
    settled = booked.awaited and price_settled(message.facts, booked.provider)
    if units == booked.cost_units and not told and not settled:
        return
    price = message.price(booked.provider, units, awaited=booked.awaited)
    wanted = Repriced(
        message_id=message.message_id, provider=booked.provider, units=units, price=price
    )
    await reprice(db, tenant_id=message.tenant_id, wanted=[wanted], now=now)


async def close_receipts(db: WriteSession, message: LockedMessage, now: datetime) -> None:
    """Mark the reports among the facts as applied.

    A report that was stored since the facts were read stays open.
    """
    await db.execute(
        _APPLIED,
        {
            "tenant_id": message.tenant_id,
            "message_id": message.message_id,
            "receipts": list(message.receipts),
            "now": now,
        },
    )
