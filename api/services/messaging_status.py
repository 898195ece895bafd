"""One compliance view: what is registered, what is missing, whether the merchant may send."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from sqlalchemy import select
from sqlmodel import col

from api.auth import Caller
from api.schemas.messaging_numbers import MessagingThroughput, V1MerchantMessagingStatusView
from api.services.brands import brand_view, find_brand
from api.services.campaigns import campaign_view
from api.services.messaging_numbers import number_view
from api.services.messaging_scope import find_scope
from api.services.readable import readable_campaigns, readable_numbers
from models.queries.registration import assignment_of
from models.rules.registration_missing import NumberWords, may_send, missing
from models.rules.registration_words import (
    OWNED,
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
            limits = await _limits(db, caller, numbers)
        words = (
            None if brand is None else RegistrationState(brand.state),
            [RegistrationState(campaign.state) for campaign in campaigns],
            [_words(number) for number in numbers],
        )
        return V1MerchantMessagingStatusView(
            merchant_id=scope.merchant.external_id,
            a2p_allowed=may_send(*words),
            missing=list(missing(*words)),
            brand=None if brand is None else brand_view(brand, scope),
            campaigns=[campaign_view(campaign, scope) for campaign in campaigns],
            numbers=[number_view(number, scope) for number in numbers],
            throughput=_throughput(numbers, campaigns, limits),
        )


async def _limits(
    db: ReadSession, caller: Caller, numbers: Sequence[MessagingNumber]
) -> Mapping[str, Decimal | None]:
    """Return the limits that are in force for numbers, by number."""
    owned = [number.number for number in numbers if number.state in OWNED]
    rows = await db.execute(
        select(col(SenderNumber.number), col(SenderNumber.segments_per_second)).where(
            col(SenderNumber.tenant_id) == caller.tenant_id, col(SenderNumber.number).in_(owned)
        )
    )
    return {row.number: row.segments_per_second for row in rows}


def _words(number: MessagingNumber) -> NumberWords:
    return NumberWords(
        type=NumberType(number.type),
        state=NumberState(number.state),
        assignment=assignment_of(number.assignment),
    )


def _throughput(
    numbers: Sequence[MessagingNumber],
    campaigns: Sequence[Campaign],
    limits: Mapping[str, Decimal | None],
) -> MessagingThroughput:
    """Add up what the assigned numbers may send: each its own limit, else its campaign's."""
    told = {campaign.id: campaign.segments_per_second for campaign in campaigns}
    rates = [
        limits.get(number.number) or told.get(number.campaign_id)
        for number in numbers
        if number.state == NumberState.ACTIVE and number.assignment == AssignmentState.ASSIGNED
    ]
    known = [rate for rate in rates if rate is not None]
    total = (
        f"{sum(known, Decimal(0)).normalize():f}" if known and len(known) == len(rates) else None
    )
    return MessagingThroughput(numbers=len(rates), segments_per_second=total)
