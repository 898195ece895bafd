"""Routes of consents."""

from typing import Annotated

from fastapi import Query, Request, Response

from api.deps import Authenticated, ConsentActions, Idempotent, Paged
from api.http import problems
from api.http.filters import ChannelParam, ContactParam, WantedConsents
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.consents import ConsentChangeView, ConsentView, V1MerchantConsentRequest
from api.schemas.patterns import MERCHANT_ID
from models.errors import InvalidEmail, InvalidPhoneNumber, MerchantNotFound

router = public_router("/consents", tag="Consents")

_CONTACT = (InvalidPhoneNumber, InvalidEmail, MerchantNotFound)


@router.post("", summary="Record a consent", responses=problems.of(*problems.WRITE, *_CONTACT))
async def upsert_consent(
    order: V1MerchantConsentRequest,
    caller: Authenticated,
    key: Idempotent,
    consents: ConsentActions,
    request: Request,
    response: Response,
) -> ConsentView:
    """Create or update the consent of a recipient for a merchant and a channel.

    OPT_OUT blocks every message that is sent after the response. MARKETING requires OPT_IN. OPT_IN
    lifts an earlier OPT_OUT and a suppression after a hard bounce. Only the recipient can lift a
    complaint or a carrier opt-out. Every change is kept in the history.
    """
    return answer_with(await consents.upsert(caller, order, key), request, response)


@router.get("", summary="List consents", responses=problems.of(*problems.ANY, *_CONTACT))
async def list_consents(
    caller: Authenticated,
    wanted: WantedConsents,
    page: Paged,
    consents: ConsentActions,
    response: Response,
) -> list[ConsentView]:
    """List the current consents, ordered by first recording, newest first."""
    return page.show(await consents.list(caller, wanted, page), response)


@router.get(
    "/history",
    summary="List the history of a consent",
    responses=problems.of(*problems.ANY, *_CONTACT),
)
async def list_consent_history(
    merchant_id: Annotated[
        str,
        Query(
            alias="merchantId",
            pattern=MERCHANT_ID,
            description="The merchant the consent was given to.",
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
    """List all changes of a contact's consent to a merchant on a channel, newest first."""
    found = await consents.history(caller, merchant_id, channel, contact, page)
    return page.show(found, response)
