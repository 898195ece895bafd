"""Queries of the API for a merchant's brand, campaigns and numbers at one registry."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Select, func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.queries.registration.registrations import assignment_of
from models.queries.tenants.visibility import (
    RegistryScope,
    visible_brands,
    visible_campaigns,
    visible_numbers,
)
from models.rules.registration.lifecycle import HELD
from models.rules.registration.missing import NumberWords
from models.rules.registration.vocabulary import (
    TAKEN,
    AssignmentState,
    NumberState,
    NumberType,
    RegistrationState,
)
from models.session import ReadSession, WriteSession
from models.tables import messaging
from models.tables.base import row_id
from models.tables.messaging import Brand, Campaign, MessagingNumber
from models.tables.tenant import SenderNumber


async def find_brand(
    db: AsyncSession, scope: RegistryScope, *, locked: bool = False
) -> Brand | None:
    """Return the brand; None if there is none."""
    statement = visible_brands(scope)
    if locked:
        statement = statement.with_for_update()
    return (await db.scalars(statement)).one_or_none()


async def write_registration(db: WriteSession, row: Brand | Campaign) -> None:
    """Write a new or changed brand or campaign."""
    db.add(row)
    await db.flush()


async def find_campaign(
    db: AsyncSession, scope: RegistryScope, public_id: int, *, locked: bool = False
) -> Campaign | None:
    """Return a campaign by its public id; None if there is none."""
    statement = visible_campaigns(scope).where(col(Campaign.public_id) == public_id)
    if locked:
        statement = statement.with_for_update()
    return (await db.scalars(statement)).one_or_none()


async def find_campaign_ids(
    db: AsyncSession, scope: RegistryScope, numbers: Sequence[MessagingNumber]
) -> dict[int, int]:
    """Return the public ids of the campaigns of numbers, by row id."""
    wanted = {number.campaign_id for number in numbers if number.campaign_id is not None}
    if not wanted:
        return {}
    named = visible_campaigns(scope).with_only_columns(col(Campaign.id), col(Campaign.public_id))
    rows = await db.execute(named.where(col(Campaign.id).in_(wanted)))
    return {row_id(id): public_id for id, public_id in rows}


async def has_campaign(db: AsyncSession, scope: RegistryScope) -> bool:
    """Return whether there is any campaign."""
    return (await db.scalars(visible_campaigns(scope).limit(1))).first() is not None


async def list_campaigns(
    db: ReadSession, scope: RegistryScope, *, after: int | None = None, most: int
) -> Sequence[Campaign]:
    """Return campaigns, the newest first; `after` is the last id of the previous page."""
    statement = visible_campaigns(scope)
    if after is not None:
        statement = statement.where(col(Campaign.id) < after)
    statement = statement.order_by(col(Campaign.id).desc()).limit(most)
    return (await db.scalars(statement)).all()


async def find_campaign_states(
    db: ReadSession, scope: RegistryScope
) -> Sequence[RegistrationState]:
    """Return the distinct states of the campaigns."""
    every = visible_campaigns(scope)
    states = await db.scalars(every.with_only_columns(col(Campaign.state)).distinct())
    return [RegistrationState(state) for state in states]


async def find_number(
    db: AsyncSession, scope: RegistryScope, public_id: int
) -> MessagingNumber | None:
    """Return a purchase of a number by its public id; None if there is none."""
    statement = visible_numbers(scope).where(col(MessagingNumber.public_id) == public_id)
    return (await db.scalars(statement)).one_or_none()


async def find_latest_purchase(
    db: AsyncSession, scope: RegistryScope, number: str, *, locked: bool
) -> MessagingNumber | None:
    """Return the latest purchase of a number in E.164 form; None if there is none."""
    statement = (
        visible_numbers(scope)
        .where(col(MessagingNumber.number) == number)
        .order_by(col(MessagingNumber.id).desc())
        .limit(1)
    )
    if locked:
        statement = statement.with_for_update()
    return (await db.scalars(statement)).one_or_none()


async def has_assigned_number(
    db: AsyncSession, scope: RegistryScope, campaign_id: int | None
) -> bool:
    """Return whether a campaign has a number, or is being assigned or losing one."""
    held = visible_numbers(scope).where(
        col(MessagingNumber.campaign_id) == campaign_id,
        col(MessagingNumber.assignment).in_(HELD),
    )
    return (await db.scalars(held.limit(1))).first() is not None


async def insert_number(
    db: WriteSession,
    scope: RegistryScope,
    *,
    number: str,
    type: NumberType,
    sweep_at: datetime,
    now: datetime,
) -> MessagingNumber | None:
    """Insert the purchase of a number; None if the number is already bought or being bought."""
    return await db.scalar(
        insert(MessagingNumber)
        .values(
            tenant_id=scope.tenant_id,
            merchant_id=scope.merchant_id,
            provider=scope.provider,
            account=scope.account,
            submission=1,
            vendor_state={},
            reasons=[],
            number=number,
            type=type,
            state=NumberState.REQUESTED,
            sweep_at=sweep_at,
            created_at=now,
            updated_at=now,
        )
        .on_conflict_do_nothing(
            index_elements=["tenant_id", "number"], index_where=messaging.NUMBER_IS_TAKEN
        )
        .returning(MessagingNumber)
    )


async def list_numbers(
    db: ReadSession, scope: RegistryScope, *, after: int | None, most: int
) -> Sequence[MessagingNumber]:
    """Return purchases of numbers, the newest first; `after` is the previous page's last id."""
    statement = visible_numbers(scope)
    if after is not None:
        statement = statement.where(col(MessagingNumber.id) < after)
    return await _newest(db, statement, most)


