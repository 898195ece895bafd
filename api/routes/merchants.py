"""Routes of merchants and their settings."""

from fastapi import Request, Response

from api.deps import (
    Authenticated,
    Idempotent,
    MerchantActions,
    MerchantPath,
    Paged,
    ReportReads,
)
from api.http import problems
from api.http.bodies.exact_json import ExactJson
from api.http.filters import WantedDays
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.merchants import (
    MerchantSettingsView,
    MerchantView,
    V1MerchantSettingsRequest,
    V1MerchantUpsertRequest,
)
from api.schemas.reports import UsageDayView
from models.errors import Forbidden, InvalidDateRange, MerchantNotFound

router = public_router("/merchants", tag="Merchants")


@router.post(
    "", summary="Create or update a merchant", responses=problems.of(*problems.WRITE, Forbidden)
)
async def upsert_merchant(
    order: V1MerchantUpsertRequest,
    caller: Authenticated,
    key: Idempotent,
    merchants: MerchantActions,
    request: Request,
    response: Response,
) -> MerchantView:
    """Create a merchant, or update the one with this `merchantId`.

    On update, absent optional fields are unchanged. Limits are a monthly allowance. Messages use
    the allowance first, then credits. Lowering a limit does not affect units already used. A
    merchant-scoped key gets 403 `FORBIDDEN`.
    """
    return answer_with(await merchants.upsert(caller, order, key), request, response)


@router.get("", summary="List merchants")
async def list_merchants(
    caller: Authenticated, page: Paged, merchants: MerchantActions, response: Response
) -> list[MerchantView]:
    """List merchants with limits, credits and current usage, newest first."""
    return page.show(await merchants.list(caller, page), response)


@router.get(
    "/{merchantId}",
    summary="Retrieve a merchant",
    responses=problems.of(*problems.ANY, MerchantNotFound),
)
async def get_merchant(
    merchant_id: MerchantPath, caller: Authenticated, merchants: MerchantActions
) -> MerchantView:
    """Retrieve a merchant by your identifier, with limits, credits and current usage."""
    return await merchants.get(caller, merchant_id)


@router.get(
    "/{merchantId}/settings",
    summary="Retrieve the settings of a merchant",
    responses=problems.of(*problems.ANY, MerchantNotFound),
)
async def get_merchant_settings(
    merchant_id: MerchantPath, caller: Authenticated, merchants: MerchantActions
) -> MerchantSettingsView:
    """Retrieve a merchant's hours for MARKETING by SMS and its answer to HELP."""
    return await merchants.settings(caller, merchant_id)


@router.post(
    "/{merchantId}/settings",
    summary="Update the settings of a merchant",
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
    """Update a merchant's hours for MARKETING by SMS and its answer to HELP.

    Absent fields are unchanged; null resets a setting to its default. The hours can narrow
    08:00–21:00 in the recipient's local time, but not extend it. A merchant-scoped key gets 403
    `FORBIDDEN`.
    """
    answer = await merchants.change_settings(caller, merchant_id, order, key)
    return answer_with(answer, request, response)


@router.get(
    "/{merchantId}/usage/daily",
    summary="Retrieve the daily usage of a merchant",
    response_model=list[UsageDayView],
    responses=problems.of(*problems.ANY, InvalidDateRange, MerchantNotFound),
)
async def read_daily_usage(
    merchant_id: MerchantPath, caller: Authenticated, wanted: WantedDays, reports: ReportReads
) -> Response:
    """Retrieve a merchant's usage per UTC day and channel, the oldest first, for plots.

    A day and channel without usage is left out. A late correction is posted to the day on which it
    becomes known, so on a single day `delivered` may exceed `messages`. The sums equal the figures
    of `GET /reports/usage` for the merchant and the range. There are no pages.
    """
    return ExactJson(await reports.daily(caller, merchant_id, wanted))
