"""The one door through which a message ends: status, ledger, usage and totals in one statement."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text

from models.enums import (
    WAITING,
    AttemptState,
    Channel,
    ErrorCode,
    MessageStatus,
    ReportStatus,
)
from models.queries.thresholds import Account, allowance_used
from models.queries.unconfirmed import find_untaken, truth_told, warn_of_unknown
from models.rules.contacts import contact_key
from models.rules.facts import AttemptFact, Facts, ReportFact
from models.rules.periods import day_of, month_of
from models.rules.settlement import End, correction
from models.rules.thresholds import usage_crossed
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
    facts: Facts
    receipts: tuple[int, ...]
    """Ids of the receipts among the facts: only these may be closed, later ones are still open."""

    @property
    def account(self) -> Account:
        """Whose units it holds."""
        return Account(
            tenant_id=self.tenant_id, merchant_id=self.merchant_id, channel=self.facts.channel
        )


_LOCK = text(
    """
    SELECT COALESCE(merchant_id, 0) AS merchant_id, channel, status, funded, month, units,
           completed_at IS NOT NULL AS completed, held_allowance, held_credits,
           corrected_at IS NOT NULL AS corrected,
           to_key, details -> 'to' AS further
      FROM message WHERE tenant_id = :tenant_id AND id = :message_id
       FOR NO KEY UPDATE
    """
)

# A statement of its own: it must see what was committed while the lock was waited for.
_FACTS = text(
    """
    SELECT (SELECT json_agg(json_build_array(number, provider, state, requested_at, provider_code)
                            ORDER BY number)
              FROM attempt WHERE tenant_id = :tenant_id AND message_id = :message_id) AS attempts,
           (SELECT json_agg(json_build_array(attempt, status, error_code, provider_code, recipient,
                                             duration_seconds) ORDER BY id)
              FROM receipt WHERE tenant_id = :tenant_id AND message_id = :message_id) AS reports,
           ARRAY(SELECT id FROM receipt
                  WHERE tenant_id = :tenant_id AND message_id = :message_id) AS receipts
    """
)


async def lock_for_settlement(
    db: WriteSession, *, tenant_id: int, message_id: int
) -> Settleable | None:
    """Lock a message and read what is known of it; None if there is no such row."""
    ids = {"tenant_id": tenant_id, "message_id": message_id}
    row = (await db.execute(_LOCK, ids)).one_or_none()
    if row is None:
        return None
    known = (await db.execute(_FACTS, ids)).one()
    channel = Channel(row.channel)
    recipients = list(dict.fromkeys(contact_key(channel, to) for to in row.further or [row.to_key]))
    return Settleable(
        tenant_id=tenant_id,
        message_id=message_id,
        merchant_id=row.merchant_id,
        funded=row.funded,
        completed=row.completed,
        month=row.month,
        held_allowance=row.held_allowance,
        held_credits=row.held_credits,
        facts=Facts(
            channel=channel,
            recipients=recipients,
            status=MessageStatus(row.status),
            units=row.units,
            corrected=row.corrected,
            attempts=tuple(
                AttemptFact(
                    number=number,
                    provider=provider,
                    state=AttemptState(state),
                    requested_at=datetime.fromisoformat(requested_at),
                    provider_code=code,
                )
                for number, provider, state, requested_at, code in known.attempts or ()
            ),
            reports=tuple(
                ReportFact(
                    attempt=attempt,
                    status=ReportStatus(status),
                    error_code=None if error_code is None else ErrorCode(error_code),
                    provider_code=code,
                    recipient=None if recipient is None else contact_key(channel, recipient),
                    duration_seconds=seconds,
                )
                for attempt, status, error_code, code, recipient, seconds in known.reports or ()
            ),
        ),
        receipts=tuple(known.receipts),
    )


# Each part reads from the one before it, so that rows are locked in one order: month, credits,
# message, day. The message's row lock is held already, but the row is changed only once month and
# credits are ours: a replayed acceptance that holds those waits at the unique index of its key for
# whoever has changed that row, and would wait for ever if we then waited for it.
_END = text(
    """
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
        RETURNING am.used
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
    ), used AS (
        INSERT INTO usage_record
               (tenant_id, message_id, merchant_id, channel, provider, day, units, state,
                recorded_at)
        SELECT :tenant_id, :message_id, :merchant_id, :channel, :provider, CAST(:day AS date),
               :captured, 'FINAL', :now
          FROM ended WHERE CAST(:day AS date) IS NOT NULL
        RETURNING units
    ), totals AS (
        INSERT INTO usage_day AS total
               (tenant_id, day, merchant_id, channel, messages, units)
        SELECT :tenant_id, CAST(:day AS date), :merchant_id, :channel, 1, used.units FROM used
        ON CONFLICT (tenant_id, day, merchant_id, channel) DO UPDATE
           SET messages = total.messages + 1, units = total.units + excluded.units
    ), applied AS (
        UPDATE receipt SET applied_at = :now FROM ended
         WHERE tenant_id = :tenant_id AND message_id = :message_id AND applied_at IS NULL
           AND receipt.id = ANY(CAST(:receipts AS bigint[]))
    )
    SELECT EXISTS (SELECT 1 FROM unsettled) AS moved, EXISTS (SELECT 1 FROM ended) AS booked,
           (SELECT used FROM month) AS used,
           (SELECT CASE CAST(:channel AS text) WHEN 'SMS' THEN sms_limit
                                               WHEN 'VOICE' THEN voice_minutes_limit
                                               ELSE email_limit END
              FROM merchant WHERE tenant_id = :tenant_id AND id = :merchant_id) AS allowance
    """
)


class LedgerBroken(Exception):
    """A message has no account or month to settle with: a bug, never business."""


async def end_message(db: WriteSession, message: Settleable, end: End, now: datetime) -> bool:
    """End a message; False if it had ended before, and then nothing moves. Twice is once.

    Captured units use up the allowance part of the hold first; the rest goes back to the pot, and
    to the month, it came from.
    """
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
                "day": end.day,
                "now": now,
                "held_allowance": message.held_allowance,
                "held_credits": message.held_credits,
                "captured": end.captured,
                "captured_allowance": captured_allowance,
                "captured_credits": captured_credits,
                "released": message.facts.units - end.captured,
                "released_credits": message.held_credits - captured_credits,
                "receipts": list(message.receipts),
            },
        )
    ).one()
    if row.moved and not row.booked:
        raise LedgerBroken
    if row.booked:
        await _warn(db, message, end, row, captured_allowance, now)
    return bool(row.moved)


async def _warn(
    db: WriteSession, message: Settleable, end: End, row: Row[Any], captured: int, now: datetime
) -> None:
    """Warn of what this end brought about; alerts are locked last."""
    if row.used is not None and message.month == month_of(now):
        before = row.used - captured
        if usage_crossed(before, row.used, row.allowance):
            await allowance_used(db, message.account, before=before, after=row.used, now=now)
    if end.status is MessageStatus.UNKNOWN and end.provider is None:
        await warn_of_unknown(db, message.account, message_id=message.message_id, now=now)


async def cancel_message(db: WriteSession, message: Settleable, now: datetime) -> bool:
    """Cancel a message that still waits, releasing its hold; False if it no longer waits.

    The caller holds its lock, as a dispatch does when it takes it to SENDING: one winner.
    """
    if message.completed or message.facts.status not in WAITING:
        return False
    return await end_message(db, message, End(status=MessageStatus.CANCELED, captured=0), now)


_CORRECT = text(
    """
    WITH corrected AS (
        UPDATE message
           SET status = :status, error_code = :error_code, provider_code = :provider_code,
               provider = COALESCE(:provider, provider), corrected_at = :now
         WHERE tenant_id = :tenant_id AND id = :message_id AND status = 'UNKNOWN'
           AND corrected_at IS NULL
        RETURNING id
    ), used AS (
        INSERT INTO usage_record
               (tenant_id, message_id, merchant_id, channel, provider, day, units, state,
                recorded_at)
        SELECT :tenant_id, :message_id, :merchant_id, :channel, :provider, CAST(:day AS date), 0,
               'FINAL', :now
          FROM corrected
        ON CONFLICT (tenant_id, message_id) DO NOTHING
        RETURNING 1
    )
    INSERT INTO usage_day AS total (tenant_id, day, merchant_id, channel, messages, units)
    SELECT :tenant_id, CAST(:day AS date), :merchant_id, :channel, 1, 0 FROM used
    ON CONFLICT (tenant_id, day, merchant_id, channel) DO UPDATE
       SET messages = total.messages + 1
    """
)

_APPLIED = text(
    """
    UPDATE receipt SET applied_at = :now
     WHERE tenant_id = :tenant_id AND message_id = :message_id AND applied_at IS NULL
       AND id = ANY(CAST(:receipts AS bigint[]))
    """
)


async def apply_late_reports(db: WriteSession, message: Settleable, now: datetime) -> MessageStatus:
    """Let reports about a message that has ended correct an UNKNOWN, once; return its status."""
    end = correction(message.facts, day_of(now))
    untaken_since = None
    if end is not None:
        untaken_since = await find_untaken(
            db, tenant_id=message.tenant_id, message_id=message.message_id
        )
        await db.execute(
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
                "day": end.day,
                "now": now,
            },
        )
    await close_receipts(db, message, now)
    if untaken_since is not None:
        await truth_told(db, message.account, since=untaken_since, now=now)
    return message.facts.status if end is None else end.status


async def close_receipts(db: WriteSession, message: Settleable, now: datetime) -> None:
    """Mark the reports among the facts as read; whatever they could change is in the row.

    One that was stored since then stays open: its effect is not.
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
