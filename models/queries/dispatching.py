"""Claiming a message for one call to a provider, and writing down what came of it."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from models.enums import (
    AttemptState,
    Channel,
    ConsentStatus,
    DeliveryMode,
    MessageStatus,
    MessageType,
)
from models.queries.consents import lock_contact
from models.rules.dispatching import Candidate
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownAttempt:
    """One earlier call for the same message."""

    number: int
    provider: str
    state: AttemptState


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatchable:
    """A message under its lock, with everything a dispatch needs to know."""

    candidate: Candidate
    channel: Channel
    delivery_mode: DeliveryMode
    attempts: tuple[KnownAttempt, ...]
    reported: bool
    to: str = field(repr=False)
    sender: str = field(repr=False)
    body: str = field(repr=False)


_LOCK = text(
    """
    SELECT merchant_id, channel, to_key FROM message
     WHERE tenant_id = :tenant_id AND id = :message_id
       FOR NO KEY UPDATE
    """
)

# A statement of its own: it must see what was committed while the lock was waited for.
_READ = text(
    """
    SELECT m.status, m.completed_at IS NOT NULL AS completed, m.type, m.channel, m.due_at,
           m.expires_at, m.to_contact, m.sender, m.body, merchant.active,
           tenant.delivery_mode, consent.status AS consent,
           (SELECT json_agg(json_build_array(a.number, a.provider, a.state) ORDER BY a.number)
              FROM attempt a
             WHERE a.tenant_id = m.tenant_id AND a.message_id = m.id) AS attempts,
           EXISTS (SELECT 1 FROM receipt r
                    WHERE r.tenant_id = m.tenant_id AND r.message_id = m.id
                      AND r.applied_at IS NULL AND r.status <> 'SENT') AS reported
      FROM message m
      JOIN merchant ON merchant.tenant_id = m.tenant_id AND merchant.id = m.merchant_id
      JOIN tenant ON tenant.id = m.tenant_id
      LEFT JOIN consent ON consent.tenant_id = m.tenant_id AND consent.merchant_id = m.merchant_id
                       AND consent.channel = m.channel AND consent.contact_key = m.to_key
     WHERE m.tenant_id = :tenant_id AND m.id = :message_id
    """
)


async def lock_for_dispatch(
    db: WriteSession, *, tenant_id: int, message_id: int
) -> Dispatchable | None:
    """Lock a message and read it; None if there is no such row.

    The contact is locked as well, shared; an opt-out locks it alone. So either the attempt is
    committed first, or the opt-out is seen here.
    """
    ids = {"tenant_id": tenant_id, "message_id": message_id}
    contact = (await db.execute(_LOCK, ids)).one_or_none()
    if contact is None:
        return None
    await lock_contact(
        db, tenant_id, contact.merchant_id, Channel(contact.channel), contact.to_key, shared=True
    )
    row = (await db.execute(_READ, ids)).one()
    attempts = tuple(
        KnownAttempt(number=number, provider=provider, state=AttemptState(state))
        for number, provider, state in row.attempts or ()
    )
    return Dispatchable(
        candidate=Candidate(
            status=MessageStatus(row.status),
            completed=row.completed,
            type=MessageType(row.type),
            due_at=row.due_at,
            expires_at=row.expires_at,
            merchant_active=row.active,
            consent=None if row.consent is None else ConsentStatus(row.consent),
            attempts=tuple(attempt.state for attempt in attempts),
        ),
        channel=Channel(row.channel),
        delivery_mode=DeliveryMode(row.delivery_mode),
        attempts=attempts,
        reported=row.reported,
        to=row.to_contact,
        sender=row.sender,
        body=row.body,
    )


_CLAIM = text(
    """
    WITH claimed AS (
        UPDATE message
           SET status = 'SENDING', attempts = :number, provider = :provider
         WHERE tenant_id = :tenant_id AND id = :message_id
        RETURNING 1
    )
    INSERT INTO attempt (tenant_id, message_id, number, provider, state, requested_at, deadline)
    SELECT :tenant_id, :message_id, :number, :provider, 'REQUESTED', :now, :deadline FROM claimed
    """
)


async def claim(
    db: WriteSession,
    *,
    tenant_id: int,
    message_id: int,
    number: int,
    provider: str,
    now: datetime,
    deadline: datetime,
) -> None:
    """Write down that a provider is about to be called; the caller holds the message's lock."""
    await db.execute(
        _CLAIM,
        {
            "tenant_id": tenant_id,
            "message_id": message_id,
            "number": number,
            "provider": provider,
            "now": now,
            "deadline": deadline,
        },
    )


# A report on this very attempt outweighs any lost answer or absence.
_CONCLUDE = text(
    """
    WITH told AS (
        SELECT EXISTS (SELECT 1 FROM receipt
                        WHERE tenant_id = :tenant_id AND message_id = :message_id
                          AND attempt = :number) AS taken,
               EXISTS (SELECT 1 FROM receipt
                        WHERE tenant_id = :tenant_id AND message_id = :message_id
                          AND applied_at IS NULL AND status <> 'SENT') AS reported
    ), concluded AS (
        UPDATE attempt
           SET state = CASE WHEN CAST(:state AS text) IN ('AMBIGUOUS', 'ABSENT') AND told.taken
                            THEN 'ACCEPTED' ELSE :state END,
               finished_at = :now,
               provider_message_id = COALESCE(:provider_message_id, provider_message_id),
               provider_code = :provider_code
          FROM told
         WHERE tenant_id = :tenant_id AND message_id = :message_id AND number = :number
           AND state IN ('REQUESTED', 'AMBIGUOUS')
        RETURNING attempt.state
    ), sent AS (
        UPDATE message SET status = 'SENT', sent_at = :now
          FROM concluded
         WHERE tenant_id = :tenant_id AND id = :message_id
           AND concluded.state = 'ACCEPTED' AND message.status = 'SENDING'
    )
    SELECT COALESCE((SELECT state FROM concluded),
                    (SELECT state FROM attempt WHERE tenant_id = :tenant_id
                        AND message_id = :message_id AND number = :number)) AS state,
           (SELECT reported FROM told) AS reported
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """How an attempt stands after its outcome was written."""

    state: AttemptState
    reported: bool


async def conclude(
    db: WriteSession,
    *,
    tenant_id: int,
    message_id: int,
    number: int,
    state: AttemptState,
    now: datetime,
    provider_message_id: str | None = None,
    provider_code: str | None = None,
) -> Concluded:
    """Write what came of an attempt, once: an attempt that is no longer open keeps its word."""
    row = (
        await db.execute(
            _CONCLUDE,
            {
                "tenant_id": tenant_id,
                "message_id": message_id,
                "number": number,
                "state": state,
                "now": now,
                "provider_message_id": provider_message_id,
                "provider_code": provider_code,
            },
        )
    ).one()
    return Concluded(state=AttemptState(row.state), reported=row.reported)
