"""Request and response schemas of e-mail."""

from typing import Annotated

from pydantic import Field, StringConstraints

from api.schemas.base import GivenInstant, MerchantId, RequestBody, View
from api.schemas.messages import Metadata, Validity
from api.schemas.text_types import OneLine, Visible
from models.enums import MessageStatus, MessageType

Address = Annotated[str, StringConstraints(min_length=3, max_length=320)]
Subject = Annotated[OneLine, StringConstraints(max_length=998)]
Html = Annotated[str, StringConstraints(min_length=1), Visible]


class V1OmniEmailSendRequest(RequestBody):
    """An e-mail of a merchant."""

    merchant_id: MerchantId = Field(description="The merchant that sends.", examples=["gym-a"])
    to: Address = Field(
        description="E-mail address of the recipient.", examples=["member@example.com"]
    )
    subject: Subject = Field(
        description="Subject, one line without control characters, 1 to 998 characters.",
        examples=["Payment reminder"],
    )
    body: Html = Field(
        description="HTML, at most 512 KiB. A plain-text part is generated from it.",
        examples=["<p>Your membership renews tomorrow.</p>"],
    )
    type: MessageType = Field(
        description="Purpose of the message. It decides which consent is required, the priority "
        "and the default validity.",
        examples=["TRANSACTIONAL"],
    )
    reply_to: Address | None = Field(
        default=None, description="Address for replies.", examples=["desk@example.com"]
    )
    send_at: GivenInstant | None = Field(
        default=None,
        description="Earliest time to send, at most 30 days ahead. A time in the past means now.",
        examples=["2026-04-16T15:00:00Z"],
    )
    valid_for_seconds: Validity | None = Field(
        default=None,
        description="Seconds from `sendAt`, or else from acceptance, after which the message is no "
        "longer sent and ends FAILED with `errorCode` EXPIRED. Default: 600 for OTP, otherwise "
        "unlimited.",
        examples=[3600],
    )
    metadata: Metadata | None = Field(
        default=None,
        description="Up to 50 key-value pairs of your own, returned with the message. Keys have at "
        "most 40 characters, values 500.",
        examples=[{"invoice": "A-1001"}],
    )


class V1EmailSendRequest(RequestBody):
    """A direct e-mail to one recipient, or to a list of up to 50.

    Without a merchant it is metered for the tenant and uses no allowance or credits.
    """

    to: Address | Annotated[list[Address], Field(min_length=1, max_length=50)] = Field(
        description="One address, or a list of 1 to 50 addresses. A list is sent as one e-mail to "
        "all of them.",
        examples=["member@example.com"],
    )
    subject: Subject = Field(
        description="Subject, one line without control characters, 1 to 998 characters.",
        examples=["Payment reminder"],
    )
    body: Html = Field(
        description="HTML, at most 512 KiB. A plain-text part is generated from it.",
        examples=["<p>Thank you.</p>"],
    )
    sender: Address | None = Field(
        default=None,
        alias="from",
        description="Sender address, one of the addresses configured for the tenant. Default: the "
        "first of them.",
        examples=["no-reply@example.com"],
    )
    reply_to: Address | None = Field(
        default=None, description="Address for replies.", examples=["desk@example.com"]
    )
    merchant_id: MerchantId | None = Field(
        default=None,
        description="The merchant that sends. Default: the merchant of a merchant-scoped key, "
        "otherwise none.",
        examples=["gym-a"],
    )
    type: MessageType = Field(
        default=MessageType.TRANSACTIONAL,
        description="Purpose of the message. MARKETING is refused with 403 `CHANNEL_NOT_ALLOWED`. "
        "Default: TRANSACTIONAL.",
        examples=["TRANSACTIONAL"],
    )


class V1MessageResponse(View):
    """An accepted direct e-mail."""

    message_id: str = Field(
        description="Identifier of the message, a decimal string.", examples=["2981544730162205"]
    )
    status: MessageStatus = Field(description="Current status.", examples=["QUEUED"])
