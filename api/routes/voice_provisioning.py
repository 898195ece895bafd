"""Routes of voice provisioning and presence."""

from typing import Annotated

from fastapi import Query, Request, Response

from api.deps import Authenticated, Idempotent, Paged, PresenceActions, ProvisioningActions
from api.http import problems
from api.http.filters import OneMerchant
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.patterns import MERCHANT_ID
from api.schemas.voice_provisioning import (
    V1VoiceProvisioningResponse,
    V1VoiceRotateRequest,
    V1VoiceSipPresenceRequest,
    VoiceSipPresenceView,
)
from models.errors import MerchantNotFound, VoiceUserNotFound

router = public_router("/voice/provisioning", tag="Voice")


@router.get(
    "",
    summary="Retrieve the voice configuration",
    responses=problems.of(*problems.ANY, MerchantNotFound),
)
async def get_voice_provisioning(
    merchant_id: Annotated[
        str,
        Query(
            alias="merchantId",
            pattern=MERCHANT_ID,
            description="Your identifier of the merchant.",
            examples=["gym-a"],
        ),
    ],
    caller: Authenticated,
    provisioning: ProvisioningActions,
) -> V1VoiceProvisioningResponse:
    """Retrieve the configuration of a merchant's SIP and browser clients.

    The first request creates the merchant's SIP user. Each request returns new TURN credentials and
    a new token; both expire. The SIP password stays valid until it is rotated. A key without the
    scope `admin` gets 403 `SCOPE_MISSING`, because the response has secrets that place calls.
    """
    return await provisioning.get(caller, merchant_id)


@router.post(
    "/rotate",
    summary="Rotate the SIP password",
    responses=problems.of(*problems.WRITE, MerchantNotFound),
)
async def rotate_voice_password(
    order: V1VoiceRotateRequest,
    caller: Authenticated,
    key: Idempotent,
    provisioning: ProvisioningActions,
    request: Request,
    response: Response,
) -> V1VoiceProvisioningResponse:
    """Replace the password of a merchant's SIP user; the old one is refused at once.

    A registered client stays registered until its registration expires. A retry with the same
    Idempotency-Key does not rotate again.
    """
    return answer_with(await provisioning.rotate(caller, order, key), request, response)


@router.post(
    "/presence",
    summary="Set the presence of a SIP user",
    responses=problems.of(*problems.WRITE, MerchantNotFound, VoiceUserNotFound),
)
async def post_voice_presence(
    order: V1VoiceSipPresenceRequest,
    caller: Authenticated,
    key: Idempotent,
    presence: PresenceActions,
    request: Request,
    response: Response,
) -> VoiceSipPresenceView:
    """Set the presence of a SIP user. It becomes OFFLINE when the state expires."""
    return answer_with(await presence.post(caller, order, key), request, response)


@router.get(
    "/presence",
    summary="List the presence of SIP users",
    responses=problems.of(*problems.ANY, MerchantNotFound),
)
async def list_voice_presence(
    caller: Authenticated,
    page: Paged,
    presence: PresenceActions,
    response: Response,
    merchant_id: OneMerchant = None,
) -> list[VoiceSipPresenceView]:
    """List SIP users with their presence, newest user first.

    A user with a SIP registration is ONLINE without a posted state.
    """
    return page.show(await presence.list(caller, merchant_id, page), response)
