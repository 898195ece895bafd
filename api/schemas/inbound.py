"""Response schema of inbound messages."""

from pydantic import Field

from api.schemas.base import Instant, View
from models.enums import InboundKind


class InboundMessageView(View):
    """A text message that a recipient sent to one of your numbers."""

    id: str = Field(
        description="Identifier of the inbound message, a decimal string.",
        examples=["2210983746501127"],
    )
    sender: str = Field(
        alias="from",
        description="Sender as received: a phone number, a short code, a name, or an empty string "
        "if it was withheld. Only phone numbers are answered and opted out; they may lack the plus "
        "sign of E.164.",
        examples=["+18135551234"],
    )
    number: str = Field(
        alias="to",
        description="Your number that received the text, in E.164 format.",
        examples=["+18005550100"],
    )
    body: str = Field(description="Text of the message.", examples=["STOP"])
    kind: InboundKind = Field(
        description="What the text was recognized as: a keyword, or for OPT_OUT also opt-out words "
        'with nothing but politeness around them, such as "please stop texting me". OTHER: none '
        "of these, or the sender is not a phone number; the text is not processed further.",
        examples=["OPT_OUT"],
    )
    merchant_id: str | None = Field(
        description="The merchant that owns the number. On a shared number, the merchant that last "
        "wrote to this recipient. Null if there is none.",
        examples=["gym-a"],
    )
    received_at: Instant = Field(
        description="Time at which the text was recorded.", examples=["2026-04-16T13:20:32.942Z"]
    )
    sent_at: Instant = Field(
        description="Time at which the text was sent, as reported by the provider.",
        examples=["2026-04-16T13:20:32.120Z"],
    )
