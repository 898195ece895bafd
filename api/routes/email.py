"""Direct e-mail, for integrations that do not need the omni wrapper."""

from fastapi import Request, Response

from api.deps import Authenticated, Idempotent, SendActions
from api.http import problems
from api.http.bodies.body_size import EMAIL, body_up_to
from api.http.idempotency import mark
from api.http.public import public_router
from api.schemas.email import V1EmailSendRequest, V1MessageResponse
from models.errors import (
    ChannelNotAllowed,
    ConsentOptedOut,
    InsufficientCredits,
    InvalidEmail,
    MerchantInactive,
    MerchantNotFound,
    RecipientSuppressed,
    SenderNotRegistered,
    TooManyOpen,
)

router = public_router("/email", tag="Email")

_SEND = (
    *problems.WRITE,
    InvalidEmail,
    TooManyOpen,
    InsufficientCredits,
    ChannelNotAllowed,
    ConsentOptedOut,
    RecipientSuppressed,
    MerchantInactive,
    SenderNotRegistered,
    MerchantNotFound,
)


@router.post("/send", responses=problems.of(*_SEND))
@body_up_to(EMAIL)
async def send_direct_email(
    order: V1EmailSendRequest,
    caller: Authenticated,
    key: Idempotent,
    sending: SendActions,
    request: Request,
    response: Response,
) -> V1MessageResponse:
    """Send a direct email to one recipient, or one mail to a list of up to 50.

    Without a merchant it takes no allowance or credits and is metered for you. It is refused whole
    if one recipient is blocked, and ends UNDELIVERED if it bounced for any; the trail tells each.
    """
    accepted = await sending.accept_direct_email(caller, order, key)
    mark(request, response, replayed=accepted.replayed)
    return V1MessageResponse(message_id=str(accepted.message_id), status=accepted.status)
