"""Lists messages by filters, reading little whether their values are frequent or rare."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, repeat
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    func,
    literal,
    literal_column,
    select,
    text,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import col

from models.enums import Channel, MessageStatus, MessageType
from models.queries.messages.read import Found, newest
from models.queries.tenants.visibility import CallerScope, visible_messages
from models.rules.messages.metadata import pair_hash
from models.rules.messages.operations import ANSWER_INBOUND
from models.session import ReadSession
from models.tables.base import row_id
from models.tables.message import Message, MessageMetadata, MessageRecipient

RARE: Final = 200
"""Messages with a value; the list of a value with at most so many is read as a whole."""

_CHUNKS: Final = (200, 1000, 5000)
"""Ids per statement of a walk through a longer list; the last size repeats."""

_END: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCriteria:
    """Filter for messages; None means any.

    `recipient_key` matches direct e-mail by any of its addresses, `contact_key` only by the first.
    Every pair of `metadata` must match. `since` and `before` limit the time of acceptance.
    """

    channel: Channel | None
    status: MessageStatus | None
    contact_key: str | None
    recipient_key: str | None
    type: MessageType | None
    idempotency_key: str | None
    metadata: Mapping[str, str]
    since: datetime | None
    before: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    """Bounds of ids: `least` inclusive, `end` exclusive."""

    least: int
    end: int


async def list_messages(
    db: ReadSession,
    scope: CallerScope,
    wanted: MessageCriteria,
    *,
    after: int | None,
    most: int,
) -> Sequence[Found]:
    """Return messages, the newest first; `after` is the last id of the previous page.

    With the planner's choice of an index the list would read most of a tenant: a plan for any value
    takes each filter for equally rare, and no statistics tell which values occur together, or only
    in old messages. Therefore the rarest value is found first, and its list is read (decision 72).
    """
    statement = visible_messages(scope).where(*_matching(scope, wanted))
    if wanted.type is None and wanted.idempotency_key is None and not wanted.metadata:
        return await newest(db, statement, after, most)
    span = await _span(db, scope, wanted, _END if after is None else after)
    if wanted.idempotency_key is not None:
        ids = await _keyed(db, scope, wanted.idempotency_key, span)
        return await newest(db, _among(statement, ids), None, most)
    rarest = await _find_rarest(db, scope, wanted, span)
    if len(rarest.ids) <= RARE:
        return await newest(db, _among(statement, rarest.ids), None, most)
    return await _walk(db, statement, rarest.statement, span, most)


# Ids follow the time of acceptance, except that clocks differ, by less than a day.
SPAN: Final = text(
    """
    SELECT (SELECT id FROM message
             WHERE tenant_id = :tenant_id
               AND accepted_at < CAST(:since AS timestamptz) - interval '1 day'
             ORDER BY accepted_at DESC LIMIT 1) AS least,
           (SELECT id FROM message
             WHERE tenant_id = :tenant_id
               AND accepted_at >= CAST(:before AS timestamptz) + interval '1 day'
             ORDER BY accepted_at LIMIT 1) AS end
    """
)


async def _span(db: ReadSession, scope: CallerScope, wanted: MessageCriteria, end: int) -> _Span:
    """Return the bounds of the ids that can match the time of acceptance, below an id."""
    if wanted.since is None and wanted.before is None:
        return _Span(least=0, end=end)
    values = {"tenant_id": scope.tenant_id, "since": wanted.since, "before": wanted.before}
    row = (await db.execute(SPAN, values)).one()
    return _Span(least=row.least or 0, end=min(end, row.end or end))


def _among(
    statement: Select[Message, str | None], ids: Sequence[int]
) -> Select[Message, str | None]:
    return statement.where(col(Message.id) == func.any(literal(ids, ARRAY(BigInteger))))


async def _keyed(db: ReadSession, scope: CallerScope, key: str, span: _Span) -> Sequence[int]:
    """Return the ids of the messages whose request had a key, whatever its operation and scope."""
    keyed = select(col(Message.id)).where(
        col(Message.tenant_id) == scope.tenant_id,
        col(Message.idempotency_key) == key,
        # Its key is an event of a provider.
        col(Message.operation) != ANSWER_INBOUND,
        col(Message.id) < span.end,
    )
    return await _ids(db, keyed)


def _matching(scope: CallerScope, wanted: MessageCriteria) -> list[ColumnElement[bool]]:
    conditions = [col(column) == value for column, value in _equal(scope, wanted)]
    if wanted.metadata:
        conditions.append(col(Message.attributes).contains(dict(wanted.metadata)))
    if wanted.idempotency_key is not None:
        conditions.append(col(Message.idempotency_key) == wanted.idempotency_key)
    if wanted.recipient_key is not None:
        conditions.append(_reaches(scope, wanted.recipient_key))
    if wanted.since is not None:
        conditions.append(col(Message.accepted_at) >= wanted.since)
    if wanted.before is not None:
        conditions.append(col(Message.accepted_at) < wanted.before)
    return conditions


def _equal(scope: CallerScope, wanted: MessageCriteria) -> list[tuple[Any, object]]:
    """Return the columns that have an index in the order of the list, with their wanted values."""
    values = (
        (Message.type, wanted.type),
        (Message.contact_key, wanted.contact_key),
        (Message.status, wanted.status),
        (Message.merchant_id, scope.merchant_id),
        (Message.channel, wanted.channel),
    )
    return [(column, value) for column, value in values if value is not None]


Listing: TypeAlias = Callable[[_Span], Select[int | None]]
"""Selects the ids of the messages with one value, the newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    """The list of one value, with its newest ids, at most one more than RARE."""

    statement: Listing
    ids: Sequence[int]


