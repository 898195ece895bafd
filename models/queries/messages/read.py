"""Queries of the API for messages with their attempts, reports and prices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, Text, func, literal_column, select
from sqlalchemy.orm import aliased
from sqlmodel import col

from models.enums import (
    Channel,
    MessageStatus,
    MessageType,
    ReportStatus,
    UnpricedReason,
    UsageState,
)
from models.queries.tenants.visibility import CallerScope, visible_messages
from models.rules.messages.metadata import pair_hash
from models.rules.messages.operations import ANSWER_INBOUND
from models.rules.messages.reference import Reference
from models.session import ReadSession, WriteSession
from models.tables.message import (
    Attempt,
    Message,
    MessageMetadata,
    MessageRecipient,
    Receipt,
    call_label,
)
from models.tables.tenant import Tenant
from models.tables.usage import UsageCorrection, UsageRecord

_VOICE = literal_column(f"'{Channel.VOICE}'", String)
"""A literal, not a parameter, so that the planner can always use the partial indexes of calls."""

Found: TypeAlias = tuple[Message, str | None]
"""A message and its merchant's external id."""


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
class CallLabels:
    """Filter for the labels of calls; None means any."""

    tenant_id: str | None
    source_system: str | None
    use_case: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Current price of a message, in US dollars."""

    provider_cost: Decimal
    carrier_fee: Decimal
    markup: Decimal
    state: UsageState


async def find_message(
    db: ReadSession | WriteSession, scope: CallerScope, public_id: int
) -> Found | None:
    """Return a message in the caller's scope by its public id; None if there is none."""
    statement = visible_messages(scope).where(col(Message.public_id) == public_id)
    row = (await db.execute(statement)).one_or_none()
    return None if row is None else (row[0], row[1])


async def list_messages(
    db: ReadSession,
    scope: CallerScope,
    wanted: MessageCriteria,
    *,
    after: int | None,
    most: int,
) -> Sequence[Found]:
    """Return messages, the newest first; `after` is the last id of the previous page."""
    statement = _narrowed(visible_messages(scope), scope, wanted)
    for name, value in wanted.metadata.items():
        statement = _paired(statement, scope, pair_hash(scope.tenant_id, name, value), after)
    return await _newest(db, statement, after, most)


async def list_calls(
    db: ReadSession,
    scope: CallerScope,
    labels: CallLabels,
    *,
    after: int | None,
    most: int,
) -> Sequence[Found]:
    """Return calls with these labels, the newest first; `after` is the previous page's last id."""
    statement = visible_messages(scope).where(col(Message.channel) == _VOICE)
    wanted = {
        call_label("tenantId"): labels.tenant_id,
        call_label("sourceSystem"): labels.source_system,
        call_label("useCase"): labels.use_case,
    }
    for sql, label in wanted.items():
        if label is not None:
            statement = statement.where(literal_column(f"({sql})", Text) == label)
    return await _newest(db, statement, after, most)


async def list_attempts(
    db: ReadSession, tenant_id: int, message_ids: Sequence[int]
) -> Sequence[Attempt]:
    """Return the attempts of messages, ordered by number."""
    statement = (
        select(Attempt)
        .where(col(Attempt.tenant_id) == tenant_id, col(Attempt.message_id).in_(message_ids))
        .order_by(col(Attempt.number))
    )
    return (await db.scalars(statement)).all()


async def list_receipts(
    db: ReadSession, tenant_id: int, message_ids: Sequence[int]
) -> Sequence[Receipt]:
    """Return the reports about messages, in the order in which they were stored."""
    statement = (
        select(Receipt)
        .where(col(Receipt.tenant_id) == tenant_id, col(Receipt.message_id).in_(message_ids))
        .order_by(col(Receipt.id))
    )
    return (await db.scalars(statement)).all()


async def find_answered_attempt(db: ReadSession, tenant_id: int, message_id: int) -> Attempt | None:
    """Return the attempt in which a call was answered: the one with a DELIVERED report."""
    statement = (
        select(Attempt)
        .join(
            Receipt,
            (col(Receipt.tenant_id) == col(Attempt.tenant_id))
            & (col(Receipt.message_id) == col(Attempt.message_id))
            & (col(Receipt.attempt) == col(Attempt.number)),
        )
        .where(
            col(Attempt.tenant_id) == tenant_id,
            col(Attempt.message_id) == message_id,
            col(Receipt.status) == ReportStatus.DELIVERED,
        )
        .order_by(col(Receipt.id))
        .limit(1)
    )
    return (await db.scalars(statement)).one_or_none()


