"""Accepts a send: look-up by key, and the one statement that inserts message, hold and entry."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from models.enums import Channel, MessageStatus, MessageType
from models.queries.billing.allowances import LIMIT
from models.queries.messages.destinations import Destination
from models.queries.messages.identity import START, start_of
from models.rules.messages.identity import SendKey, SendStart
from models.rules.messages.metadata import pair_hash
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSend:
    """A send that was already accepted under an Idempotency-Key."""

    send: SendStart
    fingerprint: str
    status: MessageStatus
    completed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """Values of a new message."""

    tenant_id: int
    merchant_id: int | None
    """None for direct e-mail of the tenant itself."""
    channel: Channel
    type: MessageType
    contact_key: str
    to_contact: str
    sender: str = field(repr=False)
    body: str = field(repr=False)
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)
    attributes: Mapping[str, str]
    operation: str
    scope: str
    idempotency_key: str | None
    fingerprint: str
    units: int
    funded: bool = True
    """False: nothing is held; the message is only metered."""
    destinations: Sequence[Destination] = ()
    """What it is counted for; none where the tenant has no limit."""
    further_keys: Sequence[str] = ()
    """Contact keys of the recipients after the first, for direct e-mail."""
    month: str
    accepted_at: datetime
    due_at: datetime
    expires_at: datetime | None
    sweep_at: datetime

    @property
    def scheduled(self) -> bool:
        """Whether it waits for a later time than its acceptance."""
        return self.due_at > self.accepted_at


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedMessage:
    """The message is inserted and its units are held."""

    message_id: int
    public_id: int
    tenant_public_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyTaken:
    """Another request with the same Idempotency-Key was first."""

    written: bool
    """Rows were written before this was detected: the transaction must be rolled back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFunded:
    """Allowance and credits do not cover it. The transaction must be rolled back."""

    available: int


_KNOWN = text(
    f"""
    SELECT {START}, m.fingerprint, m.status, m.completed_at IS NOT NULL AS completed
      FROM message m
      LEFT JOIN merchant ON merchant.tenant_id = m.tenant_id AND merchant.id = m.merchant_id
     WHERE m.tenant_id = :tenant_id AND m.operation = :operation AND m.scope = :scope
       AND m.idempotency_key = :idempotency_key
    """  # noqa: S608 - every value is a parameter
)


async def find_known(db: ReadSession, send_key: SendKey) -> KnownSend | None:
    """Return the send that was accepted under this key; None if there is none."""
    row = (await db.execute(_KNOWN, asdict(send_key))).one_or_none()
    if row is None:
        return None
    return KnownSend(
        send=start_of(row),
        fingerprint=row.fingerprint,
        status=MessageStatus(row.status),
        completed=row.completed,
    )


_COLUMNS: Final[Mapping[str, str]] = {
    "tenant_id": ":tenant_id",
    "delivery_mode": "(SELECT delivery_mode FROM tenant WHERE id = :tenant_id)",
    "merchant_id": ":merchant_id",
    "channel": ":channel",
    "type": ":type",
    "contact_key": ":contact_key",
    "to_contact": ":to_contact",
    "sender": ":sender",
    "body": ":body",
    "details": ":details",
    "attributes": ":attributes",
    "operation": ":operation",
    "scope": ":scope",
    "idempotency_key": ":idempotency_key",
    "fingerprint": ":fingerprint",
    "status": "CASE WHEN :scheduled THEN 'SCHEDULED' ELSE 'QUEUED' END",
    "attempts": "0",
    "units": ":units",
    "billed_units": "0",
    "funded": ":funded",
    "month": ":month",
    "accepted_at": ":accepted_at",
    "due_at": ":due_at",
    "expires_at": ":expires_at",
    "sweep_at": ":sweep_at",
    "ready_at": ":due_at",
}
"""Columns of a new message, except for its hold, and the SQL of their values."""


_TENANT: Final = "(SELECT public_id FROM tenant WHERE id = :tenant_id)"


def _insert(*, held_allowance: str, held_credits: str) -> str:
    """Return the INSERT of a message up to its FROM clause; the arguments are SQL."""
    columns = {**_COLUMNS, "held_allowance": held_allowance, "held_credits": held_credits}
    return f"INSERT INTO message ({', '.join(columns)}) SELECT {', '.join(columns.values())}"


