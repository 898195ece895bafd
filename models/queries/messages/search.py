"""Lists messages by filters, reading little whether their values are frequent or rare."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, repeat
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, text
from sqlmodel import col

from models.enums import Channel, MessageStatus, MessageType
from models.queries.messages.index_lists import (
    IdSpan,
    Listing,
    is_recipient,
    list_batch,
    list_recipient,
    list_value,
    picked_messages,
    with_key,
)
from models.queries.messages.read import Found, newest
from models.queries.tenants.visibility import CallerScope, visible_messages
from models.rules.messages.metadata import pair_hash
from models.rules.messages.operations import ANSWER_INBOUND
from models.session import IndexOrderSession
from models.tables.base import row_id
from models.tables.message import Message, MessageMetadata

RARE: Final = 200
"""Messages with a value; the list of a value with at most so many is read as a whole."""

_CHUNKS: Final = (1000, 5000)
"""Ids per statement of a walk through a longer list; the last size repeats."""

MOST_EXAMINED: Final = 100_000
"""Messages that one search examines, in about 50 statements; the next page goes on from there."""

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
    batch_id: int | None
    """Row id."""
    metadata: Mapping[str, str]
    since: datetime | None
    before: datetime | None


_ANY: Final = MessageCriteria(
    channel=None,
    status=None,
    contact_key=None,
    recipient_key=None,
    type=None,
    idempotency_key=None,
    batch_id=None,
    metadata={},
    since=None,
    before=None,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundMessages:
    """Messages, the newest first.

    `examined` is the public id of the last message that was examined if the search ended there,
    before the end of the list; the caller may read this message, whether it matches or not.
    """

    rows: Sequence[Found]
    examined: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _List:
    """The list of one value, with its newest ids, at most one more than RARE."""

    statement: Listing
    ids: Sequence[int]


async def list_messages(
    db: IndexOrderSession,
    scope: CallerScope,
    wanted: MessageCriteria,
    *,
    after: int | None,
    most: int,
    most_examined: int = MOST_EXAMINED,
) -> FoundMessages:
    """Return messages; `after` is the id of the last message of the previous page.

    With the planner's choice of an index the list would read most of a tenant: a plan for any value
    takes each filter for equally rare, and no statistics tell which values occur together, or only
    in old messages. Therefore the rarest value is found first, and its list is read (decision 72).

    Values that hardly ever occur together would let it read all of that list. After about
    `most_examined` messages, but at least RARE, the search ends with what was found.
    """
    if not _conditions(Message, scope, wanted):
        return FoundMessages(rows=await newest(db, visible_messages(scope), after, most))
    span = await _span(db, scope, wanted, _END if after is None else after - 1)
    if wanted.idempotency_key is not None:
        ids = await _ids(db, _keyed(scope, wanted.idempotency_key, span))
        return FoundMessages(rows=await _matching(db, scope, wanted, ids, most))
    rarest = await _find_rarest(db, scope, wanted, span)
    found = [*await _matching(db, scope, wanted, rarest.ids, most)]
    ids, size = rarest.ids, RARE + 1
    left = most_examined - size
    for following in chain(_CHUNKS, repeat(_CHUNKS[-1])):
        if len(found) == most or len(ids) < size:
            break
        span = replace(span, last=ids[-1] - 1)
        if left <= 0:
            return await _pause(db, scope, wanted, span, found)
        size = min(following, left)
        left -= size
        ids = await _ids(db, rarest.statement(span, size))
        found += await _matching(db, scope, wanted, ids, most - len(found))
    return FoundMessages(rows=found)


async def _pause(
    db: IndexOrderSession,
    scope: CallerScope,
    wanted: MessageCriteria,
    span: IdSpan,
    found: Sequence[Found],
) -> FoundMessages:
    """End a search: examine the next older message that the caller may read, as the last one.

    The last one of the list that was read may be another merchant's.
    """
    ids = await _ids(db, _listings(scope, _ANY)[0](span, 1))
    if not ids:
        return FoundMessages(rows=found)
    ((last, _),) = await _matching(db, scope, _ANY, ids, 1)
    matching = await _matching(db, scope, wanted, ids, 1)
    return FoundMessages(rows=[*found, *matching], examined=last.public_id)


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
             ORDER BY accepted_at LIMIT 1) AS last
    """
)


async def _span(
    db: IndexOrderSession, scope: CallerScope, wanted: MessageCriteria, last: int
) -> IdSpan:
    """Return the bounds of the ids that can match the time of acceptance, up to an id."""
    if wanted.since is None and wanted.before is None:
        return IdSpan(least=0, last=last)
    values = {"tenant_id": scope.tenant_id, "since": wanted.since, "before": wanted.before}
    row = (await db.execute(SPAN, values)).one()
    return IdSpan(least=row.least or 0, last=min(last, row.last or last))


def _keyed(scope: CallerScope, key: str, span: IdSpan) -> Select[int | None]:
    """Select the ids of the messages whose request had a key, whatever its operation and scope."""
    return with_key(scope.tenant_id, key).where(
        # Its key is an event of a provider.
        col(Message.operation) != ANSWER_INBOUND,
        col(Message.id) <= span.last,
    )


