"""One compliance view: what is registered, what is missing, whether the merchant may send."""

from collections.abc import Sequence

from sqlalchemy import func
from sqlmodel import col

from api.http.auth import Caller
from api.schemas.messaging_numbers import MessagingThroughput, V1MerchantMessagingStatusView
from api.services.readable import readable_campaigns, readable_numbers
from api.services.registration.brands import brand_view, find_brand
from api.services.registration.campaigns import campaign_view
from api.services.registration.numbers import number_view
from api.services.registration.scope import Scope, find_scope
from models.queries.registration.registrations import assignment_of
from models.rules.registration.missing import NumberWords, may_send, missing
from models.rules.registration.vocabulary import (
    TAKEN,
    AssignmentState,
    NumberState,
    NumberType,
    RegistrationState,
)
from models.session import Database, ReadSession
from models.tables.messaging import Campaign, MessagingNumber
from models.tables.tenant import SenderNumber
from providers.registries import Registries

_MOST = 100


class MessagingStatus:
    """The look at a merchant's registrations as a whole."""

    def __init__(self, database: Database, registries: Registries) -> None:
        self._database = database
        self._registries = registries

    async def get(self, caller: Caller, merchant_id: str) -> V1MerchantMessagingStatusView:
        """Return the compliance view of a merchant."""
        async with self._database.read() as db:
            scope = await find_scope(db, self._registries, caller, merchant_id)
            brand = await find_brand(db, scope)
            campaigns = (
                await db.scalars(
                    readable_campaigns(caller, scope.merchant, scope.provider)
                    .order_by(col(Campaign.id).desc())
                    .limit(_MOST)
                )
            ).all()
            numbers = (
                await db.scalars(
                    readable_numbers(caller, scope.merchant, scope.provider)
                    .where(col(MessagingNumber.state).in_(TAKEN))
                    .order_by(col(MessagingNumber.id).desc())
                    .limit(_MOST)
                )
            ).all()
            words = (
                None if brand is None else RegistrationState(brand.state),
                await _states_of_campaigns(db, scope),
                await _states_of_numbers(db, scope),
            )
            throughput = await _throughput(db, scope)
        return V1MerchantMessagingStatusView(
            merchant_id=scope.merchant.external_id,
            a2p_allowed=may_send(*words),
            missing=list(missing(*words)),
            brand=None if brand is None else brand_view(brand, scope),
            campaigns=[campaign_view(campaign, scope) for campaign in campaigns],
            numbers=[number_view(number, scope) for number in numbers],
            throughput=throughput,
        )


# What is decided looks at all rows, however many; what is shown are the newest.
async def _states_of_campaigns(db: ReadSession, scope: Scope) -> Sequence[RegistrationState]:
    """Return each state that a campaign of the merchant has."""
    every = readable_campaigns(scope.caller, scope.merchant, scope.provider)
    states = await db.scalars(every.with_only_columns(col(Campaign.state)).distinct())
    return [RegistrationState(state) for state in states]


async def _states_of_numbers(db: ReadSession, scope: Scope) -> Sequence[NumberWords]:
    """Return each kind of number that the merchant has, or is buying."""
    every = readable_numbers(scope.caller, scope.merchant, scope.provider)
    words = (
        every.where(col(MessagingNumber.state).in_(TAKEN))
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


async def _throughput(db: ReadSession, scope: Scope) -> MessagingThroughput:
    """Add up the limits in force of the assigned numbers: a campaign's are its share each."""
    assigned = readable_numbers(scope.caller, scope.merchant, scope.provider).where(
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
    known = row.total is not None and row.limited == row.numbers
    return MessagingThroughput(
        numbers=row.numbers, segments_per_second=f"{row.total.normalize():f}" if known else None
    )
