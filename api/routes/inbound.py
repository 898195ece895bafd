"""What recipients wrote back."""

from fastapi import Response

from api.deps import Authenticated, InboxActions, Paged
from api.http import problems
from api.http.filters import WantedInbound
from api.http.public import public_router
from api.schemas.inbound import InboundMessageView
from models.errors import InvalidPhoneNumber, MerchantNotFound

router = public_router("/messages/inbound", tag="Messages")


@router.get("", responses=problems.of(*problems.ANY, InvalidPhoneNumber, MerchantNotFound))
async def list_inbound_messages(
    caller: Authenticated,
    wanted: WantedInbound,
    page: Paged,
    inbox: InboxActions,
    response: Response,
) -> list[InboundMessageView]:
    """List texts that recipients sent to your numbers, the newest first.

    STOP, START, HELP and their like are obeyed and answered at once; the rest is yours to read.
    """
    return page.show(await inbox.list(caller, wanted, page), response)
