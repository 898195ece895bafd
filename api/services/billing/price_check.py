"""Refuses an upgrade whose price is not in the price list."""

from api.http.auth import Caller
from api.schemas.billing import V1MerchantUpgradeRequest
from models.errors import PriceMismatch
from models.queries.billing import prices
from models.rules.billing.prices import Offer, refusal
from models.session import WriteSession


async def check_price(db: WriteSession, caller: Caller, request: V1MerchantUpgradeRequest) -> None:
    """Raise unless the requested price is in the price list.

    A tenant with custom prices sets its own, but only with a tenant key: a merchant-scoped key
    belongs to the buyer.

    Raises:
        PriceMismatch: no line of the price list in force matches.
    """
    if caller.merchant_id is None and await prices.has_custom_prices(db, caller.tenant_id):
        return
    wanted = Offer(
        units=request.units, amount_cents=request.amount_cents, currency=request.currency
    )
    offers = await prices.find_offers(
        db, tenant_id=caller.tenant_id, channel=request.channel, units=request.units
    )
    near: list[Offer] = []
    if not offers:
        near = await prices.find_near_offers(
            db, tenant_id=caller.tenant_id, channel=request.channel, units=request.units
        )
    refused = refusal(request.channel, wanted, offers, near)
    if refused is not None:
        raise PriceMismatch(refused.detail, refused.errors)
