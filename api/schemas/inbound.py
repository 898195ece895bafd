"""What recipients write back, as the contract writes it."""

from pydantic import Field

from api.schemas.base import Instant, View
from models.enums import InboundKind


class InboundMessageView(View):
    """A text a recipient sent to one of your numbers."""

    id: str = Field(description="Our id of it, a decimal string.", examples=["371"])
    sender: str = Field(
        alias="from", description="The recipient who wrote.", examples=["+18135551234"]
    )
    number: str = Field(
        alias="to", description="Your number it was sent to.", examples=["+18005550100"]
    )
    body: str = Field(description="The text.", examples=["STOP"])
    kind: InboundKind = Field(
        description="What the whole text asks for; OTHER is left for you to read.",
        examples=["OPT_OUT"],
    )
    merchant_id: str | None = Field(
        description="Whom it is meant for: the number's merchant; on a shared number the one that "
        "wrote to this recipient last; null if none did.",
        examples=["gym-a"],
    )
    received_at: Instant = Field(
        description="When it was recorded.", examples=["2026-04-16T13:20:32.942Z"]
    )
    sent_at: Instant = Field(
        description="When it was sent, by the provider's clock.",
        examples=["2026-04-16T13:20:32.120Z"],
    )
