"""Provider reports: stored once, and found again until they are applied to the message."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
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
    """An attempt, by the row id of its message or, without it, by the message's public id."""

    tenant_id: int
    message_id: int | None = None
    public_id: int
    """Public id of the message."""
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReceipt(DeliveryEvent):
    """A report about one attempt."""

    attempt: AttemptKey
    account: str

    @classmethod
    def about(cls, attempt: AttemptKey, account: str, told: DeliveryEvent) -> Self:
        """Return a delivery event of an account as a receipt about an attempt."""
        return cls(
            attempt=attempt,
            account=account,
            **{name.name: getattr(told, name.name) for name in fields(DeliveryEvent)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReceipt:
    """State of a report after it was stored, and the identity of its workflow."""

    fresh: bool
    """It was not stored before."""
    open: bool
    completed: bool
    awaited_inline: bool
    """The dispatch polls for the report itself."""
    message: MessageIdentity


# The attempt is locked first, and compared under its lock: of two concurrent first reports with
# different ids the second waits and sees the id of the first. The lock lasts until the report is
# committed, so that ending an inline wait sees the report. A report that is not final, about an
# attempt known to be accepted, is closed at once. A known report is opened again if only its price
# is new, or that none comes: some vendors report the price late.
_STORE = text(
    f"""
    WITH named AS (
        SELECT {IDENTITY}, m.completed_at IS NOT NULL AS completed,
               m.channel, m.to_contact, m.contact_key,
               CAST(:status AS text) IN ('SENT', 'COMPLAINED') AND a.state = 'ACCEPTED'
               AND CAST(:price AS numeric) IS NULL AND NOT :price_settled AS stale,
               a.provider, a.account,
               COALESCE(a.report_wait_until > :now, FALSE) AS awaited_inline,
               CASE WHEN a.account <> :account THEN 'ACCOUNT'
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
         WHERE a.tenant_id = :tenant_id AND a.number = :attempt
           AND a.message_id = COALESCE(
               CAST(:message_id AS bigint),
               (SELECT id FROM message WHERE tenant_id = :tenant_id AND public_id = :public_id))
           FOR NO KEY UPDATE OF a
    ), stored AS (
        INSERT INTO receipt
               (tenant_id, provider, account, event_id, message_id, attempt, status, phase,
                recipient, contact_key, duration_seconds, error_code, provider_code, price,
                price_settled, reported_at, received_at, look_at, applied_at)
        SELECT :tenant_id, named.provider, named.account, :event_id, named.message_id, :attempt,
               :status,
               :phase, :recipient, CAST(:recipient_key AS text), :duration_seconds, :error_code,
               :provider_code, CAST(:price AS numeric), :price_settled, :reported_at, :now, :now,
               CASE WHEN named.stale THEN CAST(:now AS timestamptz) END
          FROM named WHERE named.mismatch IS NULL
        ON CONFLICT (tenant_id, provider, account, event_id) DO UPDATE
           SET price = excluded.price, price_settled = excluded.price_settled,
               look_at = excluded.look_at, applied_at = NULL
         WHERE receipt.price IS NULL AND NOT receipt.price_settled
           AND (excluded.price IS NOT NULL OR excluded.price_settled)
           AND receipt.message_id = excluded.message_id AND receipt.attempt = excluded.attempt
        RETURNING applied_at IS NULL AS open, old.id IS NULL AS fresh
    ), adopted AS (
        UPDATE attempt SET provider_message_id = :provider_message_id
          FROM stored
         WHERE tenant_id = :tenant_id AND message_id = (SELECT message_id FROM named)
           AND number = :attempt AND provider_message_id IS NULL
    )
    SELECT named.*,
           EXISTS (SELECT 1 FROM stored WHERE fresh) AS fresh,
           COALESCE((SELECT open FROM stored),
                    (SELECT applied_at IS NULL FROM receipt
                      WHERE tenant_id = :tenant_id AND provider = named.provider
                        AND account = named.account AND event_id = :event_id
                        AND message_id = named.message_id AND attempt = :attempt), FALSE) AS open
      FROM named
    """  # noqa: S608 - every value is a parameter
)


async def store(
    db: WriteSession, receipt: NewReceipt, keys: ContactKeys, now: datetime
) -> StoredReceipt | Mismatch:
    """Store a report once, and suppress the recipient if the report says so.

    A report that does not match a recipient and the provider's message id of its attempt changes
    nothing. An attempt without a provider's message id gets that of its first report.

    Raises:
        IntegrityError: another attempt got the id concurrently; a retry in a new transaction
            returns a mismatch.
    """
    key = receipt.recipient_key(keys)
    row = (
        await db.execute(
            _STORE,
            {
                "tenant_id": receipt.attempt.tenant_id,
                "message_id": receipt.attempt.message_id,
                "public_id": receipt.attempt.public_id,
                "attempt": receipt.attempt.number,
                "account": receipt.account,
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
                "price_settled": receipt.price_settled,
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
            # Without a recipient it concerns the only one; with several it is a mismatch.
            contact_key=key or row.contact_key,
            contact=contact,
            reason=receipt.suppresses,
            source=f"{row.provider}: {receipt.phase}",
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
    """The attempt that the provider is asked about: the open one, else the last."""

    number: int
    provider: str
    account: str
    provider_message_id: str | None
    state: AttemptState
    requested_at: datetime
    deadline: datetime
    reported: bool
    reference: Reference
    channel: Channel
    to: str = field(repr=False)
    sender: str = field(repr=False)
    body: str = field(repr=False)
    resend_after_window: bool
    """The tenant allows that absence is inferred from a list."""


_ASKABLE = text(
    """
    SELECT a.number, a.provider, a.account, a.provider_message_id, a.state, a.requested_at,
           a.deadline, m.public_id, t.public_id AS tenant, m.channel, m.to_contact, m.sender,
           m.body, t.resend_after_window,
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
    """Return the attempt that the provider can be asked about; None if there is none.

    If `public_id` is given, a row with another one counts as missing: the calling workflow was
    started for another database.
    """
    ids = {"tenant_id": tenant_id, "message_id": message_id, "public_id": public_id}
    row = (await db.execute(_ASKABLE, ids)).one_or_none()
    if row is None:
        return None
    return AskableAttempt(
        number=row.number,
        provider=row.provider,
        account=row.account,
        provider_message_id=row.provider_message_id,
        state=AttemptState(row.state),
        requested_at=row.requested_at,
        deadline=row.deadline,
        reported=row.reported,
        reference=Reference(tenant=row.tenant, message=row.public_id, attempt=row.number),
        channel=Channel(row.channel),
        to=row.to_contact,
        sender=row.sender,
        body=row.body,
        resend_after_window=row.resend_after_window,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenReceipt:
    """A message with a report that is not applied yet."""

    message: MessageIdentity
    completed: bool
    in_chunk: bool
    """A chunk sends the message."""
    receipts: int
    """How many of its reports were taken."""


# The interval between sweeps grows with the waiting time.
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
    SELECT {IDENTITY}, m.completed_at IS NOT NULL AS completed,
           m.chunk_id IS NOT NULL AS in_chunk, reported.receipts
      FROM (SELECT tenant_id, message_id, count(*) AS receipts FROM taken
             GROUP BY tenant_id, message_id) AS reported
      JOIN message m ON m.tenant_id = reported.tenant_id AND m.id = reported.message_id
    """  # noqa: S608 - every value is a parameter
)


async def take_open(
    db: WriteSession, *, now: datetime, grace: timedelta, most: int
) -> Sequence[OpenReceipt]:
    """Return messages of all tenants with reports that were not applied within `grace`.

    Args:
        most: limit of reports, of which a message may have several.
    """
    rows = await db.execute(_OPEN, {"now": now, "grace": grace, "most": most})
    return [
        OpenReceipt(
            message=identity_of(row),
            completed=row.completed,
            in_chunk=row.in_chunk,
            receipts=row.receipts,
        )
        for row in rows
    ]