async def find_reference(db: ReadSession, message: Message, attempt: int) -> Reference:
    """Return the reference of a message's attempt at its provider."""
    tenant = await db.scalar(
        select(col(Tenant.public_id)).where(col(Tenant.id) == message.tenant_id)
    )
    assert tenant is not None
    return Reference(tenant=tenant, message=message.public_id, attempt=attempt)


async def find_prices(
    db: ReadSession, tenant_id: int, message_ids: Sequence[int]
) -> dict[int, Price]:
    """Return the prices of messages: usage records plus later corrections."""
    rows = await db.execute(
        select(
            col(UsageRecord.message_id),
            col(UsageRecord.state),
            _altogether(UsageRecord.cost, UsageCorrection.cost),
            _altogether(UsageRecord.carrier_fee, UsageCorrection.carrier_fee),
            _altogether(UsageRecord.markup, UsageCorrection.markup),
        )
        .outerjoin(
            UsageCorrection,
            (col(UsageCorrection.tenant_id) == col(UsageRecord.tenant_id))
            & (col(UsageCorrection.message_id) == col(UsageRecord.message_id)),
        )
        .where(
            col(UsageRecord.tenant_id) == tenant_id,
            col(UsageRecord.message_id).in_(message_ids),
            col(UsageRecord.priced_by).is_not(None),
            col(UsageRecord.gap).is_distinct_from(UnpricedReason.RATE_MISSING),
        )
        .group_by(col(UsageRecord.tenant_id), col(UsageRecord.message_id))
    )
    return {
        message_id: Price(provider_cost=cost, carrier_fee=carrier_fee, markup=markup, state=state)
        for message_id, state, cost, carrier_fee, markup in rows
    }


def _altogether(recorded: Decimal, posted: Decimal) -> ColumnElement[Decimal]:
    return col(recorded) + func.coalesce(func.sum(col(posted)), 0)


async def _newest(
    db: ReadSession, statement: Select[Message, str | None], after: int | None, most: int
) -> Sequence[Found]:
    statement = statement.order_by(col(Message.id).desc())
    if after is not None:
        statement = statement.where(col(Message.id) < after)
    return [(row[0], row[1]) for row in await db.execute(statement.limit(most))]


def _narrowed(
    statement: Select[Message, str | None], scope: CallerScope, wanted: MessageCriteria
) -> Select[Message, str | None]:
    if wanted.channel is not None:
        statement = statement.where(col(Message.channel) == wanted.channel)
    if wanted.status is not None:
        statement = statement.where(col(Message.status) == wanted.status)
    if wanted.contact_key is not None:
        statement = statement.where(col(Message.contact_key) == wanted.contact_key)
    if wanted.recipient_key is not None:
        statement = statement.where(_reaches(scope, wanted.recipient_key))
    if wanted.type is not None:
        statement = statement.where(col(Message.type) == wanted.type)
    if wanted.idempotency_key is not None:
        statement = statement.where(_keyed(scope, wanted.idempotency_key))
    if wanted.since is not None:
        statement = statement.where(col(Message.accepted_at) >= wanted.since)
    if wanted.before is not None:
        statement = statement.where(col(Message.accepted_at) < wanted.before)
    return statement


def _paired(
    statement: Select[Message, str | None], scope: CallerScope, pair: UUID, after: int | None
) -> Select[Message, str | None]:
    """Keep the messages with a pair of metadata.

    The index of pairs is in the order of the list, so a frequent pair is read only as far as the
    page needs, and a rare one as a whole. Its entries need the position of the page as well.
    """
    found = aliased(MessageMetadata)
    statement = statement.join(
        found,
        (col(found.tenant_id) == scope.tenant_id)
        & (col(found.pair) == pair)
        & (col(found.message_id) == col(Message.id)),
    )
    return statement if after is None else statement.where(col(found.message_id) < after)


def _keyed(scope: CallerScope, key: str) -> ColumnElement[bool]:
    """Match the messages whose request had a key, whatever its operation and scope.

    The ids are looked up first: if others use the key often, the planner would otherwise expect
    to meet it soon on the way through all messages.
    """
    ids = select(col(Message.id)).where(
        col(Message.tenant_id) == scope.tenant_id,
        col(Message.idempotency_key) == key,
        col(Message.operation) != ANSWER_INBOUND,
    )
    return col(Message.id) == func.any(func.array(ids.scalar_subquery()))


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