async def list_taken_numbers(
    db: ReadSession, scope: RegistryScope, *, most: int
) -> Sequence[MessagingNumber]:
    """Return the numbers that the merchant has or is buying, the newest first."""
    return await _newest(db, _taken(scope), most)


async def find_number_states(db: ReadSession, scope: RegistryScope) -> Sequence[NumberWords]:
    """Return the distinct kinds of numbers that the merchant has or is buying."""
    words = (
        _taken(scope)
        .with_only_columns(
            col(MessagingNumber.type), col(MessagingNumber.state), col(MessagingNumber.assignment)
        )
        .distinct()
    )
    return [
        NumberWords(
            type=NumberType(row.type),
            state=NumberState(row.state),
            assignment=assignment_of(row.assignment),
        )
        for row in await db.execute(words)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignedLimits:
    """Count of the assigned numbers, count of those with a limit, and the sum of the limits."""

    numbers: int
    limited: int
    segments_per_second: Decimal | None


async def sum_assigned_limits(db: ReadSession, scope: RegistryScope) -> AssignedLimits:
    """Sum the limits of the assigned numbers; each has its share of its campaign's limit."""
    assigned = visible_numbers(scope).where(
        col(MessagingNumber.state) == NumberState.ACTIVE,
        col(MessagingNumber.assignment) == AssignmentState.ASSIGNED,
    )
    limit = col(SenderNumber.segments_per_second)
    row = (
        await db.execute(
            assigned.outerjoin(
                SenderNumber,
                (col(SenderNumber.tenant_id) == col(MessagingNumber.tenant_id))
                & (col(SenderNumber.number) == col(MessagingNumber.number)),
            ).with_only_columns(
                func.count().label("numbers"),
                func.count(limit).label("limited"),
                func.sum(limit).label("total"),
            )
        )
    ).one()
    return AssignedLimits(numbers=row.numbers, limited=row.limited, segments_per_second=row.total)


def _taken(scope: RegistryScope) -> Select[MessagingNumber]:
    return visible_numbers(scope).where(col(MessagingNumber.state).in_(TAKEN))


async def _newest(
    db: ReadSession, statement: Select[MessagingNumber], most: int
) -> Sequence[MessagingNumber]:
    statement = statement.order_by(col(MessagingNumber.id).desc()).limit(most)
    return (await db.scalars(statement)).all()
