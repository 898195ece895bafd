"""Route of inbound messages."""

from fastapi import Response

from api.deps import Authenticated, InboxActions, Paged
from api.http import problems
from api.http.filters import WantedInbound
from api.http.public import public_router
from api.schemas.inbound import InboundMessageView
from models.errors import InvalidPhoneNumber, MerchantNotFound

router = public_router("/messages/inbound", tag="Messages")


@router.get(
    "",
    summary="List inbound messages",
    responses=problems.of(*problems.ANY, InvalidPhoneNumber, MerchantNotFound),
)
async def list_inbound_messages(
    caller: Authenticated,
    wanted: WantedInbound,
    page: Paged,
    inbox: InboxActions,
    response: Response,
) -> list[InboundMessageView]:
    """List the text messages that recipients sent to your numbers, newest first.

    Opt-out, opt-in and help keywords are processed and answered automatically. Other texts are
    stored only.
    """
    return page.show(await inbox.list(caller, wanted, page), response)
