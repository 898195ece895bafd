"""Text-to-speech calls, as the contract writes them."""

from typing import Annotated

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from api.schemas.base import GivenInstant, MerchantId, RequestBody
from api.schemas.messages import MessageView, Metadata, Validity
from models.enums import MessageType

Label = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._-]+$")]


class V1OmniVoiceSendRequest(RequestBody):
    """Ask for one text-to-speech call."""

    merchant_id: MerchantId = Field(description="Who calls.", examples=["gym-a"])
    to: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        description="Who is called, in E.164 form; spaces and `( ) . - /` are taken.",
        examples=["+18135551234"],
    )
    text: Annotated[str, Field(min_length=1, max_length=3000)] = Field(
        description="What is said.", examples=["Your appointment is tomorrow at 10 AM"]
    )
    type: MessageType = Field(
        description="Why; MARKETING is refused on this channel.", examples=["REMINDER"]
    )
    record: StrictBool = Field(
        default=False, description="Keep a recording of the call.", examples=[False]
    )
    timeout_seconds: Annotated[StrictInt, Field(ge=5, le=120)] = Field(
        default=30, description="How long it rings.", examples=[30]
    )
    max_duration_seconds: Annotated[StrictInt, Field(ge=60, le=3600)] = Field(
        default=300,
        description="The call is ended here; its minutes are held until the end is known.",
        examples=[300],
    )
    language: Word | None = Field(default=None, description="Of the voice.", examples=["en-US"])
    voice: Word | None = Field(default=None, description="Which one.", examples=["alice"])
    send_at: GivenInstant | None = Field(
        default=None,
        description="Not before this, at most 30 days ahead; in the past means now.",
        examples=["2026-04-16T15:00:00Z"],
    )
    valid_for_seconds: Validity | None = Field(
        default=None, description="How long it is worth calling.", examples=[3600]
    )
    metadata: Metadata | None = Field(
        default=None,
        description="Up to 50 strings of yours, given back with the call.",
        examples=[{"appointment": "A-1001"}],
    )


class V1TtsCallRequest(V1OmniVoiceSendRequest):
    """Ask for one call, with labels of the system that asks."""

    tenant_id: Label | None = Field(
        default=None, description="A sub-tenant of yours.", examples=["north"]
    )
    source_system: Label | None = Field(
        default=None, description="Which of your systems asks.", examples=["scheduler"]
    )
    use_case: Label | None = Field(default=None, description="What for.", examples=["reminder"])


class VoiceTtsCallView(MessageView):
    """A call, with the labels it was asked for with."""

    tenant_id: str | None = Field(description="A sub-tenant of yours.", examples=["north"])
    source_system: str | None = Field(description="Which system asked.", examples=["scheduler"])
    use_case: str | None = Field(description="What for.", examples=["reminder"])
