"""E-mail, as the contract writes it."""

from typing import Annotated

from pydantic import Field, StringConstraints

from api.schemas.base import GivenInstant, MerchantId, RequestBody, View
from api.schemas.messages import Metadata, Validity
from models.enums import MessageStatus, MessageType

Address = Annotated[str, StringConstraints(min_length=3, max_length=320)]
# No control character, line break or change of direction: mail systems read them differently.
_ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"
Subject = Annotated[str, StringConstraints(min_length=1, max_length=998, pattern=_ONE_LINE)]
Html = Annotated[str, StringConstraints(min_length=1)]


class V1OmniEmailSendRequest(RequestBody):
    """Ask for one e-mail of a merchant."""

    merchant_id: MerchantId = Field(description="Who sends.", examples=["gym-a"])
    to: Address = Field(description="Who receives.", examples=["member@example.com"])
    subject: Subject = Field(description="One line.", examples=["Payment reminder"])
    body: Html = Field(
        description="HTML, at most 512 KiB; a plain-text part is made from it.",
        examples=["<p>Your membership renews tomorrow.</p>"],
    )
    type: MessageType = Field(description="Why it is sent.", examples=["TRANSACTIONAL"])
    reply_to: Address | None = Field(
        default=None, description="Where answers go.", examples=["desk@example.com"]
    )
    send_at: GivenInstant | None = Field(
        default=None,
        description="Not before this, at most 30 days ahead; in the past means now.",
        examples=["2026-04-16T15:00:00Z"],
    )
    valid_for_seconds: Validity | None = Field(
        default=None, description="How long it is worth sending.", examples=[3600]
    )
    metadata: Metadata | None = Field(
        default=None,
        description="Up to 50 strings of yours, given back with the message.",
        examples=[{"invoice": "A-1001"}],
    )


class V1EmailSendRequest(RequestBody):
    """Ask for one direct e-mail, to one recipient or up to 50; without a merchant it is metered
    for the tenant and takes no allowance or credits.
    """

    to: Address | Annotated[list[Address], Field(min_length=1, max_length=50)] = Field(
        description="One address, or a list: one mail to all of them.",
        examples=["member@example.com"],
    )
    subject: Subject = Field(description="One line.", examples=["Payment reminder"])
    body: Html = Field(description="HTML, at most 512 KiB.", examples=["<p>Thank you.</p>"])
    sender: Address | None = Field(
        default=None,
        alias="from",
        description="One of the addresses configured for you; the first of them unless given.",
        examples=["no-reply@example.com"],
    )
    reply_to: Address | None = Field(
        default=None, description="Where answers go.", examples=["desk@example.com"]
    )
    merchant_id: MerchantId | None = Field(
        default=None,
        description="For whom; a merchant's key stands for its own.",
        examples=["gym-a"],
    )
    type: MessageType = Field(
        default=MessageType.TRANSACTIONAL,
        description="Why it is sent; MARKETING is refused here.",
        examples=["TRANSACTIONAL"],
    )


class V1MessageResponse(View):
    """A direct e-mail that was taken on."""

    message_id: str = Field(description="Our id of it, a decimal string.", examples=["8802"])
    status: MessageStatus = Field(description="Where it stands.", examples=["QUEUED"])
