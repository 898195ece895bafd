"""Outbound messages: asking for one, and reading what became of it."""

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from api.deps import (
    Authenticated,
    CancelActions,
    Idempotent,
    MessagePath,
    MessageReads,
    Paged,
    QuoteActions,
    RecordingReads,
    SendActions,
)
from api.http import problems
from api.http.bodies.body_size import EMAIL, SEND, body_up_to
from api.http.filters import WantedMessages
from api.http.idempotency import answer_with, mark
from api.http.public import public_router
from api.schemas.email import V1OmniEmailSendRequest
from api.schemas.messages import DispatchResponse, MessageView, V1OmniSmsSendRequest
from api.schemas.quotes import QuoteRequest, V1MessageQuoteResponse
from api.schemas.voice import V1OmniVoiceSendRequest
from api.services.messages.accept import Accepted
from models.errors import (
    ChannelNotAllowed,
    ConsentOptedOut,
    ConsentRequired,
    IdempotencyKeyReused,
    InsufficientCredits,
    InvalidDateRange,
    InvalidEmail,
    InvalidPhoneNumber,
    MerchantInactive,
    MerchantNotFound,
    MessageNotFound,
    MessageTooLong,
    NotCancelable,
    RecipientSuppressed,
    RecordingNotFound,
    SenderNotRegistered,
    TooManyOpen,
)

router = public_router("/messages", tag="Messages")

_SEND = (
    *problems.WRITE,
    TooManyOpen,
    InsufficientCredits,
    ConsentOptedOut,
    ConsentRequired,
    RecipientSuppressed,
    MerchantInactive,
    SenderNotRegistered,
    MerchantNotFound,
)
_QUOTE = (*problems.WRITE, InvalidPhoneNumber, InvalidEmail, MessageTooLong, MerchantNotFound)
_FILTER = (*problems.ANY, InvalidPhoneNumber, InvalidDateRange, MerchantNotFound)
_CANCEL = (*problems.ANY, IdempotencyKeyReused, MessageNotFound, NotCancelable)
_WAV = {
    "description": "The call as WAV.",
    "content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}},
}


@router.post(
    "/sms", responses=problems.of(*_SEND, InvalidPhoneNumber, MessageTooLong, ChannelNotAllowed)
)
@body_up_to(SEND)
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
    return _dispatched(accepted)


@router.post("/voice", responses=problems.of(*_SEND, InvalidPhoneNumber, ChannelNotAllowed))
@body_up_to(SEND)
async def send_voice(
    order: V1OmniVoiceSendRequest,
    caller: Authenticated,
    key: Idempotent,
    sending: SendActions,
    request: Request,
    response: Response,
) -> DispatchResponse:
    """Start an outbound text-to-speech merchant voice call.

    The minutes of maxDurationSeconds are held; those of the answered call are billed, and none if
    nobody answers. MARKETING is refused on this channel.
    """
    accepted = await sending.accept_voice(caller, order, key)
    mark(request, response, replayed=accepted.replayed)
    return _dispatched(accepted)


@router.post("/email", responses=problems.of(*_SEND, InvalidEmail))
@body_up_to(EMAIL)
async def send_email(
    order: V1OmniEmailSendRequest,
    caller: Authenticated,
    key: Idempotent,
    sending: SendActions,
    request: Request,
    response: Response,
) -> DispatchResponse:
    """Dispatch an outbound merchant email.

    MARKETING carries a List-Unsubscribe header (RFC 8058) that opts out with one click.
    """
    accepted = await sending.accept_email(caller, order, key)
    mark(request, response, replayed=accepted.replayed)
    return _dispatched(accepted)


@router.post("/quote", responses=problems.of(*_QUOTE))
@body_up_to(EMAIL)
async def quote_message(
    order: QuoteRequest, caller: Authenticated, _: Idempotent, quoting: QuoteActions
) -> V1MessageQuoteResponse:
    """Say what a send would take, what it would cost, and whether it would be accepted now.

    Takes the body of a send with its channel. Nothing is created or held, so an Idempotency-Key
    binds nothing: asked again, it answers anew. A request that is wrong in itself is refused as a
    send would be; what forbids it, or too few units, is told as the reason.
    """
    return await quoting.quote(caller, order)


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


@router.post("/{messageId}/cancel", responses=problems.of(*_CANCEL))
async def cancel_message(
    message_id: MessagePath,
    caller: Authenticated,
    key: Idempotent,
    canceling: CancelActions,
    request: Request,
    response: Response,
) -> MessageView:
    """Cancel a message that still waits, and release what was held for it.

    Takes no body. Canceling one that is canceled already answers it as it is; one that is on its
    way, or over, is 409.
    """
    return answer_with(await canceling.cancel(caller, message_id, key), request, response)


@router.get(
    "/{messageId}/recording",
    response_class=StreamingResponse,
    responses={
        200: _WAV,
        **problems.of(*problems.ANY, MessageNotFound, RecordingNotFound),
    },
)
async def get_recording(
    message_id: MessagePath, caller: Authenticated, recordings: RecordingReads
) -> StreamingResponse:
    """Play back a call that was recorded, once it is over.

    404 RECORDING_NOT_FOUND for what is no call, was not recorded, or was not answered.
    """
    stream = await recordings.open(caller, message_id)
    return StreamingResponse(stream.chunks, media_type="audio/wav", headers=stream.headers)


def _dispatched(accepted: Accepted) -> DispatchResponse:
    return DispatchResponse(
        merchant_id=accepted.merchant,
        channel=accepted.channel,
        message_id=str(accepted.message_id),
        status=accepted.status,
    )
