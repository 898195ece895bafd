"""What SIP clients and browsers are set up with, and whether they can be called."""

from typing import Annotated

from fastapi import Query, Request, Response

from api.deps import Authenticated, Idempotent, Paged, PresenceActions, ProvisioningActions
from api.http import problems
from api.http.filters import OneMerchant
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.base import MERCHANT_ID
from api.schemas.voice_provisioning import (
    V1VoiceProvisioningResponse,
    V1VoiceRotateRequest,
    V1VoiceSipPresenceRequest,
    VoiceSipPresenceView,
)
from models.errors import MerchantNotFound, VoiceUserNotFound

router = public_router("/voice/provisioning", tag="Voice")


@router.get("", responses=problems.of(*problems.ANY, MerchantNotFound))
async def get_voice_provisioning(
    merchant_id: Annotated[
        str,
        Query(
            alias="merchantId",
            pattern=MERCHANT_ID,
            description="The merchant that registers.",
            examples=["gym-a"],
        ),
    ],
    caller: Authenticated,
    provisioning: ProvisioningActions,
) -> V1VoiceProvisioningResponse:
    """Read what a SIP client or a browser of a merchant needs.

    The first call makes the merchant's SIP user. TURN name, word and token are new with each call
    and end by themselves; the SIP password stays until it is rotated.
    """
    return await provisioning.get(caller, merchant_id)


@router.post("/rotate", responses=problems.of(*problems.WRITE, MerchantNotFound))
async def rotate_voice_password(
    order: V1VoiceRotateRequest,
    caller: Authenticated,
    key: Idempotent,
    provisioning: ProvisioningActions,
    request: Request,
    response: Response,
) -> V1VoiceProvisioningResponse:
    """Give a merchant's SIP user a new password; the old one is refused from then on.

    A client that is registered stays so until its registration expires.
    """
    return answer_with(await provisioning.rotate(caller, order, key), request, response)


@router.post(
    "/presence", responses=problems.of(*problems.WRITE, MerchantNotFound, VoiceUserNotFound)
)
async def post_voice_presence(
    order: V1VoiceSipPresenceRequest,
    caller: Authenticated,
    key: Idempotent,
    presence: PresenceActions,
    request: Request,
    response: Response,
) -> VoiceSipPresenceView:
    """Tell whether a SIP user can be called; it lapses to OFFLINE when it expires."""
    return answer_with(await presence.post(caller, order, key), request, response)


@router.get("/presence", responses=problems.of(*problems.ANY, MerchantNotFound))
async def list_voice_presence(
    caller: Authenticated,
    page: Paged,
    presence: PresenceActions,
    response: Response,
    merchant_id: OneMerchant = None,
) -> list[VoiceSipPresenceView]:
    """List SIP users with their presence, the newest user first.

    A user who is registered is ONLINE without anybody posting it.
    """
    return page.show(await presence.list(caller, merchant_id, page), response)
