"""Routes of text-to-speech calls with labels."""

from fastapi import Request, Response

from api.deps import (
    Authenticated,
    Idempotent,
    MessageReads,
    PagedCalls,
    SendActions,
)
from api.http import problems
from api.http.bodies.body_size import SEND, body_up_to
from api.http.filters import WantedCalls
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.voice import V1TtsCallRequest, VoiceTtsCallView
from models.errors import (
    ChannelNotAllowed,
    ConsentOptedOut,
    DestinationLimited,
    DestinationNotAllowed,
    InsufficientCredits,
    InvalidPhoneNumber,
    MerchantInactive,
    MerchantNotFound,
    NoRate,
    RecipientSuppressed,
    SenderNotRegistered,
    TooManyOpen,
)

router = public_router("/voice", tag="Voice")

_SEND = (
    *problems.WRITE,
    InvalidPhoneNumber,
    TooManyOpen,
    DestinationLimited,
    InsufficientCredits,
    ChannelNotAllowed,
    ConsentOptedOut,
    RecipientSuppressed,
    MerchantInactive,
    SenderNotRegistered,
    DestinationNotAllowed,
    NoRate,
    MerchantNotFound,
)


@router.post("/tts-calls", summary="Start a call with labels", responses=problems.of(*_SEND))
@body_up_to(SEND)
async def start_tts_call(
    order: V1TtsCallRequest,
    caller: Authenticated,
    key: Idempotent,
    sending: SendActions,
    messages: MessageReads,
    request: Request,
    response: Response,
) -> VoiceTtsCallView:
    """Accept a text-to-speech call with labels of the requesting system.

    It behaves like `POST /messages/voice`. The labels are stored and can be used as filters.
    """
    outcome = await sending.accept_tts_call(caller, order, key)
    message = answer_with(outcome, request, response)
    return await messages.get_call(caller, str(message.public_id))


@router.get(
    "/tts-calls", summary="List calls", responses=problems.of(*problems.ANY, MerchantNotFound)
)
async def list_tts_calls(
    caller: Authenticated,
    wanted: WantedCalls,
    page: PagedCalls,
    messages: MessageReads,
    response: Response,
) -> list[VoiceTtsCallView]:
    """List calls of both `/voice/tts-calls` and `/messages/voice`, newest first.

    The labels of a call of `/messages/voice` are null.
    """
    return page.show(await messages.list_calls(caller, wanted, page), response)
