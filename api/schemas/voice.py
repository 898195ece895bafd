"""Request and response schemas of text-to-speech calls."""

from typing import Annotated

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from api.schemas.base import GivenInstant, MerchantId, RequestBody
from api.schemas.messages import MessageView, Metadata, Validity
from api.schemas.patterns import LABEL
from api.schemas.text_types import Speech
from models.enums import MessageType

Label = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=LABEL)]


class V1OmniVoiceSendRequest(RequestBody):
    """A text-to-speech call of a merchant."""

    merchant_id: MerchantId = Field(description="The merchant that calls.", examples=["gym-a"])
    to: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        description="Phone number to call in E.164 format. Spaces and `( ) . - /` between digits "
        "are ignored.",
        examples=["+18135551234"],
    )
    text: Annotated[Speech, StringConstraints(max_length=3000)] = Field(
        description="Text to speak, 1 to 3000 characters, without control characters and line "
        "breaks.",
        examples=["Your appointment is tomorrow at 10 AM"],
    )
    type: MessageType = Field(
        description="Purpose of the call. It decides which consent is required and the priority. "
        "MARKETING is refused with 403 `CHANNEL_NOT_ALLOWED`.",
        examples=["REMINDER"],
    )
    record: StrictBool = Field(
        default=False, description="Whether to record the call. Default: false.", examples=[False]
    )
    timeout_seconds: Annotated[StrictInt, Field(ge=5, le=120)] = Field(
        default=30,
        description="Seconds to ring before giving up, 5 to 120. Default: 30.",
        examples=[30],
    )
    max_duration_seconds: Annotated[StrictInt, Field(ge=60, le=3600)] = Field(
        default=300,
        description="Maximum duration in seconds, 60 to 3600; the provider ends the call then. Its "
        "minutes are held until the call ends. Default: 300.",
        examples=[300],
    )
    language: Word | None = Field(
        default=None, description="Language of the voice, such as en-US.", examples=["en-US"]
    )
    voice: Word | None = Field(default=None, description="Name of the voice.", examples=["alice"])
    send_at: GivenInstant | None = Field(
        default=None,
        description="Earliest time to call, at most 30 days ahead. A time in the past means now.",
        examples=["2026-04-16T15:00:00Z"],
    )
    valid_for_seconds: Validity | None = Field(
        default=None,
        description="Seconds from `sendAt`, or else from acceptance, after which the call is no "
        "longer placed and ends FAILED with `errorCode` EXPIRED. Default: 600 for OTP, otherwise "
        "unlimited.",
        examples=[3600],
    )
    metadata: Metadata | None = Field(
        default=None,
        description="Up to 50 key-value pairs of your own, returned with the call. Keys have at "
        "most 40 characters, values 500.",
        examples=[{"appointment": "A-1001"}],
    )


class V1TtsCallRequest(V1OmniVoiceSendRequest):
    """A text-to-speech call with labels of the requesting system."""

    shown = ("tenantId", "sourceSystem", "useCase")

    tenant_id: Label | None = Field(
        default=None, description="Label of a sub-tenant of yours.", examples=["north"]
    )
    source_system: Label | None = Field(
        default=None,
        description="Label of the system that requests the call.",
        examples=["scheduler"],
    )
    use_case: Label | None = Field(
        default=None, description="Label of the use case.", examples=["reminder"]
    )


class VoiceTtsCallView(MessageView):
    """A call with the labels of its request."""

    tenant_id: str | None = Field(
        description="Label of the sub-tenant. Null if none was given.", examples=["north"]
    )
    source_system: str | None = Field(
        description="Label of the requesting system. Null if none was given.",
        examples=["scheduler"],
    )
    use_case: str | None = Field(
        description="Label of the use case. Null if none was given.", examples=["reminder"]
    )