async def _matching(
    db: IndexOrderSession,
    scope: CallerScope,
    wanted: MessageCriteria,
    ids: Sequence[int],
    most: int,
) -> Sequence[Found]:
    """Return the newest of some messages that match all filters."""
    message, source = picked_messages()
    statement = visible_messages(scope, message, source).where(*_conditions(message, scope, wanted))
    statement = statement.order_by(col(message.id).desc()).limit(most)
    values = {"picked_tenant": scope.tenant_id, "picked_ids": ids}
    return [(row[0], row[1]) for row in await db.execute(statement, values)]


def _conditions(
    message: type[Message], scope: CallerScope, wanted: MessageCriteria
) -> list[ColumnElement[bool]]:
    conditions = [col(column) == value for column, value in _equal(message, scope, wanted)]
    if wanted.batch_id is not None:
        conditions.append(col(message.batch_id) == wanted.batch_id)
    if wanted.metadata:
        conditions.append(col(message.attributes).contains(dict(wanted.metadata)))
    if wanted.idempotency_key is not None:
        conditions.append(col(message.idempotency_key) == wanted.idempotency_key)
    if wanted.recipient_key is not None:
        conditions.append(is_recipient(message, scope.tenant_id, wanted.recipient_key))
    if wanted.since is not None:
        conditions.append(col(message.accepted_at) >= wanted.since)
    if wanted.before is not None:
        conditions.append(col(message.accepted_at) < wanted.before)
    return conditions


def _equal(
    message: type[Message], scope: CallerScope, wanted: MessageCriteria
) -> list[tuple[Any, object]]:
    """Return the columns that have an index in the order of the list, with their wanted values."""
    values = (
        (message.type, wanted.type),
        (message.contact_key, wanted.contact_key),
        (message.status, wanted.status),
        (message.merchant_id, scope.merchant_id),
        (message.channel, wanted.channel),
    )
    return [(column, value) for column, value in values if value is not None]


async def _find_rarest(
    db: IndexOrderSession, scope: CallerScope, wanted: MessageCriteria, span: IdSpan
) -> _List:
    """Return the list of the rarest value.

    If all are frequent: the one whose messages are the oldest, or the furthest apart.
    """
    lists = []
    if wanted.metadata:
        lists.append(await _find_pair(db, scope, wanted.metadata, span))
    for listing in _listings(scope, wanted):
        if lists and len(lists[-1].ids) <= RARE:
            break
        lists.append(_List(statement=listing, ids=await _ids(db, listing(span, RARE + 1))))
    return min(lists, key=lambda one: (len(one.ids), one.ids[:1], one.ids[-1:]))


def _listings(scope: CallerScope, wanted: MessageCriteria) -> list[Listing]:
    """Return the lists of the values but metadata; without any, that of the tenant."""
    tenant_id, number = Message.tenant_id, Message.id
    listings = [
        list_value((tenant_id, column, number), (scope.tenant_id, value))
        for column, value in _equal(Message, scope, wanted)
    ]
    if wanted.batch_id is not None:
        listings.append(list_batch(scope.tenant_id, wanted.batch_id))
    if wanted.recipient_key is not None:
        listings.append(list_recipient(scope.tenant_id, wanted.recipient_key))
    if not listings and not wanted.metadata:
        listings.append(list_value((tenant_id, number), (scope.tenant_id,)))
    return listings


async def _ids(db: IndexOrderSession, statement: Select[int | None]) -> Sequence[int]:
    return [row_id(number) for number in await db.scalars(statement)]


# Whole rows are compared for the reason given in `index_lists`.
RAREST: Final = text(
    f"""
    WITH listed AS MATERIALIZED (
        SELECT pair, ARRAY(
                   SELECT message_id FROM message_metadata m
                    WHERE (m.tenant_id, m.pair, m.message_id) >= (:tenant_id, p.pair, :least)
                      AND (m.tenant_id, m.pair, m.message_id) <= (:tenant_id, p.pair, :last)
                    ORDER BY m.tenant_id DESC, m.pair DESC, m.message_id DESC
                    LIMIT {RARE + 1}) AS ids
          FROM unnest(CAST(:pairs AS uuid[])) AS p (pair))
    SELECT pair, ids FROM listed
     ORDER BY cardinality(ids), ids[1], ids[cardinality(ids)] LIMIT 1
    """  # noqa: S608 - every value is a parameter
)


async def _find_pair(
    db: IndexOrderSession, scope: CallerScope, metadata: Mapping[str, str], span: IdSpan
) -> _List:
    """Return the list of the rarest pair."""
    pairs = [pair_hash(scope.tenant_id, *pair) for pair in metadata.items()]
    values = {"tenant_id": scope.tenant_id, "pairs": pairs, "least": span.least, "last": span.last}
    row = (await db.execute(RAREST, values)).one()
    index = (MessageMetadata.tenant_id, MessageMetadata.pair, MessageMetadata.message_id)
    return _List(statement=list_value(index, (scope.tenant_id, row.pair)), ids=row.ids)
