"""Routes of 10DLC registration: brand, campaigns, numbers, assignment and status."""

from typing import Annotated

from fastapi import Path, Query, Request, Response

from api.deps import (
    Authenticated,
    BrandActions,
    CampaignActions,
    Idempotent,
    LimitParam,
    MerchantPath,
    NumberActions,
    Paged,
    StatusReads,
)
from api.http import problems
from api.http.idempotency import answer_with
from api.http.pagination import DEFAULT_LIMIT
from api.http.public import public_router
from api.schemas.messaging_brands import (
    V1MerchantMessagingBrandRequest,
    V1MerchantMessagingBrandView,
)
from api.schemas.messaging_campaigns import (
    V1MerchantMessagingCampaignRequest,
    V1MerchantMessagingCampaignView,
)
from api.schemas.messaging_numbers import (
    AvailableNumberView,
    V1MerchantMessagingAssignmentRequest,
    V1MerchantMessagingAssignmentView,
    V1MerchantMessagingNumberRequest,
    V1MerchantMessagingNumberView,
    V1MerchantMessagingStatusView,
)
from api.schemas.patterns import AREA_CODE
from models.errors import IdempotencyKeyReused, MerchantNotFound
from models.registration_errors import (
    AssignmentPending,
    BrandNotApproved,
    BrandNotEditable,
    BrandNotFound,
    CampaignNotApproved,
    CampaignNotEditable,
    CampaignNotFound,
    NumberAlreadyAssigned,
    NumberNotActive,
    NumberNotAssignable,
    NumberNotFound,
    NumberTaken,
    SoleProprietorLimit,
)
from models.rules.registration.vocabulary import NumberType

router = public_router("/merchants/{merchantId}/messaging", tag="Messaging")

NumberPath = Annotated[
    str,
    Path(
        alias="number",
        description="Number of the merchant in E.164 format.",
        examples=["+18135550100"],
    ),
]
_READ = (*problems.ANY, MerchantNotFound)
_WRITE = (*problems.WRITE, MerchantNotFound)
_ASSIGN = (
    *_WRITE,
    NumberNotFound,
    CampaignNotFound,
    NumberNotActive,
    NumberNotAssignable,
    NumberAlreadyAssigned,
    CampaignNotApproved,
    SoleProprietorLimit,
)


@router.post("/brand", summary="Register a brand", responses=problems.of(*_WRITE, BrandNotEditable))
async def register_brand(
    merchant_id: MerchantPath,
    order: V1MerchantMessagingBrandRequest,
    caller: Authenticated,
    key: Idempotent,
    brands: BrandActions,
    request: Request,
    response: Response,
) -> V1MerchantMessagingBrandView:
    """Register the merchant's 10DLC brand, or correct a draft or rejected one.

    `submit: false` keeps it as a draft. A brand that is PENDING or APPROVED is refused with 409
    `BRAND_NOT_EDITABLE`. The review of the registry can take days. Poll the status; a rejection
    also raises the alert COMPLIANCE_REJECTED.
    """
    return answer_with(await brands.write(caller, merchant_id, order, key), request, response)


@router.get("/brand", summary="Retrieve the brand", responses=problems.of(*_READ, BrandNotFound))
async def get_brand(
    merchant_id: MerchantPath, caller: Authenticated, brands: BrandActions
) -> V1MerchantMessagingBrandView:
    """Retrieve the merchant's 10DLC brand. The tax number is masked except for four digits."""
    return await brands.get(caller, merchant_id)


@router.post(
    "/campaigns",
    summary="Register a campaign",
    responses=problems.of(
        *_WRITE, BrandNotApproved, CampaignNotFound, CampaignNotEditable, SoleProprietorLimit
    ),
)
async def register_campaign(
    merchant_id: MerchantPath,
    order: V1MerchantMessagingCampaignRequest,
    caller: Authenticated,
    key: Idempotent,
    campaigns: CampaignActions,
    request: Request,
    response: Response,
) -> V1MerchantMessagingCampaignView:
    """Register a 10DLC campaign under the approved brand, or correct one.

    `submit: false` keeps it as a draft. `campaignId` selects a draft or rejected campaign to
    correct; a PENDING or APPROVED one is refused with 409 `CAMPAIGN_NOT_EDITABLE`.
    """
    return answer_with(await campaigns.write(caller, merchant_id, order, key), request, response)


