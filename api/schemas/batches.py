"""Request and response schemas of batches."""

from typing import Annotated, Any, Final, TypeAlias

from pydantic import Field, create_model

from api.schemas.base import Instant, MerchantId, RequestBody, View
from api.schemas.email import V1OmniEmailSendRequest
from api.schemas.messages import V1OmniSmsSendRequest
from api.schemas.patterns import IDEMPOTENCY_KEY
from api.schemas.voice import V1OmniVoiceSendRequest
from models.enums import BatchStatus, Channel
from models.rules.messages.batches.keys import MAX_LINES

IdempotencyKey = Annotated[str, Field(pattern=IDEMPOTENCY_KEY)]

_KEY: Final[Any] = Field(
    default=None,
    description="Idempotency-Key of this message, 1 to 255 visible ASCII characters; the same key "
    "sent outside of a batch means the same message. Default: the Idempotency-Key of the batch, or "
    "its `batchId`, followed by `/` and the line.",
    examples=["otp-20260416-001"],
)


def _line_of(name: str, single: type[RequestBody]) -> type[RequestBody]:
    """Return the schema of a line: the body of a single send without merchantId, with a key."""
    fields: dict[str, Any] = {
        field: (info.annotation, info)
        for field, info in single.model_fields.items()
        if field != "merchant_id"
    }
    return create_model(
        name,
        __base__=RequestBody,
        __doc__=f"{(single.__doc__ or '').partition(' of ')[0]} in a batch.",
        **fields,
        key=(IdempotencyKey | None, _KEY),
    )


V1BatchSms: Final = _line_of("V1BatchSms", V1OmniSmsSendRequest)
V1BatchVoice: Final = _line_of("V1BatchVoice", V1OmniVoiceSendRequest)
V1BatchEmail: Final = _line_of("V1BatchEmail", V1OmniEmailSendRequest)

BatchMessage: TypeAlias = V1BatchSms | V1BatchVoice | V1BatchEmail  # type: ignore[valid-type]


class BatchHead(RequestBody):
    """What all messages of a batch have in common; the first line of NDJSON."""

    merchant_id: MerchantId = Field(description="The merchant that sends.", examples=["gym-a"])
    channel: Channel = Field(description="Channel of all messages.", examples=["SMS"])


class V1BatchSendRequest(BatchHead):
    """Up to 10,000 messages of one merchant on one channel."""

    messages: list[BatchMessage] = Field(
        min_length=1,
        max_length=MAX_LINES,
        description="The messages, 1 to 10,000: each is the body of a single send on the channel "
        "without `merchantId`, and may have a `key`.",
        examples=[[{"to": "+18135551234", "message": "Your OTP is 123456", "type": "OTP"}]],
    )


class BatchCounts(View):
    """Messages of a batch by status."""

    queued: int = Field(description="Messages that are QUEUED.", examples=[0])
    scheduled: int = Field(description="Messages that are SCHEDULED.", examples=[0])
    sending: int = Field(description="Messages that are SENDING.", examples=[12])
    sent: int = Field(description="Messages that are SENT.", examples=[188])
    delivered: int = Field(description="Messages that are DELIVERED.", examples=[9_700])
    undelivered: int = Field(description="Messages that are UNDELIVERED.", examples=[60])
    failed: int = Field(description="Messages that are FAILED.", examples=[20])
    canceled: int = Field(description="Messages that are CANCELED.", examples=[0])
    unknown: int = Field(description="Messages that are UNKNOWN.", examples=[0])


class BatchView(View):
    """A batch with its progress."""

    batch_id: str = Field(
        description="Identifier of the batch, a decimal string.", examples=["2967034108253184"]
    )
    merchant_id: str = Field(description="The merchant that sends.", examples=["gym-a"])
    channel: Channel = Field(description="Channel.", examples=["SMS"])
    status: BatchStatus = Field(
        description="ACCEPTING while some lines are neither accepted nor refused, SENDING while a "
        "message is not completed, then COMPLETED. CANCELED from the request to cancel it.",
        examples=["SENDING"],
    )
    total: int = Field(description="Number of lines.", examples=[10_000])
    accepted: int = Field(
        description="Lines that were accepted so far. A line whose key belongs to an earlier, "
        "equal message is accepted as that message.",
        examples=[9_980],
    )
    refused: int = Field(description="Lines that were refused so far.", examples=[20])
    counts: BatchCounts = Field(
        description="The batch's messages by status. Messages that were accepted before, outside "
        "of it, are not counted."
    )
    created_at: Instant = Field(
        description="Time at which the batch was received.", examples=["2026-04-16T13:20:32.942Z"]
    )
    completed_at: Instant | None = Field(
        description="Time at which the last message was completed, or the last line refused. Null "
        "until then.",
        examples=[None],
    )


class BatchLineError(View):
    """Why a line was refused: what a single send would have been answered."""

    code: str = Field(description="Stable code of the error.", examples=["CONSENT_OPTED_OUT"])
    detail: str = Field(
        description="What is wrong.",
        examples=["The recipient opted out of this merchant's messages on this channel."],
    )


class BatchLineView(View):
    """A line of a batch; both `messageId` and `error` are null until it is decided."""

    line: int = Field(
        description="Number of the line, from 1; the first line of NDJSON is not counted.",
        examples=[1],
    )
    message_id: str | None = Field(
        description="The accepted message, a decimal string.", examples=["3364264052715392"]
    )
    error: BatchLineError | None = Field(description="Why it was refused.", examples=[None])
