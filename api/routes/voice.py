"""Text-to-speech calls with labels, as the live product has them."""

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
from api.http.idempotency import mark
from api.http.public import public_router
from api.schemas.voice import V1TtsCallRequest, VoiceTtsCallView
from models.errors import (
    ChannelNotAllowed,
    ConsentOptedOut,
    InsufficientCredits,
    InvalidPhoneNumber,
    MerchantInactive,
    MerchantNotFound,
    RecipientSuppressed,
    SenderNotRegistered,
    TooManyOpen,
)

router = public_router("/voice", tag="Voice")

_SEND = (
    *problems.WRITE,
    InvalidPhoneNumber,
    TooManyOpen,
    InsufficientCredits,
    ChannelNotAllowed,
    ConsentOptedOut,
    RecipientSuppressed,
    MerchantInactive,
    SenderNotRegistered,
    MerchantNotFound,
)


@router.post("/tts-calls", responses=problems.of(*_SEND))
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
    """Start a text-to-speech call with labels of the system that asks for it."""
    accepted = await sending.accept_tts_call(caller, order, key)
    mark(request, response, replayed=accepted.replayed)
    return await messages.get_call(caller, str(accepted.message_id))


@router.get("/tts-calls", responses=problems.of(*problems.ANY, MerchantNotFound))
async def list_tts_calls(
    caller: Authenticated,
    wanted: WantedCalls,
    page: PagedCalls,
    messages: MessageReads,
    response: Response,
) -> list[VoiceTtsCallView]:
    """List calls, the newest first, whichever way they were asked for.

    A call of `/messages/voice` has no labels: they are null.
    """
    return page.show(await messages.list_calls(caller, wanted, page), response)
