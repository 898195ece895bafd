"""What recipients wrote back."""

from typing import Annotated

from fastapi import Depends, Query, Request, Response

from api import problems
from api.deps import Authenticated, OneMerchant, Paged
from api.public import public_router
from api.schemas.inbound import InboundMessageView
from api.services.contacts import key_of_any
from api.services.inbound import InboundFilter, Inbox
from models.errors import InvalidPhoneNumber, MerchantNotFound

router = public_router("/messages/inbound", tag="Messages")


async def _inbox(request: Request) -> Inbox:
    inbox: Inbox = request.app.state.inbox
    return inbox


async def _filter(
    merchant_id: OneMerchant = None,
    sender: Annotated[
        str | None,
        Query(
            alias="from",
            min_length=1,
            max_length=64,
            description="Only what this recipient wrote, in E.164 form.",
            examples=["+18135551234"],
        ),
    ] = None,
    number: Annotated[
        str | None,
        Query(
            alias="to",
            min_length=1,
            max_length=64,
            description="Only what was sent to this number of yours, in E.164 form.",
            examples=["+18005550100"],
        ),
    ] = None,
) -> InboundFilter:
    return InboundFilter(
        merchant_id=merchant_id,
        sender=None if sender is None else key_of_any(sender),
        number=None if number is None else key_of_any(number),
    )


@router.get("", responses=problems.of(*problems.ANY, InvalidPhoneNumber, MerchantNotFound))
async def list_inbound_messages(
    caller: Authenticated,
    wanted: Annotated[InboundFilter, Depends(_filter)],
    page: Paged,
    inbox: Annotated[Inbox, Depends(_inbox)],
    response: Response,
) -> list[InboundMessageView]:
    """List texts that recipients sent to your numbers, the newest first.

    STOP, START, HELP and their like are obeyed and answered at once; the rest is yours to read.
    """
    return page.show(await inbox.list(caller, wanted, page), response)
