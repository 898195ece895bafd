"""Routes of outbound messages: send, quote, read, cancel and recordings."""

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
from api.http.idempotency import answer_with
from api.http.metadata_filter import METADATA_FILTER
from api.http.public import public_router
from api.schemas.email import V1OmniEmailSendRequest
from api.schemas.messages import DispatchResponse, MessageView, V1OmniSmsSendRequest
from api.schemas.quotes import QuoteRequest, V1MessageQuoteResponse
from api.schemas.voice import V1OmniVoiceSendRequest
from api.services.messages.accept import AnsweredMessage
from models.batch_errors import BatchNotFound
from models.errors import (
    ChannelNotAllowed,
    ConsentOptedOut,
    ConsentRequired,
    DestinationLimited,
    DestinationNotAllowed,
    IdempotencyKeyReused,
    InsufficientCredits,
    InvalidDateRange,
    InvalidEmail,
    InvalidPhoneNumber,
    MerchantInactive,
    MerchantNotFound,
    MessageNotFound,
    MessageTooLong,
    NoRate,
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
    NoRate,
    MerchantNotFound,
)
_QUOTE = (*problems.WRITE, InvalidPhoneNumber, InvalidEmail, MessageTooLong, MerchantNotFound)
_FILTER = (
    *problems.ANY,
    InvalidPhoneNumber,
    InvalidDateRange,
    MerchantNotFound,
    BatchNotFound,
)
_CANCEL = (*problems.ANY, IdempotencyKeyReused, MessageNotFound, NotCancelable)
_WAV = {
    "description": "The recording as WAV audio.",
    "content": {"audio/wav": {"schema": {"type": "string", "format": "binary"}}},
}


@router.post(
    "/sms",
    summary="Send an SMS",
    responses=problems.of(
        *_SEND,
        DestinationLimited,
        DestinationNotAllowed,
        InvalidPhoneNumber,
        MessageTooLong,
        ChannelNotAllowed,
    ),
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
    """Accept an SMS and send it asynchronously.

    A retry with the same Idempotency-Key returns the same `messageId` with its current status and
    sends nothing. The units are held until a provider has accepted the message.
    """
    outcome = await sending.accept_sms(caller, order, key)
    return _dispatched(answer_with(outcome, request, response))


@router.post(
    "/voice",
    summary="Start a call",
    responses=problems.of(
        *_SEND, DestinationLimited, DestinationNotAllowed, InvalidPhoneNumber, ChannelNotAllowed
    ),
)
@body_up_to(SEND)
async def send_voice(
    order: V1OmniVoiceSendRequest,
    caller: Authenticated,
    key: Idempotent,
    sending: SendActions,
    request: Request,
    response: Response,
) -> DispatchResponse:
    """Accept a text-to-speech call and place it asynchronously.

    The minutes of `maxDurationSeconds` are held. The started minutes of an answered call are
    billed; an unanswered call is free. A retry with the same Idempotency-Key returns the same
    `messageId` with its current status. MARKETING is refused with 403 `CHANNEL_NOT_ALLOWED`.
    """
    outcome = await sending.accept_voice(caller, order, key)
    return _dispatched(answer_with(outcome, request, response))


@router.post("/email", summary="Send an e-mail", responses=problems.of(*_SEND, InvalidEmail))
@body_up_to(EMAIL)
async def send_email(
    order: V1OmniEmailSendRequest,
    caller: Authenticated,
    key: Idempotent,
    sending: SendActions,
    request: Request,
    response: Response,
) -> DispatchResponse:
    """Accept an e-mail and send it asynchronously.

    A retry with the same Idempotency-Key returns the same `messageId` with its current status and
    sends nothing. MARKETING gets a List-Unsubscribe header for one-click opt-out (RFC 8058).
    """
    outcome = await sending.accept_email(caller, order, key)
    return _dispatched(answer_with(outcome, request, response))


@router.post("/quote", summary="Quote a message", responses=problems.of(*_QUOTE))
@body_up_to(EMAIL)
async def quote_message(
    order: QuoteRequest, caller: Authenticated, _: Idempotent, quoting: QuoteActions
) -> V1MessageQuoteResponse:
    """Calculate the units and the price of a message, and whether it would be accepted now.

    The body is that of a send plus `channel`. Nothing is created or held. An Idempotency-Key has no
    effect: every request is calculated anew. An invalid request is refused with the same 400 error
    as a send. If policy or missing credits would refuse the send, the response is 200 with
    `allowed` false and the error code in `reason`.
    """
    return await quoting.quote(caller, order)


@router.get(
    "",
    summary="List messages",
    responses=problems.of(*_FILTER),
    openapi_extra={"parameters": [METADATA_FILTER]},
)
async def list_messages(
    caller: Authenticated,
    wanted: WantedMessages,
    page: Paged,
    messages: MessageReads,
    response: Response,
) -> list[MessageView]:
    """List messages of all channels that match the filters, newest first."""
    return page.show(await messages.list(caller, wanted, page), response)


@router.get(
    "/{messageId}",
    summary="Retrieve a message",
    responses=problems.of(*problems.ANY, MessageNotFound),
)
async def get_message(
    message_id: MessagePath, caller: Authenticated, messages: MessageReads
) -> MessageView:
    """Retrieve a message with its status, units, price, attempts and event history."""
    return await messages.get(caller, message_id)


@router.post("/{messageId}/cancel", summary="Cancel a message", responses=problems.of(*_CANCEL))
async def cancel_message(
    message_id: MessagePath,
    caller: Authenticated,
    key: Idempotent,
    canceling: CancelActions,
    request: Request,
    response: Response,
) -> MessageView:
    """Cancel a message that is still waiting, and release its held units.

    The request has no body and is idempotent: a canceled message is returned unchanged. A message
    that is being sent or has ended is refused with 409 `NOT_CANCELABLE`.
    """
    return answer_with(await canceling.cancel(caller, message_id, key), request, response)


@router.get(
    "/{messageId}/recording",
    summary="Retrieve the recording of a call",
    response_class=StreamingResponse,
    responses={
        200: _WAV,
        **problems.of(*problems.ANY, MessageNotFound, RecordingNotFound),
    },
)
async def get_recording(
    message_id: MessagePath, caller: Authenticated, recordings: RecordingReads
) -> StreamingResponse:
    """Stream the recording of an ended call as WAV audio.

    404 `RECORDING_NOT_FOUND` if the message is not a call, was not recorded or was not answered.
    """
    stream = await recordings.open(caller, message_id)
    return StreamingResponse(stream.chunks, media_type="audio/wav", headers=stream.headers)


def _dispatched(message: AnsweredMessage) -> DispatchResponse:
    return DispatchResponse(
        merchant_id=message.merchant,
        channel=message.channel,
        message_id=str(message.public_id),
        status=message.status,
    )
