"""Queries for inbound texts: storage, addressed merchants, and answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, text

from models.enums import ConsentStatus, InboundKind, SuppressionReason
from models.queries.tenants.visibility import CallerScope
from models.rules.messages.operations import ANSWER_INBOUND
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInbound:
    """One text to a number of a tenant."""

    tenant_id: int
    merchant_id: int | None
    provider: str
    event_id: str
    kind: InboundKind
    sender: str = field(repr=False)
    contact_key: str
    number: str = field(repr=False)
    body: str = field(repr=False)
    sent_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Addressee:
    """A merchant that a text may be addressed to, and the sender's consent and suppressions."""

    merchant_id: int
    external_id: str
    display_name: str
    help_text: str | None
    support_contact: str | None
    consent: ConsentStatus | None
    source: str | None
    suppressions: frozenset[SuppressionReason]


async def lock_conversation(
    db: WriteSession, tenant_id: int, number: str, contact_key: str
) -> None:
    """Serialize the texts of one contact to one number until the transaction ends.

    Lock order: before the locks of the contact's consent (`lock_contact`).
    """
    name = f"inbound\x1f{tenant_id}\x1f{number}\x1f{contact_key}"
    await db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


_WRITERS = text(
    """
    SELECT m.merchant_id, max(a.requested_at) AS wrote_at
      FROM message m
      LEFT JOIN attempt a ON a.tenant_id = m.tenant_id AND a.message_id = m.id
     WHERE m.tenant_id = :tenant_id AND m.contact_key = :contact AND m.sender = :number
       AND m.channel = 'SMS' AND m.merchant_id IS NOT NULL AND m.operation <> :answers
     GROUP BY m.merchant_id
     ORDER BY wrote_at DESC NULLS LAST, m.merchant_id
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writers:
    """The merchants with a message from a number to a contact."""

    sent: Sequence[int]
    """Those with a committed attempt, the latest first."""
    every: Sequence[int]
    """All of them, including those whose message still waits."""


async def find_writers(db: WriteSession, tenant_id: int, number: str, contact_key: str) -> Writers:
    """Return the merchants with messages from a number to a contact; answers do not count."""
    rows = (
        await db.execute(
            _WRITERS,
            {
                "tenant_id": tenant_id,
                "number": number,
                "contact": contact_key,
                "answers": ANSWER_INBOUND,
            },
        )
    ).all()
    return Writers(
        sent=[row.merchant_id for row in rows if row.wrote_at is not None],
        every=[row.merchant_id for row in rows],
    )


_STORE = text(
    """
    INSERT INTO inbound_message
           (tenant_id, merchant_id, provider, event_id, kind, sender, contact_key, number, body,
            sent_at, received_at)
    VALUES (:tenant_id, :merchant_id, :provider, :event_id, :kind, :sender, :contact_key, :number,
            :body, :sent_at, :received_at)
    ON CONFLICT (tenant_id, provider, event_id) DO NOTHING
    RETURNING id
    """
)


async def store(db: WriteSession, inbound: NewInbound) -> bool:
    """Store a text once; False if its event was already stored."""
    values = {name: getattr(inbound, name) for name in NewInbound.__slots__}
    return await db.scalar(_STORE, values) is not None


_ADDRESSEES = text(
    """
    SELECT merchant.id, merchant.external_id, merchant.display_name, merchant.help_text,
           merchant.support_contact, c.status, c.source,
           (SELECT array_agg(s.reason) FROM suppression s
             WHERE s.tenant_id = merchant.tenant_id AND s.merchant_id = merchant.id
               AND s.channel = 'SMS' AND s.contact_key = :contact) AS suppressions
      FROM merchant
      LEFT JOIN consent c ON c.tenant_id = merchant.tenant_id AND c.merchant_id = merchant.id
                         AND c.channel = 'SMS' AND c.contact_key = :contact
     WHERE merchant.tenant_id = :tenant_id AND merchant.id = ANY(CAST(:merchants AS bigint[]))
    """
)


async def find_addressees(
    db: WriteSession, tenant_id: int, merchants: Sequence[int], contact_key: str
) -> dict[int, Addressee]:
    """Return merchants by id; to change consent, the caller must hold the contact's locks."""
    rows = await db.execute(
        _ADDRESSEES, {"tenant_id": tenant_id, "merchants": list(merchants), "contact": contact_key}
    )
    return {row.id: _addressee(row) for row in rows}


def _addressee(row: Row[Any]) -> Addressee:
    return Addressee(
        merchant_id=row.id,
        external_id=row.external_id,
        display_name=row.display_name,
        help_text=row.help_text,
        support_contact=row.support_contact,
        consent=None if row.status is None else ConsentStatus(row.status),
        source=row.source,
        suppressions=frozenset(SuppressionReason(word) for word in row.suppressions or ()),
    )


_OVERTAKEN = text(
    """
    SELECT EXISTS (SELECT 1 FROM inbound_message
                    WHERE tenant_id = :tenant_id AND contact_key = :contact AND number = :number
                      AND kind = 'OPT_OUT' AND sent_at > :sent_at)
    """
)


async def opted_out_since(
    db: WriteSession, tenant_id: int, number: str, contact_key: str, sent_at: datetime
) -> bool:
    """Return whether the contact texted an opt-out after a time, by the provider's clock."""
    values = {"tenant_id": tenant_id, "number": number, "contact": contact_key, "sent_at": sent_at}
    return bool(await db.scalar(_OVERTAKEN, values))


_ANSWERS = text(
    """
    SELECT count(*) FROM message
     WHERE tenant_id = :tenant_id AND contact_key = :contact AND sender = :number
       AND operation = :answers AND accepted_at > :since
    """
)


async def count_answers(
    db: WriteSession, tenant_id: int, number: str, contact_key: str, since: datetime
) -> int:
    """Return how many answers a contact got from a number since a time."""
    values = {
        "tenant_id": tenant_id,
        "number": number,
        "contact": contact_key,
        "since": since,
        "answers": ANSWER_INBOUND,
    }
    return int(await db.scalar(_ANSWERS, values) or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredInbound:
    """A stored text."""

    public_id: int
    merchant: str | None
    kind: InboundKind
    sender: str = field(repr=False)
    number: str = field(repr=False)
    body: str = field(repr=False)
    sent_at: datetime
    received_at: datetime


_LIST = text(
    """
    SELECT i.public_id, merchant.external_id, i.kind, i.sender, i.number, i.body, i.sent_at,
           i.received_at
      FROM inbound_message i
      LEFT JOIN merchant ON merchant.tenant_id = i.tenant_id AND merchant.id = i.merchant_id
     WHERE i.tenant_id = :tenant_id
       AND (CAST(:merchant_id AS bigint) IS NULL OR i.merchant_id = :merchant_id)
       AND (CAST(:contact_key AS text) IS NULL OR i.contact_key = :contact_key)
       AND (CAST(:number AS text) IS NULL OR i.number = :number)
       AND (CAST(:before AS bigint) IS NULL OR i.id < :before)
     ORDER BY i.id DESC LIMIT :most
    """
)


async def list_inbound(
    db: ReadSession,
    scope: CallerScope,
    *,
    contact_key: str | None,
    number: str | None,
    before: int | None,
    most: int,
) -> Sequence[StoredInbound]:
    """Return texts, the newest first; None means any."""
    values = {
        "tenant_id": scope.tenant_id,
        "merchant_id": scope.merchant_id,
        "contact_key": contact_key,
        "number": number,
        "before": before,
        "most": most,
    }
    return [
        StoredInbound(
            public_id=row.public_id,
            merchant=row.external_id,
            kind=InboundKind(row.kind),
            sender=row.sender,
            number=row.number,
            body=row.body,
            sent_at=row.sent_at,
            received_at=row.received_at,
        )
        for row in await db.execute(_LIST, values)
    ]
