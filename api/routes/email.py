"""Route of direct e-mail."""

from fastapi import Request, Response

from api.deps import Authenticated, Idempotent, SendActions
from api.http import problems
from api.http.bodies.body_size import EMAIL, body_up_to
from api.http.idempotency import answer_with
from api.http.public import public_router
from api.schemas.email import V1EmailSendRequest, V1MessageResponse
from models.errors import (
    ChannelNotAllowed,
    ConsentOptedOut,
    InsufficientCredits,
    InvalidEmail,
    MerchantInactive,
    MerchantNotFound,
    NoRate,
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
    NoRate,
    MerchantNotFound,
)


@router.post("/send", summary="Send a direct e-mail", responses=problems.of(*_SEND))
@body_up_to(EMAIL)
async def send_direct_email(
    order: V1EmailSendRequest,
    caller: Authenticated,
    key: Idempotent,
    sending: SendActions,
    request: Request,
    response: Response,
) -> V1MessageResponse:
    """Send an e-mail to one recipient, or one e-mail to a list of up to 50 recipients.

    Without `merchantId` it uses no allowance or credits and is metered for the tenant. The request
    is refused if any recipient is suppressed or opted out. The message ends UNDELIVERED if it
    bounced for any recipient; the event history of the message shows each one.
    """
    outcome = await sending.accept_direct_email(caller, order, key)
    message = answer_with(outcome, request, response)
    return V1MessageResponse(message_id=str(message.public_id), status=message.status)
