"""The 10DLC status of a merchant: registrations, missing steps, permission to send."""

from api.schemas.messaging_numbers import MessagingThroughput, V1MerchantMessagingStatusView
from api.services.registration.brands import brand_view
from api.services.registration.campaigns import campaign_view
from api.services.registration.numbers import number_view
from api.services.registration.scope import find_scope
from models.queries.registration.merchant_registrations import (
    AssignedLimits,
    find_brand,
    find_campaign_ids,
    find_campaign_states,
    find_number_states,
    list_campaigns,
    list_taken_numbers,
    sum_assigned_limits,
)
from models.queries.tenants.visibility import CallerScope
from models.rules.registration.missing import may_send, missing
from models.rules.registration.vocabulary import RegistrationState
from models.session import Database
from providers.registries import Registries

_MOST = 100


class MessagingStatus:
    """Reads the registrations of a merchant as a whole."""

    def __init__(self, database: Database, registries: Registries) -> None:
        self._database = database
        self._registries = registries

    async def get(self, caller: CallerScope, merchant_id: str) -> V1MerchantMessagingStatusView:
        """Return the status of a merchant."""
        async with self._database.read() as db:
            scope = await find_scope(db, self._registries, caller, merchant_id)
            campaigns = await list_campaigns(db, scope.rows, most=_MOST)
            brand = await find_brand(db, scope.rows)
            numbers = await list_taken_numbers(db, scope.rows, most=_MOST)
            campaign_ids = await find_campaign_ids(db, scope.rows, numbers)
            # The decision uses all rows; the view shows the newest only.
            words = (
                None if brand is None else RegistrationState(brand.state),
                await find_campaign_states(db, scope.rows),
                await find_number_states(db, scope.rows),
            )
            limits = await sum_assigned_limits(db, scope.rows)
        return V1MerchantMessagingStatusView(
            merchant_id=scope.merchant.external_id,
            a2p_allowed=may_send(*words),
            missing=list(missing(*words)),
            brand=None if brand is None else brand_view(brand, scope),
            campaigns=[campaign_view(campaign, brand, scope) for campaign in campaigns],
            numbers=[number_view(number, campaign_ids, scope) for number in numbers],
            throughput=_throughput(limits),
        )


def _throughput(limits: AssignedLimits) -> MessagingThroughput:
    """Return the combined throughput; null if one of the numbers has no limit."""
    rate = limits.segments_per_second
    if rate is None or limits.limited != limits.numbers:
        return MessagingThroughput(numbers=limits.numbers, segments_per_second=None)
    return MessagingThroughput(numbers=limits.numbers, segments_per_second=f"{rate.normalize():f}")
