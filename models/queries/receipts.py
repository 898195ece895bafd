"""What providers reported: stored once, found again until its effect is in the message."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import text

from models.enums import AttemptState, Channel
from models.queries.suppression import suppress
from models.rules.contacts import contact_key
from models.rules.pricing import kept
from models.rules.reference import Reference
from models.rules.reports import Told
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReceipt(Told):
    """One report about one attempt."""

    tenant_id: int
    message_id: int
    attempt: int
    provider: str

    @classmethod
    def about(cls, reference: Reference, provider: str, told: Told) -> Self:
        """Return what was told, as a receipt about the attempt that a reference names."""
        return cls(
            tenant_id=reference.tenant_id,
            message_id=reference.message_id,
            attempt=reference.attempt,
            provider=provider,
            **{name.name: getattr(told, name.name) for name in fields(Told)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReceipt:
    """How a report stands after it was stored, with what finds its workflow."""

    fresh: bool
    """It was not known before."""
    open: bool
    completed: bool
    attended: bool
    """Whoever handed the message over looks for the report by itself."""
    operation: str
    scope: str
    idempotency_key: str | None


# News that is not the last word, about an attempt known to be accepted, is closed at once. What is
# known already but for its price is opened again with it: some vendors know their price late.
# The attempt is held until the report is committed: who stops attending it sees the report.
# The provider's id of the message is kept here only where the attempt has none: it is not changed,
# for two reports that share it would then wait for each other.
_STORE = text(
    """
    WITH known AS (
        SELECT m.operation, m.scope, m.idempotency_key, m.completed_at IS NOT NULL AS completed,
               COALESCE(m.merchant_id, 0) AS merchant_id, m.channel, m.to_contact,
               CAST(:status AS text) IN ('SENT', 'COMPLAINED') AND a.state = 'ACCEPTED'
               AND CAST(:price AS numeric) IS NULL AS stale,
               COALESCE(a.attended_until > :now, FALSE) AS attended,
               a.provider_message_id IS NULL AS nameless
          FROM attempt a
          JOIN message m ON m.tenant_id = a.tenant_id AND m.id = a.message_id
         WHERE a.tenant_id = :tenant_id AND a.message_id = :message_id AND a.number = :attempt
           AND a.provider = :provider
           FOR SHARE OF a
    ), stored AS (
        INSERT INTO receipt
               (tenant_id, provider, event_id, message_id, attempt, status, phase, recipient,
                duration_seconds, error_code, provider_code, price, reported_at, received_at,
                look_at, applied_at, provider_message_id)
        SELECT :tenant_id, :provider, :event_id, :message_id, :attempt, :status, :phase,
               :recipient, :duration_seconds, :error_code, :provider_code,
               CAST(:price AS numeric), :reported_at, :now, :now,
               CASE WHEN known.stale THEN CAST(:now AS timestamptz) END,
               CASE WHEN known.nameless THEN CAST(:provider_message_id AS text) END
          FROM known
        ON CONFLICT (tenant_id, provider, event_id) DO UPDATE
           SET price = excluded.price, look_at = excluded.look_at, applied_at = NULL
         WHERE receipt.price IS NULL AND excluded.price IS NOT NULL
           AND receipt.message_id = excluded.message_id
        RETURNING applied_at IS NULL AS open, old.id IS NULL AS fresh
    )
    SELECT known.operation, known.scope, known.idempotency_key, known.completed, known.attended,
           known.merchant_id, known.channel, known.to_contact,
           EXISTS (SELECT 1 FROM stored WHERE fresh) AS fresh,
           COALESCE((SELECT open FROM stored),
                    (SELECT applied_at IS NULL FROM receipt
                      WHERE tenant_id = :tenant_id AND provider = :provider
                        AND event_id = :event_id), FALSE) AS open
      FROM known
    """
)


async def store(db: WriteSession, receipt: NewReceipt, now: datetime) -> StoredReceipt | None:
    """Store a report once, and suppress whom it tells us never to write to again.

    None if it names no attempt at that provider.
    """
    row = (
        await db.execute(
            _STORE,
            {
                "tenant_id": receipt.tenant_id,
                "message_id": receipt.message_id,
                "attempt": receipt.attempt,
                "provider": receipt.provider,
                "event_id": receipt.event_id,
                "provider_message_id": receipt.provider_message_id,
                "status": receipt.status,
                "phase": receipt.phase,
                "recipient": receipt.recipient,
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
        return None
    if row.fresh and receipt.suppresses is not None:
        contact = receipt.recipient or row.to_contact
        await suppress(
            db,
            tenant_id=receipt.tenant_id,
            merchant_id=row.merchant_id,
            channel=Channel(row.channel),
            contact_key=contact_key(Channel(row.channel), contact),
            contact=contact,
            reason=receipt.suppresses,
            source=f"{receipt.provider}: {receipt.phase}",
            now=now,
        )
    return StoredReceipt(
        fresh=row.fresh,
        open=row.open,
        completed=row.completed,
        attended=row.attended,
        operation=row.operation,
        scope=row.scope,
        idempotency_key=row.idempotency_key,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AskableAttempt:
    """The attempt whose truth is asked for: the open one, else the last."""

    number: int
    provider: str
    state: AttemptState
    deadline: datetime
    reported: bool


_ASKABLE = text(
    """
    SELECT a.number, a.provider, a.state, a.deadline,
           EXISTS (SELECT 1 FROM receipt r
                    WHERE r.tenant_id = a.tenant_id AND r.message_id = a.message_id
                      AND r.applied_at IS NULL
                      AND r.status IN ('DELIVERED', 'UNDELIVERED', 'FAILED')) AS reported
      FROM attempt a
     WHERE a.tenant_id = :tenant_id AND a.message_id = :message_id
     ORDER BY a.state IN ('REQUESTED', 'AMBIGUOUS') DESC, a.state = 'ACCEPTED' DESC, a.number DESC
     LIMIT 1
    """
)


async def find_askable(
    db: ReadSession, *, tenant_id: int, message_id: int
) -> AskableAttempt | None:
    """Return the attempt a provider can be asked about; None if there was none."""
    row = (
        await db.execute(_ASKABLE, {"tenant_id": tenant_id, "message_id": message_id})
    ).one_or_none()
    if row is None:
        return None
    return AskableAttempt(
        number=row.number,
        provider=row.provider,
        state=AttemptState(row.state),
        deadline=row.deadline,
        reported=row.reported,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenReceipt:
    """A message with a report whose effect is not in its row yet."""

    tenant_id: int
    message_id: int
    completed: bool
    operation: str
    scope: str
    idempotency_key: str | None


# What was looked after is looked after again the later, the longer it has waited.
_OPEN = text(
    """
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
    SELECT DISTINCT taken.tenant_id, taken.message_id, m.completed_at IS NOT NULL AS completed,
           m.operation, m.scope, m.idempotency_key
      FROM taken
      JOIN message m ON m.tenant_id = taken.tenant_id AND m.id = taken.message_id
    """
)


async def take_open(
    db: WriteSession, *, now: datetime, grace: timedelta, most: int
) -> Sequence[OpenReceipt]:
    """Return messages, of all tenants, whose reports wait longer than `grace` for their effect."""
    rows = await db.execute(_OPEN, {"now": now, "grace": grace, "most": most})
    return [
        OpenReceipt(
            tenant_id=row.tenant_id,
            message_id=row.message_id,
            completed=row.completed,
            operation=row.operation,
            scope=row.scope,
            idempotency_key=row.idempotency_key,
        )
        for row in rows
    ]
