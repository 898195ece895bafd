"""Queries of the API for messages with their attempts, reports and prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from sqlalchemy import ColumnElement, Select, String, Text, func, literal_column, select
from sqlmodel import col

from models.enums import Channel, ReportStatus, UnpricedReason, UsageState
from models.queries.tenants.visibility import CallerScope, visible_messages
from models.rules.messages.reference import Reference
from models.session import ReadSession, WriteSession
from models.tables.message import Attempt, Message, Receipt, call_label
from models.tables.tenant import Tenant
from models.tables.usage import UsageCorrection, UsageRecord

_VOICE = literal_column(f"'{Channel.VOICE}'", String)
"""A literal, not a parameter, so that the planner can always use the partial indexes of calls."""

Found: TypeAlias = tuple[Message, str | None]
"""A message and its merchant's external id."""


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
    return await newest(db, statement, after, most)


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


async def newest(
    db: ReadSession, statement: Select[Message, str | None], after: int | None, most: int
) -> Sequence[Found]:
    """Return the newest of selected messages; `after` is the last id of the previous page."""
    statement = statement.order_by(col(Message.id).desc())
    if after is not None:
        statement = statement.where(col(Message.id) < after)
    return [(row[0], row[1]) for row in await db.execute(statement.limit(most))]
