"""Statements that one index alone can answer, so that they read no more than their limit.

A condition `tenant_id = … AND type = … AND id < …` in the order of the ids can be read from any
index of the tenant, and the planner decides by statistics, which may be missing, old, or blind to
what occurs together. Here whole rows are compared, in the order of all columns of the index meant.
No other index has this order, and the session does not sort (decision 72).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Join,
    Select,
    SQLColumnExpression,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased, join
from sqlmodel import col

from models.tables.message import Message, MessageRecipient

_ONE: Final = literal_column("1", Integer)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdSpan:
    """Bounds of ids, both inclusive."""

    least: int
    last: int


Listing: TypeAlias = Callable[[IdSpan, int], Select[int | None]]
"""Selects the newest ids of the messages with one value, at most so many, the newest first."""


def list_value(columns: Sequence[Any], values: Sequence[object]) -> Listing:
    """Return the list of the messages with values, by an index of their columns and the id."""
    index = [col(column) for column in columns]

    def listing(span: IdSpan, most: int) -> Select[int | None]:
        return (
            select(index[-1])
            .where(*_between(index, (*values, span.least), (*values, span.last)))
            .order_by(*(column.desc() for column in index))
            # A literal, which the planner knows in every plan.
            .limit(literal_column(str(most), Integer))
        )

    return listing


def list_batch(tenant_id: int, batch_id: int) -> Listing:
    """Return the list of the messages of a batch.

    The planner does not see that the compared rows have a batch, so it is told: the index has no
    others.
    """
    listing = list_value((Message.tenant_id, Message.batch_id, Message.id), (tenant_id, batch_id))
    return lambda span, most: listing(span, most).where(col(Message.batch_id).is_not(None))


def list_recipient(tenant_id: int, contact_key: str) -> Listing:
    """Return the list of the messages to a contact; of direct e-mail by any of its addresses."""
    values = (tenant_id, contact_key)
    first = list_value((Message.tenant_id, Message.contact_key, Message.id), values)
    further = list_value(
        (MessageRecipient.tenant_id, MessageRecipient.contact_key, MessageRecipient.message_id),
        values,
    )

    def listing(span: IdSpan, most: int) -> Select[int | None]:
        both = first(span, most).union(further(span, most)).subquery()
        number = both.c[0]
        return select(number).order_by(number.desc()).limit(literal_column(str(most), Integer))

    return listing


def with_key(tenant_id: int, idempotency_key: str) -> Select[int | None]:
    """Select the ids of the messages with an Idempotency-Key, of any operation and scope."""
    key = [col(Message.tenant_id), col(Message.idempotency_key)]
    values = (tenant_id, idempotency_key)
    return (
        select(col(Message.id))
        .where(*_between(key, values, values))
        .order_by(*key, col(Message.operation), col(Message.scope))
    )


@cache
def picked_messages() -> tuple[type[Message], Join]:
    """Return messages, each read by its id, as an entity and its source.

    The parameters are `picked_tenant` and `picked_ids`. Conditions on the entity are checked on
    these rows only: the limit keeps them out of the subquery, where they could be read from an
    index of their own. Built once, because that takes SQLAlchemy milliseconds.
    """
    numbers = func.unnest(bindparam("picked_ids", type_=ARRAY(BigInteger)))
    picked = numbers.table_valued("id", name="picked").render_derived()
    index = [col(Message.tenant_id), col(Message.id)]
    wanted = (bindparam("picked_tenant", type_=BigInteger), picked.c.id)
    row = select(Message).where(*_between(index, wanted, wanted)).order_by(*index).limit(_ONE)
    listed = aliased(Message, row.lateral("listed"))
    return listed, join(picked, listed, true())


def is_recipient(message: type[Message], tenant_id: int, contact_key: str) -> ColumnElement[bool]:
    """Match the messages to a contact; direct e-mail by any of its addresses."""
    index = [
        col(MessageRecipient.tenant_id),
        col(MessageRecipient.contact_key),
        col(MessageRecipient.message_id),
    ]
    wanted = (tenant_id, contact_key, col(message.id))
    further = select(index[-1]).where(*_between(index, wanted, wanted)).order_by(*index)
    # No EXISTS, in which the limit would be ignored.
    found = further.limit(_ONE).scalar_subquery().is_not(None)
    return (col(message.contact_key) == contact_key) | found


def _between(
    columns: Sequence[Any], first: Sequence[object], last: Sequence[object]
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    least, most = (
        tuple_(*(_typed(value, column) for value, column in zip(values, columns, strict=True)))
        for values in (first, last)
    )
    return tuple_(*columns) >= least, tuple_(*columns) <= most


def _typed(value: object, column: Any) -> SQLColumnExpression[Any]:
    return value if isinstance(value, SQLColumnExpression) else literal(value, column.type)