async def _find_rarest(
    db: ReadSession, scope: CallerScope, wanted: MessageCriteria, span: _Span
) -> _List:
    """Return the list of the rarest value.

    If all are frequent: the one whose messages are the oldest, or the furthest apart.
    """
    lists = []
    if wanted.metadata:
        lists.append(await _find_pair(db, scope, wanted.metadata, span))
    for column, value in _equal(scope, wanted):
        if lists and len(lists[-1].ids) <= RARE:
            break
        listing = _listing(scope, (Message.tenant_id, column, Message.id), value)
        lists.append(_List(statement=listing, ids=await _ids(db, _first(listing(span), RARE + 1))))
    return min(lists, key=lambda one: (len(one.ids), one.ids[:1], one.ids[-1:]))


def _listing(scope: CallerScope, index: tuple[Any, Any, Any], value: object) -> Listing:
    """Return the list of a value by an index whose columns are tenant, value and message id.

    Whole rows are compared, because only this index has their order. With equal signs the planner
    may read any index and sort, or filter, if its estimate is wrong.
    """
    columns = [col(column) for column in index]

    def within(span: _Span) -> Select[int | None]:
        least, end = (tuple_(scope.tenant_id, value, id) for id in (span.least, span.end))
        return (
            select(columns[-1])
            .where(tuple_(*columns) >= least, tuple_(*columns) < end)
            .order_by(*(column.desc() for column in columns))
        )

    return within


def _first(statement: Select[int | None], most: int) -> Select[int | None]:
    """Limit a statement by a literal, which the planner knows in every plan."""
    return statement.limit(literal_column(str(most), Integer))


async def _ids(db: ReadSession, statement: Select[int | None]) -> Sequence[int]:
    return [row_id(number) for number in await db.scalars(statement)]


# Whole rows are compared for the reason given in `_listing`.
RAREST: Final = text(
    f"""
    SELECT pair, ids
      FROM unnest(CAST(:pairs AS uuid[])) AS p (pair),
           LATERAL (SELECT ARRAY(
               SELECT message_id FROM message_metadata m
                WHERE (m.tenant_id, m.pair, m.message_id) >= (:tenant_id, p.pair, :least)
                  AND (m.tenant_id, m.pair, m.message_id) < (:tenant_id, p.pair, :end)
                ORDER BY m.tenant_id DESC, m.pair DESC, m.message_id DESC
                LIMIT {RARE + 1}) AS ids) f
     ORDER BY cardinality(ids), ids[1], ids[cardinality(ids)] LIMIT 1
    """  # noqa: S608 - every value is a parameter
)


async def _find_pair(
    db: ReadSession, scope: CallerScope, metadata: Mapping[str, str], span: _Span
) -> _List:
    """Return the list of the rarest pair."""
    pairs = [pair_hash(scope.tenant_id, *pair) for pair in metadata.items()]
    values = {"tenant_id": scope.tenant_id, "pairs": pairs, "least": span.least, "end": span.end}
    row = (await db.execute(RAREST, values)).one()
    index = (MessageMetadata.tenant_id, MessageMetadata.pair, MessageMetadata.message_id)
    return _List(statement=_listing(scope, index, row.pair), ids=row.ids)


async def _walk(
    db: ReadSession,
    statement: Select[Message, str | None],
    listing: Listing,
    span: _Span,
    most: int,
) -> Sequence[Found]:
    """Read the messages of a frequent value in the order of the list, until the page is full."""
    found: list[Found] = []
    for size in chain(_CHUNKS, repeat(_CHUNKS[-1])):
        ids = await _ids(db, _first(listing(span), size))
        found += await newest(db, _among(statement, ids), None, most - len(found))
        if len(found) == most or len(ids) < size:
            break
        span = replace(span, end=ids[-1])
    return found


def _reaches(scope: CallerScope, key: str) -> ColumnElement[bool]:
    """Match the messages to a contact; a direct e-mail by any of its addresses."""
    # Two index scans; an OR of both would read every message of the tenant.
    first = select(col(Message.id)).where(
        col(Message.tenant_id) == scope.tenant_id, col(Message.contact_key) == key
    )
    further = select(col(MessageRecipient.message_id)).where(
        col(MessageRecipient.tenant_id) == scope.tenant_id,
        col(MessageRecipient.contact_key) == key,
    )
    return col(Message.id).in_(first.union_all(further))
