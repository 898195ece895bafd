"""Merchant messaging and 10DLC: brand, campaigns, numbers, assignment, and where all stand."""

from typing import Annotated

from fastapi import Path, Query, Request, Response

from api.deps import Authenticated, Idempotent, LimitParam, MerchantPath, Paged
from api.http import problems
from api.http.idempotency import answer_with
from api.http.pagination import DEFAULT_LIMIT
from api.http.public import public_router
from api.registration_deps import BrandActions, CampaignActions, NumberActions, StatusReads
from api.schemas.messaging import (
    V1MerchantMessagingBrandRequest,
    V1MerchantMessagingBrandView,
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
        description="A number of the merchant, in E.164 form.",
        examples=["+18132201000"],
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


@router.post("/brand", responses=problems.of(*_WRITE, BrandNotEditable))
async def register_brand(
    merchant_id: MerchantPath,
    order: V1MerchantMessagingBrandRequest,
    caller: Authenticated,
    key: Idempotent,
    brands: BrandActions,
    request: Request,
    response: Response,
) -> V1MerchantMessagingBrandView:
    """Register who the merchant is to the carriers.

    `submit: false` keeps a draft. Posting again corrects a draft or a rejected brand, whose
    reasons name the fields at fault; one that is pending or approved is 409. The registry takes
    days: read the status, or wait for the alert COMPLIANCE_REJECTED.
    """
    return answer_with(await brands.write(caller, merchant_id, order, key), request, response)


@router.get("/brand", responses=problems.of(*_READ, BrandNotFound))
async def get_brand(
    merchant_id: MerchantPath, caller: Authenticated, brands: BrandActions
) -> V1MerchantMessagingBrandView:
    """Read the merchant's brand. Its tax number is shown by its last four digits only."""
    return await brands.get(caller, merchant_id)


@router.post(
    "/campaigns",
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
    """Register a campaign under the approved brand.

    `submit: false` keeps a draft. With `campaignId` a draft or a rejected campaign is corrected.
    """
    return answer_with(await campaigns.write(caller, merchant_id, order, key), request, response)


@router.get("/campaigns", responses=problems.of(*_READ))
async def list_campaigns(
    merchant_id: MerchantPath,
    caller: Authenticated,
    page: Paged,
    campaigns: CampaignActions,
    response: Response,
) -> list[V1MerchantMessagingCampaignView]:
    """List the merchant's campaigns, the newest first."""
    return page.show(await campaigns.list(caller, merchant_id, page), response)


@router.get("/numbers/available", responses=problems.of(*_READ))
async def find_available_numbers(
    merchant_id: MerchantPath,
    caller: Authenticated,
    numbers: NumberActions,
    area_code: Annotated[
        str | None,
        Query(
            alias="areaCode",
            pattern=r"^[2-9][0-9]{2}$",
            description="Only of this area code.",
            examples=["813"],
        ),
    ] = None,
    type: Annotated[
        NumberType, Query(description="What kind of number.", examples=["LOCAL"])
    ] = NumberType.LOCAL,
    limit: LimitParam = DEFAULT_LIMIT,
) -> list[AvailableNumberView]:
    """List numbers that can be bought now. Nobody keeps them for you."""
    return await numbers.available(caller, merchant_id, area_code, type, limit)


@router.post("/numbers", responses=problems.of(*_WRITE, NumberTaken))
async def buy_number(
    merchant_id: MerchantPath,
    order: V1MerchantMessagingNumberRequest,
    caller: Authenticated,
    key: Idempotent,
    numbers: NumberActions,
    request: Request,
    response: Response,
) -> V1MerchantMessagingNumberView:
    """Buy one number for the merchant, once however often it is asked with the same key.

    REQUESTED until the registry has sold it, then ACTIVE; FAILED with reasons if somebody else
    was faster.
    """
    return answer_with(await numbers.buy(caller, merchant_id, order, key), request, response)


@router.get("/numbers", responses=problems.of(*_READ))
async def list_numbers(
    merchant_id: MerchantPath,
    caller: Authenticated,
    page: Paged,
    numbers: NumberActions,
    response: Response,
) -> list[V1MerchantMessagingNumberView]:
    """List the numbers bought for the merchant, the newest first."""
    return page.show(await numbers.list(caller, merchant_id, page), response)


@router.post("/numbers/{number}/assignment", responses=problems.of(*_ASSIGN))
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
    """Let a number send for an approved campaign."""
    answer = await numbers.assign(caller, merchant_id, number, order, key)
    return answer_with(answer, request, response)


@router.delete(
    "/numbers/{number}",
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
    """Take a number from its campaign, then give it back.

    Takes no body. One that is on its way or given back already is answered as it is.
    """
    answer = await numbers.give_back(caller, merchant_id, number, key)
    return answer_with(answer, request, response)


@router.get("/status", responses=problems.of(*_READ))
async def get_messaging_status(
    merchant_id: MerchantPath, caller: Authenticated, status: StatusReads
) -> V1MerchantMessagingStatusView:
    """Read what is registered, what is missing, and whether the merchant may send to US numbers."""
    return await status.get(caller, merchant_id)