@router.get("/campaigns", summary="List campaigns", responses=problems.of(*_READ))
async def list_campaigns(
    merchant_id: MerchantPath,
    caller: Authenticated,
    page: Paged,
    campaigns: CampaignActions,
    response: Response,
) -> list[V1MerchantMessagingCampaignView]:
    """List the merchant's 10DLC campaigns, newest first."""
    return page.show(await campaigns.list(caller, merchant_id, page), response)


@router.get("/numbers/available", summary="List available numbers", responses=problems.of(*_READ))
async def find_available_numbers(
    merchant_id: MerchantPath,
    caller: Authenticated,
    numbers: NumberActions,
    area_code: Annotated[
        str | None,
        Query(
            alias="areaCode",
            pattern=AREA_CODE,
            description="Return numbers with this US area code only.",
            examples=["813"],
        ),
    ] = None,
    type: Annotated[
        NumberType, Query(description="Kind of number.", examples=["LOCAL"])
    ] = NumberType.LOCAL,
    limit: LimitParam = DEFAULT_LIMIT,
) -> list[AvailableNumberView]:
    """List numbers of the registry that can be bought now. They are not reserved."""
    return await numbers.available(caller, merchant_id, area_code, type, limit)


@router.post("/numbers", summary="Buy a number", responses=problems.of(*_WRITE, NumberTaken))
async def buy_number(
    merchant_id: MerchantPath,
    order: V1MerchantMessagingNumberRequest,
    caller: Authenticated,
    key: Idempotent,
    numbers: NumberActions,
    request: Request,
    response: Response,
) -> V1MerchantMessagingNumberView:
    """Buy a number for the merchant. The purchase is asynchronous.

    The status is REQUESTED until the purchase is complete, then ACTIVE. It is FAILED with reasons
    if the number is no longer available. A retry with the same Idempotency-Key buys no second
    number.
    """
    return answer_with(await numbers.buy(caller, merchant_id, order, key), request, response)


@router.get("/numbers", summary="List numbers", responses=problems.of(*_READ))
async def list_numbers(
    merchant_id: MerchantPath,
    caller: Authenticated,
    page: Paged,
    numbers: NumberActions,
    response: Response,
) -> list[V1MerchantMessagingNumberView]:
    """List the numbers of the merchant, including released ones, newest first."""
    return page.show(await numbers.list(caller, merchant_id, page), response)


@router.post(
    "/numbers/{number}/assignment",
    summary="Assign a number to a campaign",
    responses=problems.of(*_ASSIGN),
)
async def assign_number(
    merchant_id: MerchantPath,
    number: NumberPath,
    order: V1MerchantMessagingAssignmentRequest,
    caller: Authenticated,
    key: Idempotent,
    numbers: NumberActions,
    request: Request,
    response: Response,
) -> V1MerchantMessagingAssignmentView:
    """Assign a number of the merchant to an approved campaign, so that it may send for it.

    The assignment is asynchronous: PENDING until the registry has decided, then ASSIGNED or FAILED.
    """
    answer = await numbers.assign(caller, merchant_id, number, order, key)
    return answer_with(answer, request, response)


@router.delete(
    "/numbers/{number}",
    summary="Release a number",
    responses=problems.of(
        *_READ, IdempotencyKeyReused, NumberNotFound, NumberNotActive, AssignmentPending
    ),
)
async def release_number(
    merchant_id: MerchantPath,
    number: NumberPath,
    caller: Authenticated,
    key: Idempotent,
    numbers: NumberActions,
    request: Request,
    response: Response,
) -> V1MerchantMessagingNumberView:
    """Remove a number from its campaign and return it to the registry, asynchronously.

    The request has no body and is idempotent: a number that is being released or was released is
    returned unchanged.
    """
    answer = await numbers.release(caller, merchant_id, number, key)
    return answer_with(answer, request, response)


@router.get("/status", summary="Retrieve the 10DLC status", responses=problems.of(*_READ))
async def get_messaging_status(
    merchant_id: MerchantPath, caller: Authenticated, status: StatusReads
) -> V1MerchantMessagingStatusView:
    """Retrieve brand, campaigns, numbers, missing steps and whether sending is allowed."""
    return await status.get(caller, merchant_id)
