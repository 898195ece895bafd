"""Merchants of the authenticated tenant."""

from fastapi import Request, Response

from api.deps import Authenticated, Idempotent, MerchantActions, MerchantPath, Paged
from api.http import problems
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.merchants import (
    MerchantSettingsView,
    MerchantView,
    V1MerchantSettingsRequest,
    V1MerchantUpsertRequest,
)
from models.errors import Forbidden, MerchantNotFound

router = public_router("/merchants", tag="Merchants")


@router.post("", responses=problems.of(*problems.WRITE, Forbidden))
async def upsert_merchant(
    order: V1MerchantUpsertRequest,
    caller: Authenticated,
    key: Idempotent,
    merchants: MerchantActions,
    request: Request,
    response: Response,
) -> MerchantView:
    """Create or update a merchant.

    Optional fields that are absent keep their value on an update. Limits are a monthly allowance,
    included; credits are bought and do not expire.
    """
    return answer_with(await merchants.upsert(caller, order, key), request, response)


@router.get("")
async def list_merchants(
    caller: Authenticated, page: Paged, merchants: MerchantActions, response: Response
) -> list[MerchantView]:
    """List merchants with limits, credits, and current usage, the newest first."""
    return page.show(await merchants.list(caller, page), response)


@router.get("/{merchantId}", responses=problems.of(*problems.ANY, MerchantNotFound))
async def get_merchant(
    merchant_id: MerchantPath, caller: Authenticated, merchants: MerchantActions
) -> MerchantView:
    """Fetch one merchant by its external identifier."""
    return await merchants.get(caller, merchant_id)


@router.get("/{merchantId}/settings", responses=problems.of(*problems.ANY, MerchantNotFound))
async def get_merchant_settings(
    merchant_id: MerchantPath, caller: Authenticated, merchants: MerchantActions
) -> MerchantSettingsView:
    """Read a merchant's settings: marketing hours and the answer to HELP."""
    return await merchants.settings(caller, merchant_id)


@router.post(
    "/{merchantId}/settings",
    responses=problems.of(*problems.WRITE, Forbidden, MerchantNotFound),
)
async def change_merchant_settings(
    merchant_id: MerchantPath,
    order: V1MerchantSettingsRequest,
    caller: Authenticated,
    key: Idempotent,
    merchants: MerchantActions,
    request: Request,
    response: Response,
) -> MerchantSettingsView:
    """Change a merchant's settings: marketing hours and the answer to HELP.

    Absent fields stay as they are, null takes a setting back. Hours may narrow 08:00–21:00 in the
    recipient's local time and never widen it.
    """
    answer = await merchants.change_settings(caller, merchant_id, order, key)
    return answer_with(answer, request, response)
