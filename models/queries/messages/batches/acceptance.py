"""Accepts the lines of one page: locks funds, looks up keys, inserts messages with their holds.

The statements do for a set what `models.queries.messages.acceptance` does for one message. The
caller holds the batch's lock. Rows are locked in the common order: month, credits, message.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from models.queries.billing.allowances import LIMIT
from models.queries.messages.acceptance import NewMessage
from models.queries.messages.batches.pages import FoundBatch
from models.rules.messages.batches.funds import Funds, Hold
from models.rules.messages.metadata import pair_hash
from models.session import WriteSession

_TURN_AT_MOST: Final = timedelta(hours=1)
"""After this long in a chunk a message counts as late. Meanwhile it counts as open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMessage:
    """A message that was accepted under an Idempotency-Key."""

    message_id: int
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMember:
    """A new message of a batch: its row id, its hold, and its chunk if it has one.

    A message without a chunk is started by the sweeper, which looks for it at once.
    """

    message_id: int
    message: NewMessage
    hold: Hold
    chunk_id: int | None

    @property
    def sweep_at(self) -> datetime:
        """When the sweeper looks after it first."""
        return self.message.accepted_at if self.chunk_id is None else self.message.sweep_at

    @property
    def ready_at(self) -> datetime:
        """From when on it counts as late.

        A message of a chunk waits for its turn, so it is no sign of overloaded workers for a while.
        """
        due_at = self.message.due_at
        return due_at if self.chunk_id is None else due_at + _TURN_AT_MOST


# A row is made where none is, so that there is one to lock; it changes nothing.
_LOCK_FUNDS: Final = text(
    f"""
    WITH allowed AS (
        SELECT {LIMIT} AS units FROM merchant WHERE tenant_id = :tenant_id AND id = :merchant_id
    ), month AS (
        INSERT INTO allowance_month AS am
               (tenant_id, merchant_id, channel, month, used, held, credits_used)
        SELECT :tenant_id, :merchant_id, :channel, :month, 0, 0, 0 FROM allowed
        ON CONFLICT (tenant_id, merchant_id, channel, month) DO UPDATE SET held = am.held
        RETURNING used + held AS taken
    ), credits AS (
        SELECT ca.available
          FROM month
          JOIN credit_account ca ON ca.tenant_id = :tenant_id
           AND ca.merchant_id = :merchant_id AND ca.channel = :channel
           FOR NO KEY UPDATE OF ca
    )
    SELECT GREATEST(allowed.units - month.taken, 0) AS allowance,
           (SELECT available FROM credits) AS available
      FROM allowed, month
    """  # noqa: S608 - every value is a parameter
)


async def lock_funds(db: WriteSession, batch: FoundBatch, month: str) -> Funds:
    """Lock the merchant's month and credits, and return what is available."""
    values = {
        "tenant_id": batch.tenant_id,
        "merchant_id": batch.merchant_id,
        "channel": batch.channel,
        "month": month,
    }
    row = (await db.execute(_LOCK_FUNDS, values)).one()
    return Funds(
        allowance=row.allowance, credits=row.available or 0, open=row.available is not None
    )


# Each key is looked up alone: for `= ANY` the planner may instead read all messages of the
# tenant, because it expects as few of them as an average tenant has.
_KNOWN: Final = text(
    """
    SELECT known.idempotency_key, known.id, known.fingerprint
      FROM unnest(CAST(:keys AS text[])) AS wanted (idempotency_key), LATERAL (
           SELECT m.idempotency_key, m.id, m.fingerprint FROM message m
            WHERE m.tenant_id = :tenant_id AND m.operation = :operation AND m.scope = :scope
              AND m.idempotency_key = wanted.idempotency_key LIMIT 1) AS known
    """
)


async def find_known(
    db: WriteSession, batch: FoundBatch, operation: str, keys: Collection[str]
) -> dict[str, KnownMessage]:
    """Return the messages that were accepted under keys.

    Call it after `lock_funds`: the transaction that held these locks before has ended.
    """
    rows = await db.execute(
        _KNOWN,
        {
            "tenant_id": batch.tenant_id,
            "operation": operation,
            "scope": batch.scope,
            "keys": list(keys),
        },
    )
    return {
        row.idempotency_key: KnownMessage(message_id=row.id, fingerprint=row.fingerprint)
        for row in rows
    }


_IDS: Final = text(
    """
    SELECT nextval(pg_get_serial_sequence('message', 'id'))
      FROM generate_series(1, CAST(:count AS int))
    """
)


async def reserve_ids(db: WriteSession, count: int) -> Sequence[int]:
    """Return row ids for new messages, in ascending order; unused ones leave a gap."""
    return sorted(await db.scalars(_IDS, {"count": count}))


