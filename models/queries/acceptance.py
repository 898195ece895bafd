"""Accepting a send: what it is checked against, and the one statement that makes it so."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from models.enums import Channel, ConsentStatus, MessageStatus, MessageType
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSend:
    """A send that was accepted under an Idempotency-Key."""

    message_id: int
    fingerprint: str
    merchant_id: int
    merchant: str
    channel: Channel
    type: MessageType
    status: MessageStatus
    completed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPolicy:
    """What decides whether a merchant may send to a contact."""

    merchant_id: int
    active: bool
    consent: ConsentStatus | None
    sender: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """Everything an accepted send is written down with."""

    tenant_id: int
    merchant_id: int
    channel: Channel
    type: MessageType
    to_key: str
    to_contact: str
    sender: str
    body: str
    attributes: Mapping[str, str]
    operation: str
    scope: str
    idempotency_key: str | None
    fingerprint: str
    units: int
    month: str
    accepted_at: datetime
    due_at: datetime
    expires_at: datetime | None
    sweep_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedMessage:
    """The message is written and its units are held."""

    message_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTaken:
    """Somebody else's request with the same key was first. The transaction must be rolled back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFunded:
    """Allowance and credits do not cover it. The transaction must be rolled back."""

    available: int


_KNOWN = text(
    """
    SELECT m.id, m.fingerprint, m.merchant_id, merchant.external_id, m.channel, m.type, m.status,
           m.completed_at IS NOT NULL AS completed
      FROM message m
      JOIN merchant ON merchant.tenant_id = m.tenant_id AND merchant.id = m.merchant_id
     WHERE m.tenant_id = :tenant_id AND m.operation = :operation AND m.scope = :scope
       AND m.idempotency_key = :key
    """
)


async def find_known(
    db: ReadSession, *, tenant_id: int, operation: str, scope: str, key: str
) -> KnownSend | None:
    """Return the send that was accepted under this key, if there is one."""
    row = (
        await db.execute(
            _KNOWN,
            {"tenant_id": tenant_id, "operation": operation, "scope": scope, "key": key},
        )
    ).one_or_none()
    if row is None:
        return None
    return KnownSend(
        message_id=row.id,
        fingerprint=row.fingerprint,
        merchant_id=row.merchant_id,
        merchant=row.external_id,
        channel=Channel(row.channel),
        type=MessageType(row.type),
        status=MessageStatus(row.status),
        completed=row.completed,
    )


_POLICY = text(
    """
    SELECT merchant.id, merchant.active, consent.status AS consent,
           (SELECT number FROM sender_number
             WHERE sender_number.tenant_id = merchant.tenant_id
               AND (sender_number.merchant_id = merchant.id OR sender_number.merchant_id IS NULL)
             ORDER BY sender_number.merchant_id NULLS LAST, number LIMIT 1) AS sender
      FROM merchant
      LEFT JOIN consent ON consent.tenant_id = merchant.tenant_id
                       AND consent.merchant_id = merchant.id
                       AND consent.channel = :channel AND consent.contact_key = :contact_key
     WHERE merchant.tenant_id = :tenant_id AND merchant.external_id = :merchant
    """
)


async def find_policy(
    db: ReadSession, *, tenant_id: int, merchant: str, channel: Channel, contact_key: str
) -> SendPolicy | None:
    """Return what decides about a send; None if the tenant has no such merchant."""
    row = (
        await db.execute(
            _POLICY,
            {
                "tenant_id": tenant_id,
                "merchant": merchant,
                "channel": channel,
                "contact_key": contact_key,
            },
        )
    ).one_or_none()
    if row is None:
        return None
    return SendPolicy(
        merchant_id=row.id,
        active=row.active,
        consent=None if row.consent is None else ConsentStatus(row.consent),
        sender=row.sender,
    )


