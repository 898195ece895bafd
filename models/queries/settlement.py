"""The one door through which a message ends: status, ledger, usage and totals in one statement."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import text

from models.enums import WAITING, MessageStatus
from models.queries.days import DayIsClosed, lock_day
from models.queries.known import Known, read_known
from models.queries.pricing import Repriced, reprice
from models.rules.facts import Facts
from models.rules.periods import day_of
from models.rules.pricing import Price, billed_by_aws, choose, price
from models.rules.settlement import End, correction, price_told
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Settleable:
    """A message under its lock, with its hold."""

    tenant_id: int
    message_id: int
    merchant_id: int
    """0 for what belongs to the tenant itself."""
    funded: bool
    completed: bool
    month: str
    held_allowance: int
    held_credits: int
    accepted_at: datetime
    known: Known

    @property
    def facts(self) -> Facts:
        """Its attempts and reports."""
        return self.known.facts

    def price(self, provider: str, units: int, *, awaited: bool) -> Price:
        """Return what units of it cost with a provider; `awaited` if that tells its price."""
        theirs = [card for card in self.known.cards if card.provider == provider]
        return price(
            units,
            choose(theirs, self.accepted_at),
            told=price_told(self.facts, provider),
            awaited=awaited,
        )


_LOCK = text(
    """
    SELECT COALESCE(merchant_id, 0) AS merchant_id, channel, status, funded, month, units,
           completed_at IS NOT NULL AS completed, held_allowance, held_credits,
           corrected_at IS NOT NULL AS corrected, accepted_at,
           to_key, details -> 'to' AS further
      FROM message WHERE tenant_id = :tenant_id AND id = :message_id
       FOR NO KEY UPDATE
    """
)


async def lock_for_settlement(
    db: WriteSession, *, tenant_id: int, message_id: int
) -> Settleable | None:
    """Lock a message and read what is known of it; None if there is no such row.

    The days that its end may be written to are locked as well: none of them closes meanwhile.
    """
    ids = {"tenant_id": tenant_id, "message_id": message_id}
    row = (await db.execute(_LOCK, ids)).one_or_none()
    if row is None:
        return None
    return Settleable(
        tenant_id=tenant_id,
        message_id=message_id,
        merchant_id=row.merchant_id,
        funded=row.funded,
        completed=row.completed,
        month=row.month,
        held_allowance=row.held_allowance,
        held_credits=row.held_credits,
        accepted_at=row.accepted_at,
        known=await read_known(db, ids, row),
    )


# What a provider took counts in the usage of its day, or of today if that day is closed; follows a
# part `ended`.
_USED = """
    counted AS (
        SELECT CASE WHEN EXISTS (SELECT 1 FROM usage_closing
                                  WHERE tenant_id = :tenant_id AND day = CAST(:day AS date))
                    THEN CAST(:today AS date) ELSE CAST(:day AS date) END AS day
         WHERE CAST(:day AS date) IS NOT NULL
    ), used AS (
        INSERT INTO usage_record
               (tenant_id, message_id, merchant_id, channel, provider, day, units, country,
                cost_units, cost, carrier_fee, markup, priced_by, gap, state, recorded_at)
        SELECT :tenant_id, :message_id, :merchant_id, :channel, :provider, counted.day,
               :captured, :country, :cost_units, :cost, :carrier_fee, :markup, :priced_by, :gap,
               :usage_state, :now
          FROM ended, counted
        ON CONFLICT (tenant_id, message_id) DO NOTHING
        RETURNING *
    ), totals AS (
        INSERT INTO usage_day AS total
               (tenant_id, day, merchant_id, channel, messages, units, aws_cost, provider_cost,
                carrier_fees, markup)
        SELECT tenant_id, day, merchant_id, channel, 1, units,
               CASE WHEN :aws THEN cost + carrier_fee ELSE 0 END,
               CASE WHEN :aws THEN 0 ELSE cost + carrier_fee END, carrier_fee, markup
          FROM used
        ON CONFLICT (tenant_id, day, merchant_id, channel) DO UPDATE
           SET messages = total.messages + 1, units = total.units + excluded.units,
               aws_cost = total.aws_cost + excluded.aws_cost,
               provider_cost = total.provider_cost + excluded.provider_cost,
               carrier_fees = total.carrier_fees + excluded.carrier_fees,
               markup = total.markup + excluded.markup
    )"""

_TOO_LATE = """
    EXISTS (SELECT 1 FROM counted JOIN usage_closing USING (day)
             WHERE usage_closing.tenant_id = :tenant_id)"""

# Each part reads from the one before it, so that rows are locked in one order: month, credits,
# message, day. The message's row lock is held already, but the row is changed only once month and
# credits are ours: a replayed acceptance that holds those waits at the unique index of its key for
# whoever has changed that row, and would wait for ever if we then waited for it.
_END = text(
    f"""
    WITH unsettled AS (
        SELECT funded FROM message
         WHERE tenant_id = :tenant_id AND id = :message_id AND completed_at IS NULL
    ), month AS (
        UPDATE allowance_month am
           SET held = am.held - :held_allowance, used = am.used + :captured_allowance,
               credits_used = am.credits_used + :captured_credits
          FROM unsettled
         WHERE unsettled.funded AND am.tenant_id = :tenant_id AND am.merchant_id = :merchant_id
           AND am.channel = :channel AND am.month = :month
        RETURNING 1
    ), account AS (
        UPDATE credit_account ca
           SET held = ca.held - :held_credits, available = ca.available + :released_credits
          FROM month
         WHERE ca.tenant_id = :tenant_id AND ca.merchant_id = :merchant_id
           AND ca.channel = :channel
        RETURNING ca.available
    ), ended AS (
        UPDATE message
           SET status = :status, error_code = :error_code, provider_code = :provider_code,
               provider = COALESCE(:provider, provider), billed_units = :captured,
               completed_at = :now
          FROM unsettled LEFT JOIN account ON TRUE
         WHERE tenant_id = :tenant_id AND id = :message_id
           AND (account.available IS NOT NULL OR NOT unsettled.funded)
        RETURNING id
    ), entries AS (
        INSERT INTO ledger_entry
               (tenant_id, merchant_id, channel, kind, units, credit_units, balance, month,
                message_id, at)
        SELECT :tenant_id, :merchant_id, :channel, part.kind, part.units, part.credit_units,
               account.available - part.yet_to_come, :month, :message_id, :now
          FROM account, (VALUES ('CAPTURE', CAST(:captured AS int),
                                 CAST(:captured_credits AS int), CAST(:released_credits AS int)),
                                ('RELEASE', CAST(:released AS int),
                                 CAST(:released_credits AS int), 0))
                        AS part (kind, units, credit_units, yet_to_come)
         WHERE part.units > 0
    ), {_USED}, applied AS (
        UPDATE receipt SET applied_at = :now FROM ended
         WHERE tenant_id = :tenant_id AND message_id = :message_id AND applied_at IS NULL
           AND receipt.id = ANY(CAST(:receipts AS bigint[]))
    )
    SELECT EXISTS (SELECT 1 FROM unsettled) AS moved, EXISTS (SELECT 1 FROM ended) AS booked,
           {_TOO_LATE} AS too_late
    """  # noqa: S608 - every value is a parameter
)


class LedgerBroken(Exception):
    """A message has no account or month to settle with: a bug, never business."""


async def end_message(
    db: WriteSession,
    message: Settleable,
    end: End,
    now: datetime,
    *,
    tell_prices: Collection[str] = (),
) -> bool:
    """End a message; False if it had ended before, and then nothing moves. Twice is once.

    Captured units use up the allowance part of the hold first; the rest goes back to the pot, and
    to the month, it came from. `tell_prices` are the providers whose own price is waited for.

    Raises:
        LedgerBroken: a bug.
        DayIsClosed: this process's clock is slow; tried again, it passes.
    """
    if end.day is not None:
        await _lock_days(db, message, {end.day, day_of(now)})
    captured_allowance = min(end.captured, message.held_allowance)
    captured_credits = end.captured - captured_allowance
    row = (
        await db.execute(
            _END,
            {
                "tenant_id": message.tenant_id,
                "message_id": message.message_id,
                "merchant_id": message.merchant_id,
                "channel": message.facts.channel,
                "month": message.month,
                "status": end.status,
                "error_code": end.error_code,
                "provider_code": end.provider_code,
                "provider": end.provider,
                **_usage(message, end, now, tell_prices),
                "now": now,
                "held_allowance": message.held_allowance,
                "held_credits": message.held_credits,
                "captured": end.captured,
                "captured_allowance": captured_allowance,
                "captured_credits": captured_credits,
                "released": message.facts.units - end.captured,
                "released_credits": message.held_credits - captured_credits,
                "receipts": list(message.known.receipts),
            },
        )
    ).one()
    if row.moved and not row.booked:
        raise LedgerBroken
    if row.moved and row.too_late:
        raise DayIsClosed
    return bool(row.moved)


async def _lock_days(db: WriteSession, message: Settleable, days: set[date]) -> None:
    """Lock what may be written to and was not locked with the message: midnight has passed."""
    for day in sorted(days - message.known.days):
        await lock_day(db, tenant_id=message.tenant_id, day=day, alone=False)


def _usage(
    message: Settleable, end: End, now: datetime, tell_prices: Collection[str]
) -> dict[str, Any]:
    """Return what the usage record says of an end; without a provider there is none.

    Who was asked for the truth until nobody hoped for it is not waited for: the card's figure
    holds.
    """
    provider = end.provider or ""
    awaited = provider in tell_prices and end.status is not MessageStatus.UNKNOWN
    price = message.price(provider, end.cost_units, awaited=awaited)
    return {
        "day": end.day,
        "today": day_of(now),
        "country": message.known.country,
        "cost_units": end.cost_units,
        "cost": price.cost,
        "carrier_fee": price.carrier_fee,
        "markup": price.markup,
        "priced_by": price.priced_by,
        "gap": price.gap,
        "usage_state": price.state,
        "aws": billed_by_aws(provider),
    }


async def cancel_message(db: WriteSession, message: Settleable, now: datetime) -> bool:
    """Cancel a message that still waits, releasing its hold; False if it no longer waits.

    The caller holds its lock, as a dispatch does when it takes it to SENDING: one winner.
    """
    if message.completed or message.facts.status not in WAITING:
        return False
    return await end_message(db, message, End(status=MessageStatus.CANCELED, captured=0), now)


_CORRECT = text(
    f"""
    WITH ended AS (
        UPDATE message
           SET status = :status, error_code = :error_code, provider_code = :provider_code,
               provider = COALESCE(:provider, provider), corrected_at = :now
         WHERE tenant_id = :tenant_id AND id = :message_id AND status = 'UNKNOWN'
           AND corrected_at IS NULL
        RETURNING id
    ), {_USED}
    SELECT {_TOO_LATE} AS too_late
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
    message: Settleable,
    now: datetime,
    *,
    tell_prices: Collection[str] = (),
) -> MessageStatus:
    """Let reports about a message that has ended correct an UNKNOWN, once; return its status.

    What they tell of its price, or of minutes nobody knew of, is booked as well.

    Raises:
        DayIsClosed: this process's clock is slow; tried again, it passes.
    """
    end = correction(message.facts, day_of(now))
    await _lock_days(db, message, {day_of(now)})
    if end is not None:
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
                **_usage(message, end, now, tell_prices),
                "now": now,
            },
        )
        if too_late:
            raise DayIsClosed
    await _book_news(db, message, end, now)
    await close_receipts(db, message, now)
    return message.facts.status if end is None else end.status


async def _book_news(db: WriteSession, message: Settleable, end: End | None, now: datetime) -> None:
    """Price a message anew whose usage record is older than what is known of its cost."""
    booked = message.known.booked
    if booked is None:
        return
    units = booked.cost_units if end is None else max(booked.cost_units, end.cost_units)
    if units == booked.cost_units and price_told(message.facts, booked.provider) is None:
        return
    price = message.price(booked.provider, units, awaited=booked.awaited)
    wanted = Repriced(
        message_id=message.message_id, provider=booked.provider, units=units, price=price
    )
    await reprice(db, tenant_id=message.tenant_id, wanted=[wanted], now=now)


async def close_receipts(db: WriteSession, message: Settleable, now: datetime) -> None:
    """Mark the reports among the facts as read; whatever they could change is in the row.

    One that was stored since then stays open: its effect is not.
    """
    await db.execute(
        _APPLIED,
        {
            "tenant_id": message.tenant_id,
            "message_id": message.message_id,
            "receipts": list(message.known.receipts),
            "now": now,
        },
    )
