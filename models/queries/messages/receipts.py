"""What providers reported: stored once, found again until its effect is in the message."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import text

from models.enums import AttemptState, Channel
from models.queries.consent.suppression import suppress
from models.queries.messages.identity import IDENTITY, identity_of
from models.rules.billing.pricing import kept
from models.rules.consent.contact_keys import ContactKeys
from models.rules.messages.delivery_events import DeliveryEvent, Mismatch
from models.rules.messages.identity import MessageIdentity
from models.rules.messages.reference import Reference
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptKey:
    """The attempt that a reference names, by the keys of its row."""

    tenant_id: int
    message_id: int
    public_id: int
    """Of the message."""
    number: int


_NAMED = text(
    """
    SELECT m.tenant_id, m.id FROM tenant t
      JOIN message m ON m.tenant_id = t.id AND m.public_id = :message
     WHERE t.public_id = :tenant
    """
)


async def find_named(db: ReadSession, reference: Reference) -> AttemptKey | None:
    """Return the attempt that a reference names; None if there is no such message.

    Whether the message has an attempt of this number is known once a report is stored.
    """
    named = {"tenant": reference.tenant, "message": reference.message}
    row = (await db.execute(_NAMED, named)).one_or_none()
    if row is None:
        return None
    return AttemptKey(
        tenant_id=row.tenant_id,
        message_id=row.id,
        public_id=reference.message,
        number=reference.attempt,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReceipt(DeliveryEvent):
    """One report about one attempt."""

    attempt: AttemptKey
    provider: str

    @classmethod
    def about(cls, attempt: AttemptKey, provider: str, told: DeliveryEvent) -> Self:
        """Return what was told, as a receipt about an attempt."""
        return cls(
            attempt=attempt,
            provider=provider,
            **{name.name: getattr(told, name.name) for name in fields(DeliveryEvent)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReceipt:
    """How a report stands after it was stored, with what finds its workflow."""

    fresh: bool
    """It was not known before."""
    open: bool
    completed: bool
    awaited_inline: bool
    """Whoever handed the message over looks for the report by itself."""
    message: MessageIdentity


# The attempt is locked first, and what is compared is read under its lock: of two first reports
# with different ids the second waits and finds the attempt with the id of the first. The lock lasts
# until the report is committed: whoever stops attending the attempt sees the report.
# News that is not the last word, about an attempt known to be accepted, is closed at once. What is
# known already but for its price is opened again with it: some vendors know their price late.
_STORE = text(
    f"""
    WITH named AS (
        SELECT {IDENTITY}, m.completed_at IS NOT NULL AS completed,
               m.channel, m.to_contact, m.contact_key,
               CAST(:status AS text) IN ('SENT', 'COMPLAINED') AND a.state = 'ACCEPTED'
               AND CAST(:price AS numeric) IS NULL AS stale,
               a.account,
               COALESCE(a.report_wait_until > :now, FALSE) AS awaited_inline,
               CASE WHEN a.provider <> :provider THEN 'PROVIDER'
                    WHEN m.channel <> CAST(:channel AS text) THEN 'CHANNEL'
                    WHEN NOT COALESCE(
                         CASE WHEN CAST(:recipient AS text) IS NOT NULL
                              THEN m.contact_key = CAST(:recipient_key AS text)
                                   OR EXISTS (SELECT 1 FROM message_recipient r
                                               WHERE r.tenant_id = m.tenant_id
                                                 AND r.contact_key = CAST(:recipient_key AS text)
                                                 AND r.message_id = m.id)
                              ELSE CAST(:status AS text) = 'SENT'
                                   OR COALESCE(jsonb_array_length(m.details -> 'to'), 1) = 1
                              END, FALSE) THEN 'RECIPIENT'
                    WHEN COALESCE(
                         a.provider_message_id <> :provider_message_id,
                         EXISTS (SELECT 1 FROM attempt other
                                  WHERE other.tenant_id = a.tenant_id
                                    AND other.provider = a.provider
                                    AND other.account = a.account
                                    AND other.provider_message_id = :provider_message_id)
                         ) THEN 'MESSAGE_ID'
                    WHEN EXISTS (SELECT 1 FROM receipt r
                                  WHERE r.tenant_id = a.tenant_id AND r.provider = a.provider
                                    AND r.account = a.account
                                    AND r.event_id = :event_id
                                    AND (r.message_id, r.attempt) <> (a.message_id, a.number))
                    THEN 'EVENT' END AS mismatch
          FROM attempt a
          JOIN message m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
         WHERE a.tenant_id = :tenant_id AND a.message_id = :message_id AND a.number = :attempt
           FOR NO KEY UPDATE OF a
    ), stored AS (
        INSERT INTO receipt
               (tenant_id, provider, account, event_id, message_id, attempt, status, phase,
                recipient, contact_key, duration_seconds, error_code, provider_code, price,
                reported_at, received_at, look_at, applied_at)
        SELECT :tenant_id, :provider, named.account, :event_id, :message_id, :attempt, :status,
               :phase, :recipient, CAST(:recipient_key AS text), :duration_seconds, :error_code,
               :provider_code, CAST(:price AS numeric), :reported_at, :now, :now,
               CASE WHEN named.stale THEN CAST(:now AS timestamptz) END
          FROM named WHERE named.mismatch IS NULL
        ON CONFLICT (tenant_id, provider, account, event_id) DO UPDATE
           SET price = excluded.price, look_at = excluded.look_at, applied_at = NULL
         WHERE receipt.price IS NULL AND excluded.price IS NOT NULL
           AND receipt.message_id = excluded.message_id AND receipt.attempt = excluded.attempt
        RETURNING applied_at IS NULL AS open, old.id IS NULL AS fresh
    ), adopted AS (
        UPDATE attempt SET provider_message_id = :provider_message_id
          FROM stored
         WHERE tenant_id = :tenant_id AND message_id = :message_id AND number = :attempt
           AND provider_message_id IS NULL
    )
    SELECT named.*,
           EXISTS (SELECT 1 FROM stored WHERE fresh) AS fresh,
           COALESCE((SELECT open FROM stored),
                    (SELECT applied_at IS NULL FROM receipt
                      WHERE tenant_id = :tenant_id AND provider = :provider
                        AND account = named.account AND event_id = :event_id
                        AND message_id = :message_id AND attempt = :attempt), FALSE) AS open
      FROM named
    """  # noqa: S608 - every value is a parameter
)


async def store(
    db: WriteSession, receipt: NewReceipt, keys: ContactKeys, now: datetime
) -> StoredReceipt | Mismatch:
    """Store a report once, and suppress whom it tells us never to write to again.

    A report that is not about a recipient and the provider's message of its attempt changes
    nothing. An attempt without the provider's message id takes that of its first report.

    Raises:
        IntegrityError: at the same moment the id was told of another attempt; repeated in another
            transaction, this is a mismatch.
    """
    key = receipt.recipient_key(keys)
    row = (
        await db.execute(
            _STORE,
            {
                "tenant_id": receipt.attempt.tenant_id,
                "message_id": receipt.attempt.message_id,
                "attempt": receipt.attempt.number,
                "provider": receipt.provider,
                "event_id": receipt.event_id,
                "provider_message_id": receipt.provider_message_id,
                "status": receipt.status,
                "phase": receipt.phase,
                "channel": receipt.channel,
                "recipient": receipt.recipient_contact or receipt.recipient,
                "recipient_key": key,
                "duration_seconds": receipt.duration_seconds,
                "error_code": receipt.error_code,
                "provider_code": receipt.provider_code,
                "price": None if receipt.price is None else kept(receipt.price),
                "reported_at": receipt.reported_at,
                "now": now,
            },
        )
    ).one_or_none()
    if row is None:
        return Mismatch.ATTEMPT
    if row.mismatch is not None:
        return Mismatch(row.mismatch)
    if row.fresh and receipt.suppresses is not None:
        contact = receipt.recipient or row.to_contact
        await suppress(
            db,
            tenant_id=receipt.attempt.tenant_id,
            merchant_id=row.merchant_id,
            channel=Channel(row.channel),
            # Without a name it is about the only recipient; of several it is a mismatch.
            contact_key=key or row.contact_key,
            contact=contact,
            reason=receipt.suppresses,
            source=f"{receipt.provider}: {receipt.phase}",
            now=now,
        )
    return StoredReceipt(
        fresh=row.fresh,
        open=row.open,
        completed=row.completed,
        awaited_inline=row.awaited_inline,
        message=identity_of(row),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AskableAttempt:
    """The attempt whose truth is asked for: the open one, else the last."""

    number: int
    provider: str
    state: AttemptState
    deadline: datetime
    reported: bool
    reference: Reference


_ASKABLE = text(
    """
    SELECT a.number, a.provider, a.state, a.deadline, m.public_id, t.public_id AS tenant,
           EXISTS (SELECT 1 FROM receipt r
                    WHERE r.tenant_id = a.tenant_id AND r.message_id = a.message_id
                      AND r.applied_at IS NULL
                      AND r.status IN ('DELIVERED', 'UNDELIVERED', 'FAILED')) AS reported
      FROM attempt a
      JOIN message m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
      JOIN tenant t ON t.id = a.tenant_id
     WHERE a.tenant_id = :tenant_id AND a.message_id = :message_id
       AND CAST(:public_id AS bigint) IN (0, m.public_id)
     ORDER BY a.state IN ('REQUESTED', 'AMBIGUOUS') DESC, a.state = 'ACCEPTED' DESC, a.number DESC
     LIMIT 1
    """
)


async def find_askable(
    db: ReadSession, *, tenant_id: int, message_id: int, public_id: int = 0
) -> AskableAttempt | None:
    """Return the attempt a provider can be asked about; None if there was none.

    With a public id, a row that has another one is none: it belongs to another database's workflow.
    """
    ids = {"tenant_id": tenant_id, "message_id": message_id, "public_id": public_id}
    row = (await db.execute(_ASKABLE, ids)).one_or_none()
    if row is None:
        return None
    return AskableAttempt(
        number=row.number,
        provider=row.provider,
        state=AttemptState(row.state),
        deadline=row.deadline,
        reported=row.reported,
        reference=Reference(tenant=row.tenant, message=row.public_id, attempt=row.number),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenReceipt:
    """A message with a report whose effect is not in its row yet."""

    message: MessageIdentity
    completed: bool
    receipts: int
    """How many of its reports were taken."""


# What was looked after is looked after again the later, the longer it has waited.
_OPEN = text(
    f"""
    WITH waiting AS (
        SELECT tenant_id, id FROM receipt
         WHERE applied_at IS NULL
           AND look_at <= CAST(:now AS timestamptz) - CAST(:grace AS interval)
         ORDER BY look_at LIMIT :most FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE receipt r SET look_at = :now + LEAST((:now - r.received_at) / 2, interval '10 min')
          FROM waiting
         WHERE r.tenant_id = waiting.tenant_id AND r.id = waiting.id
        RETURNING r.tenant_id, r.message_id
    )
    SELECT {IDENTITY}, m.completed_at IS NOT NULL AS completed, reported.receipts
      FROM (SELECT tenant_id, message_id, count(*) AS receipts FROM taken
             GROUP BY tenant_id, message_id) AS reported
      JOIN message m ON m.tenant_id = reported.tenant_id AND m.id = reported.message_id
    """  # noqa: S608 - every value is a parameter
)


async def take_open(
    db: WriteSession, *, now: datetime, grace: timedelta, most: int
) -> Sequence[OpenReceipt]:
    """Return messages, of all tenants, whose reports wait longer than `grace` for their effect.

    Args:
        most: reports that are taken; a message may have several of them.
    """
    rows = await db.execute(_OPEN, {"now": now, "grace": grace, "most": most})
    return [
        OpenReceipt(
            message=identity_of(row),
            completed=row.completed,
            receipts=row.receipts,
        )
        for row in rows
    ]