# One statement, so one round trip. Rows are locked in the order every transaction here keeps:
# message, month, credits. A message that loses the race for its key leaves `accepted` empty, one
# without funds leaves `funded` empty; in both cases the caller rolls everything back.
_ACCEPT = text(
    """
    WITH allowed AS (
        SELECT CASE CAST(:channel AS text) WHEN 'SMS' THEN sms_limit
                                           WHEN 'VOICE' THEN voice_minutes_limit
                                           ELSE email_limit END AS units
          FROM merchant WHERE tenant_id = :tenant_id AND id = :merchant_id
    ), month AS (
        INSERT INTO allowance_month AS am
               (tenant_id, merchant_id, channel, month, used, held, credits_used)
        SELECT :tenant_id, :merchant_id, :channel, :month, 0, LEAST(:units, allowed.units), 0
          FROM allowed
        ON CONFLICT (tenant_id, merchant_id, channel, month) DO UPDATE
           SET held = am.held + LEAST(:units, GREATEST(
                   (SELECT units FROM allowed) - am.used - am.held, 0))
        RETURNING new.held - COALESCE(old.held, 0) AS drawn
    ), funded AS (
        UPDATE credit_account ca
           SET available = ca.available - (:units - month.drawn),
               held = ca.held + (:units - month.drawn)
          FROM month
         WHERE ca.tenant_id = :tenant_id AND ca.merchant_id = :merchant_id
           AND ca.channel = :channel AND ca.available >= :units - month.drawn
        RETURNING ca.available AS balance, month.drawn
    ), accepted AS (
        INSERT INTO message
               (tenant_id, merchant_id, channel, type, to_key, to_contact, sender, body, attributes,
                operation, scope, idempotency_key, fingerprint, status, attempts, units,
                billed_units, month, held_allowance, held_credits, accepted_at, due_at, expires_at,
                sweep_at)
        SELECT :tenant_id, :merchant_id, :channel, :type, :to_key, :to_contact, :sender, :body,
               CAST(:attributes AS jsonb), :operation, :scope, :idempotency_key, :fingerprint,
               :status, 0, :units, 0, :month, funded.drawn, :units - funded.drawn, :accepted_at,
               :due_at, :expires_at, :sweep_at
          FROM funded
        ON CONFLICT (tenant_id, operation, scope, idempotency_key) DO NOTHING
        RETURNING id
    ), entry AS (
        INSERT INTO ledger_entry
               (tenant_id, merchant_id, channel, kind, units, credit_units, balance, month,
                message_id, at)
        SELECT :tenant_id, :merchant_id, :channel, 'HOLD', :units, :units - funded.drawn,
               funded.balance, :month, accepted.id, :accepted_at
          FROM accepted, funded
    )
    SELECT (SELECT id FROM accepted) AS id, (SELECT balance FROM funded) AS balance,
           (SELECT drawn FROM month) + (SELECT available FROM credit_account
             WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id
               AND channel = :channel) AS available
    """
).bindparams(bindparam("attributes", type_=JSONB))


async def accept(db: WriteSession, message: NewMessage) -> AcceptedMessage | KeyTaken | NotFunded:
    """Write a message together with its hold and its ledger entry, or say why not.

    The hold draws on the allowance of the month first, then on credits. Anything but
    AcceptedMessage leaves the transaction to be rolled back.
    """
    waiting = message.due_at > message.accepted_at
    values: dict[str, Any] = {
        "tenant_id": message.tenant_id,
        "merchant_id": message.merchant_id,
        "channel": message.channel,
        "type": message.type,
        "to_key": message.to_key,
        "to_contact": message.to_contact,
        "sender": message.sender,
        "body": message.body,
        "attributes": dict(message.attributes),
        "operation": message.operation,
        "scope": message.scope,
        "idempotency_key": message.idempotency_key,
        "fingerprint": message.fingerprint,
        "status": MessageStatus.SCHEDULED if waiting else MessageStatus.QUEUED,
        "units": message.units,
        "month": message.month,
        "accepted_at": message.accepted_at,
        "due_at": message.due_at,
        "expires_at": message.expires_at,
        "sweep_at": message.sweep_at,
    }
    row = (await db.execute(_ACCEPT, values)).one()
    if row.id is not None:
        return AcceptedMessage(message_id=row.id)
    return NotFunded(available=row.available or 0) if row.balance is None else KeyTaken()
