"""Routes of upgrades and the ledger."""

from typing import Annotated

from fastapi import Path, Request, Response

from api.deps import Authenticated, BillingActions, Idempotent, Paged
from api.http import problems
from api.http.filters import OneMerchant, WantedMovements
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.billing import (
    LedgerEntryView,
    MerchantUpgradeView,
    UpgradeDetailView,
    V1MerchantUpgradeRequest,
)
from models.errors import (
    MerchantInactive,
    MerchantNotFound,
    PaymentNotFound,
    PriceMismatch,
    ReferenceReused,
)

router = public_router("/billing", tag="Billing")


@router.post(
    "/upgrade",
    summary="Buy credits",
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
    """Buy SMS, voice or e-mail units for a merchant.

    The response has `paymentStatus` PENDING. The payment and the credits follow asynchronously,
    each exactly once. The request is idempotent by Idempotency-Key and by `referenceId`: a retry
    returns the same `paymentId` with its current status. If a payment was taken and no credits can
    be granted, it is refunded automatically.

    `amountCents` and `currency` must match the operator's price list for `units`. Otherwise the
    request is refused with 400 `PRICE_MISMATCH`, and `detail` states the correct amount. Retries of
    an accepted request do not check the price again. A tenant with custom prices may use any amount
    with a tenant key, but not with a merchant-scoped key.
    """
    return answer_with(await billing.upgrade(caller, order, key), request, response)


@router.get(
    "/upgrades", summary="List upgrades", responses=problems.of(*problems.ANY, MerchantNotFound)
)
async def list_upgrades(
    caller: Authenticated,
    page: Paged,
    billing: BillingActions,
    response: Response,
    merchant_id: OneMerchant = None,
) -> list[MerchantUpgradeView]:
    """List the upgrades of one or all merchants with their current status, newest first."""
    return page.show(await billing.list_upgrades(caller, merchant_id, page), response)


@router.get(
    "/upgrades/{paymentId}",
    summary="Retrieve an upgrade",
    responses=problems.of(*problems.ANY, PaymentNotFound),
)
async def get_upgrade(
    caller: Authenticated,
    billing: BillingActions,
    payment_id: Annotated[
        str,
        Path(
            alias="paymentId",
            description="The upgrade, by the `paymentId` that `POST /billing/upgrade` returned.",
            examples=["pay_2385672620646126"],
        ),
    ],
) -> UpgradeDetailView:
    """Show an upgrade with what became of its payment: failure, refunds and disputes.

    If the payer disputes the payment, or it is refunded at the payment gateway, after the credits
    were granted, the merchant keeps the credits and the alert PAYMENT_DISPUTED is raised. Before
    that, no credits are granted and the payment is refunded.
    """
    return await billing.get_upgrade(caller, payment_id)


@router.get(
    "/ledger", summary="List ledger entries", responses=problems.of(*problems.ANY, MerchantNotFound)
)
async def list_ledger(
    caller: Authenticated,
    wanted: WantedMovements,
    page: Paged,
    billing: BillingActions,
    response: Response,
) -> list[LedgerEntryView]:
    """List the movements of a merchant's units, newest first.

    `merchantId` is required unless the key is merchant-scoped. `balance` refers to the channel of
    the entry; filter by `channel` to read it as a running balance.
    """
    return page.show(await billing.list_ledger(caller, wanted, page), response)