# One statement, so one round trip. Rows are locked in the common order: month, credits, message. A
# key that is already taken leaves everything empty and locks nothing, so that many retries block
# nothing. A message that loses the race for its key leaves `accepted` empty, one without funds
# leaves `funded` empty; the caller then rolls back.
_ACCEPT = text(
    f"""
    WITH taken AS (
        SELECT id FROM message
         WHERE tenant_id = :tenant_id AND operation = :operation AND scope = :scope
           AND idempotency_key = :idempotency_key
    ), allowed AS (
        SELECT {LIMIT} AS units
          FROM merchant WHERE tenant_id = :tenant_id AND id = :merchant_id
           AND NOT EXISTS (SELECT 1 FROM taken)
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
        {_insert(held_allowance="funded.drawn", held_credits=":units - funded.drawn")}
          FROM funded
        ON CONFLICT (tenant_id, operation, scope, idempotency_key) DO NOTHING
        RETURNING id, public_id
    ), entry AS (
        INSERT INTO ledger_entry
               (tenant_id, merchant_id, channel, kind, units, credit_units, balance, month,
                message_id, at)
        SELECT :tenant_id, :merchant_id, :channel, 'HOLD', :units, :units - funded.drawn,
               funded.balance, :month, accepted.id, :accepted_at
          FROM accepted, funded
    )
    SELECT (SELECT id FROM accepted) AS id, (SELECT public_id FROM accepted) AS public_id,
           {_TENANT} AS tenant_public_id,
           (SELECT balance FROM funded) AS balance,
           EXISTS (SELECT 1 FROM taken) AS taken,
           (SELECT drawn FROM month) + (SELECT available FROM credit_account
             WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id
               AND channel = :channel) AS available
    """  # noqa: S608 - every value is a parameter
).bindparams(bindparam("details", type_=JSONB), bindparam("attributes", type_=JSONB))

_METER = text(
    f"""
    WITH accepted AS (
        {_insert(held_allowance="0", held_credits="0")}
        ON CONFLICT (tenant_id, operation, scope, idempotency_key) DO NOTHING
        RETURNING id, public_id
    )
    SELECT id, public_id, {_TENANT} AS tenant_public_id FROM accepted
    """  # noqa: S608 - every value is a parameter
).bindparams(bindparam("details", type_=JSONB), bindparam("attributes", type_=JSONB))

_FURTHER = text(
    """
    INSERT INTO message_recipient (tenant_id, contact_key, message_id)
    SELECT :tenant_id, contact_key, :message_id
      FROM unnest(CAST(:contact_keys AS text[])) AS contact_key
    ON CONFLICT DO NOTHING
    """
)


_PAIRS = text(
    """
    INSERT INTO message_metadata (tenant_id, pair, message_id)
    SELECT :tenant_id, pair, :message_id FROM unnest(CAST(:pairs AS uuid[])) AS pair
    """
)


async def accept(db: WriteSession, message: NewMessage) -> AcceptedMessage | KeyTaken | NotFunded:
    """Insert a message with its hold and its ledger entry, or return why not.

    The hold uses the allowance of the month first, then credits; a message that is not funded holds
    nothing. After NotFunded, or KeyTaken with `written`, the caller must roll back.
    """
    if message.funded:
        row = (await db.execute(_ACCEPT, _values(message))).one()
        if row.id is None:
            if row.taken:
                return KeyTaken(written=False)
            if row.balance is None:
                return NotFunded(available=row.available or 0)
            return KeyTaken(written=True)
    else:
        metered = (await db.execute(_METER, _values(message))).one_or_none()
        if metered is None:
            return KeyTaken(written=False)
        row = metered
    if message.further_keys:
        further = {"contact_keys": list(message.further_keys), "message_id": row.id}
        await db.execute(_FURTHER, {"tenant_id": message.tenant_id, **further})
    if message.attributes:
        pairs = {pair_hash(message.tenant_id, *pair) for pair in message.attributes.items()}
        found_by = {"pairs": sorted(pairs), "message_id": row.id}
        await db.execute(_PAIRS, {"tenant_id": message.tenant_id, **found_by})
    return AcceptedMessage(
        message_id=row.id, public_id=row.public_id, tenant_public_id=row.tenant_public_id
    )


def _values(message: NewMessage) -> dict[str, Any]:
    return {
        "tenant_id": message.tenant_id,
        "merchant_id": message.merchant_id,
        "channel": message.channel,
        "type": message.type,
        "contact_key": message.contact_key,
        "to_contact": message.to_contact,
        "sender": message.sender,
        "body": message.body,
        "details": dict(message.details),
        "attributes": dict(message.attributes),
        "operation": message.operation,
        "scope": message.scope,
        "idempotency_key": message.idempotency_key,
        "fingerprint": message.fingerprint,
        "scheduled": message.scheduled,
        "units": message.units,
        "funded": message.funded,
        "month": message.month,
        "accepted_at": message.accepted_at,
        "due_at": message.due_at,
        "expires_at": message.expires_at,
        "sweep_at": message.sweep_at,
    }
