"""Outbound messages: asking for one, and reading what became of it."""

from fastapi import Request, Response

from api import problems
from api.deps import (
    Authenticated,
    Idempotent,
    MessagePath,
    MessageReads,
    Paged,
    SendActions,
    WantedMessages,
)
from api.idempotency import mark
from api.public import public_router
from api.schemas.messages import DispatchResponse, MessageView, V1OmniSmsSendRequest
from models.errors import (
    ConsentOptedOut,
    ConsentRequired,
    InsufficientCredits,
    InvalidDateRange,
    InvalidPhoneNumber,
    MerchantInactive,
    MerchantNotFound,
    MessageNotFound,
    MessageTooLong,
    RecipientSuppressed,
    SenderNotRegistered,
)

router = public_router("/messages", tag="Messages")

_SEND = (
    *problems.WRITE,
    InvalidPhoneNumber,
    MessageTooLong,
    InsufficientCredits,
    ConsentOptedOut,
    ConsentRequired,
    RecipientSuppressed,
    MerchantInactive,
    SenderNotRegistered,
    MerchantNotFound,
)
_FILTER = (*problems.ANY, InvalidPhoneNumber, InvalidDateRange, MerchantNotFound)


@router.post("/sms", responses=problems.of(*_SEND))
async def send_sms(
    order: V1OmniSmsSendRequest,
    caller: Authenticated,
    key: Idempotent,
    sending: SendActions,
    request: Request,
    response: Response,
) -> DispatchResponse:
    """Queue and dispatch an outbound merchant SMS.

    A retry with the same Idempotency-Key answers the same messageId with its current status.
    """
    accepted = await sending.accept_sms(caller, order, key)
    mark(request, response, replayed=accepted.replayed)
    return DispatchResponse(
        merchant_id=accepted.merchant,
        channel=accepted.channel,
        message_id=str(accepted.message_id),
        status=accepted.status,
    )


@router.get("", responses=problems.of(*_FILTER))
async def list_messages(
    caller: Authenticated,
    wanted: WantedMessages,
    page: Paged,
    messages: MessageReads,
    response: Response,
) -> list[MessageView]:
    """List messages, the newest first."""
    return page.show(await messages.list(caller, wanted, page), response)


@router.get("/{messageId}", responses=problems.of(*problems.ANY, MessageNotFound))
async def get_message(
    message_id: MessagePath, caller: Authenticated, messages: MessageReads
) -> MessageView:
    """Read one message: status, units, attempts and the trail of events."""
    return await messages.get(caller, message_id)
