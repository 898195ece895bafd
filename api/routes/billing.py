"""Buying credits, and every movement of units."""

from fastapi import Request, Response

from api.deps import Authenticated, BillingActions, Idempotent, Paged
from api.http import problems
from api.http.filters import OneMerchant, WantedMovements
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.billing import LedgerEntryView, MerchantUpgradeView, V1MerchantUpgradeRequest
from models.errors import MerchantInactive, MerchantNotFound, PriceMismatch, ReferenceReused

router = public_router("/billing", tag="Billing")


@router.post(
    "/upgrade",
    responses=problems.of(
        *problems.WRITE, MerchantInactive, MerchantNotFound, PriceMismatch, ReferenceReused
    ),
)
async def request_upgrade(
    order: V1MerchantUpgradeRequest,
    caller: Authenticated,
    key: Idempotent,
    billing: BillingActions,
    request: Request,
    response: Response,
) -> MerchantUpgradeView:
    """Request additional SMS, voice, or email units for a merchant.

    Answers PENDING at once; the money is taken and the credits are granted a moment later, each
    exactly once. A retry with the same Idempotency-Key, or the same referenceId, answers the same
    paymentId with its current status. Money that cannot become credits is refunded by itself.

    What `units` of a channel cost is fixed by the operator's price list: a new order whose
    `amountCents` and `currency` are not in it is 400 `PRICE_MISMATCH`, and `detail` tells the right
    amount. A retry is answered whatever the price list says by then. A tenant with custom prices
    may order at any price with its own keys; a merchant's key never may.
    """
    return answer_with(await billing.upgrade(caller, order, key), request, response)


@router.get("/upgrades", responses=problems.of(*problems.ANY, MerchantNotFound))
async def list_upgrades(
    caller: Authenticated,
    page: Paged,
    billing: BillingActions,
    response: Response,
    merchant_id: OneMerchant = None,
) -> list[MerchantUpgradeView]:
    """List upgrades with their current status, the newest first."""
    return page.show(await billing.list_upgrades(caller, merchant_id, page), response)


@router.get("/ledger", responses=problems.of(*problems.ANY, MerchantNotFound))
async def list_ledger(
    caller: Authenticated,
    wanted: WantedMovements,
    page: Paged,
    billing: BillingActions,
    response: Response,
) -> list[LedgerEntryView]:
    """List every movement of a merchant's units, the newest first.

    `merchantId` may be left out only with a merchant's own key. `balance` is that of the entry's
    channel: name one to read it as a running balance.
    """
    return page.show(await billing.list_ledger(caller, wanted, page), response)