# What all messages of the page have in common is a parameter.
_COLUMNS: Final[Mapping[str, str]] = {
    "id": "id",
    "tenant_id": ":tenant_id",
    "delivery_mode": "(SELECT delivery_mode FROM tenant WHERE id = :tenant_id)",
    "merchant_id": ":merchant_id",
    "channel": ":channel",
    "type": "type",
    "contact_key": "contact_key",
    "to_contact": "to_contact",
    "sender": "sender",
    "body": "body",
    "details": "details",
    "attributes": "attributes",
    "batch_id": ":batch_id",
    "chunk_id": "chunk_id",
    "operation": ":operation",
    "scope": ":scope",
    "idempotency_key": "idempotency_key",
    "fingerprint": "fingerprint",
    "status": "CASE WHEN due_at > :accepted_at THEN 'SCHEDULED' ELSE 'QUEUED' END",
    "attempts": "0",
    "units": "units",
    "billed_units": "0",
    "funded": "TRUE",
    "held_allowance": "units - credits",
    "held_credits": "credits",
    "month": ":month",
    "accepted_at": ":accepted_at",
    "due_at": "due_at",
    "expires_at": "expires_at",
    "sweep_at": "sweep_at",
    "ready_at": "ready_at",
}
"""Columns of a new message of a batch, and the SQL of their values."""

# Ledger entries get their ids in the order of the lines, as their balances follow one another.
_INSERT: Final = text(
    f"""
    WITH given AS MATERIALIZED (
        SELECT * FROM json_to_recordset(CAST(:messages AS json)) AS r (
            id bigint, type text, contact_key text, to_contact text, sender text, body text,
            details jsonb, attributes jsonb, chunk_id bigint, idempotency_key text,
            fingerprint text, units int, credits int, balance bigint, due_at timestamptz,
            expires_at timestamptz, sweep_at timestamptz, ready_at timestamptz)
    ), accepted AS (
        INSERT INTO message ({", ".join(_COLUMNS)})
        SELECT {", ".join(_COLUMNS.values())} FROM given ORDER BY given.id
        ON CONFLICT (tenant_id, operation, scope, idempotency_key) DO NOTHING
        RETURNING id
    ), entries AS (
        INSERT INTO ledger_entry
               (tenant_id, merchant_id, channel, kind, units, credit_units, balance, month,
                message_id, at)
        SELECT :tenant_id, :merchant_id, :channel, 'HOLD', given.units, given.credits,
               given.balance, :month, given.id, :accepted_at
          FROM accepted JOIN given ON given.id = accepted.id ORDER BY given.id
    ), month AS (
        UPDATE allowance_month SET held = held + :drawn
         WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
           AND month = :month
    ), credits AS (
        UPDATE credit_account SET available = available - :credited, held = held + :credited
         WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
           AND CAST(:credited AS bigint) > 0
    )
    SELECT count(*) FROM accepted
    """  # noqa: S608 - every value is a parameter
)

_PAIRS: Final = text(
    """
    INSERT INTO message_metadata (tenant_id, pair, message_id)
    SELECT :tenant_id, pair, message_id
      FROM unnest(CAST(:pairs AS uuid[]), CAST(:message_ids AS bigint[])) AS r (pair, message_id)
    """
)


async def insert_members(
    db: WriteSession, batch: FoundBatch, members: Sequence[NewMember], funds: Funds
) -> bool:
    """Insert messages with their holds and ledger entries; move the funds that were taken.

    False if another transaction was first to insert a message with one of the keys: the caller must
    roll back.
    """
    first = members[0].message
    values = {
        "tenant_id": batch.tenant_id,
        "merchant_id": batch.merchant_id,
        "channel": batch.channel,
        "batch_id": batch.batch_id,
        "operation": first.operation,
        "scope": first.scope,
        "month": first.month,
        "accepted_at": first.accepted_at,
        "drawn": funds.drawn,
        "credited": funds.credited,
        "messages": json.dumps([_row(member) for member in members], ensure_ascii=False),
    }
    if await db.scalar(_INSERT, values) != len(members):
        return False
    pairs = list(_pairs(batch.tenant_id, members))
    if pairs:
        found_by = {"pairs": [p for p, _ in pairs], "message_ids": [m for _, m in pairs]}
        await db.execute(_PAIRS, {"tenant_id": batch.tenant_id, **found_by})
    return True


def _row(member: NewMember) -> dict[str, Any]:
    message = member.message
    return {
        "id": member.message_id,
        "type": message.type,
        "contact_key": message.contact_key,
        "to_contact": message.to_contact,
        "sender": message.sender,
        "body": message.body,
        "details": message.details,
        "attributes": message.attributes,
        "chunk_id": member.chunk_id,
        "idempotency_key": message.idempotency_key,
        "fingerprint": message.fingerprint,
        "units": message.units,
        "credits": member.hold.credits,
        "balance": member.hold.balance,
        "due_at": message.due_at.isoformat(),
        "expires_at": None if message.expires_at is None else message.expires_at.isoformat(),
        "sweep_at": member.sweep_at.isoformat(),
        "ready_at": member.ready_at.isoformat(),
    }


def _pairs(tenant_id: int, members: Iterable[NewMember]) -> Iterable[tuple[Any, int]]:
    """Return the hashes of the metadata of messages, each pair once per message."""
    for member in members:
        pairs = {pair_hash(tenant_id, *pair) for pair in member.message.attributes.items()}
        yield from ((pair, member.message_id) for pair in sorted(pairs))
