"""What recipients said about hearing from merchants."""

from typing import Annotated

from fastapi import Query, Request, Response

from api.deps import Authenticated, ConsentActions, Idempotent, Paged
from api.http import problems
from api.http.filters import ChannelParam, ContactParam, WantedConsents
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.base import MERCHANT_ID
from api.schemas.consents import ConsentChangeView, ConsentView, V1MerchantConsentRequest
from models.errors import InvalidEmail, InvalidPhoneNumber, MerchantNotFound

router = public_router("/consents", tag="Consents")

_CONTACT = (InvalidPhoneNumber, InvalidEmail, MerchantNotFound)


@router.post("", responses=problems.of(*problems.WRITE, *_CONTACT))
async def upsert_consent(
    order: V1MerchantConsentRequest,
    caller: Authenticated,
    key: Idempotent,
    consents: ConsentActions,
    request: Request,
    response: Response,
) -> ConsentView:
    """Record what a recipient said, for SMS, voice, or email.

    OPT_OUT blocks every send from the moment this answers. MARKETING needs an OPT_IN.
    """
    return answer_with(await consents.upsert(caller, order, key), request, response)


@router.get("", responses=problems.of(*problems.ANY, *_CONTACT))
async def list_consents(
    caller: Authenticated,
    wanted: WantedConsents,
    page: Paged,
    consents: ConsentActions,
    response: Response,
) -> list[ConsentView]:
    """List consent records, the last recorded contact first; a change keeps its place."""
    return page.show(await consents.list(caller, wanted, page), response)


@router.get("/history", responses=problems.of(*problems.ANY, *_CONTACT))
async def list_consent_history(
    merchant_id: Annotated[
        str,
        Query(
            alias="merchantId",
            pattern=MERCHANT_ID,
            description="The merchant it was said to.",
            examples=["gym-a"],
        ),
    ],
    channel: ChannelParam,
    contact: ContactParam,
    caller: Authenticated,
    page: Paged,
    consents: ConsentActions,
    response: Response,
) -> list[ConsentChangeView]:
    """List everything a contact said to a merchant on a channel, the last first."""
    found = await consents.history(caller, merchant_id, channel, contact, page)
    return page.show(found, response)
