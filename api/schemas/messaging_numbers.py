"""Messaging numbers, their assignment, and the one compliance view, as the contract writes them."""

from typing import Annotated

from pydantic import Field, StringConstraints

from api.schemas.base import Instant, RequestBody, View
from api.schemas.messaging import (
    MessagingReason,
    Phone,
    V1MerchantMessagingBrandView,
    V1MerchantMessagingCampaignView,
)
from models.rules.registration.vocabulary import AssignmentState, NumberState, NumberType


class AvailableNumberView(View):
    """A number that can be bought now; nobody keeps it for you."""

    number: str = Field(description="In E.164 form.", examples=["+18132201000"])
    type: NumberType = Field(description="What kind of number.", examples=["LOCAL"])
    locality: str | None = Field(description="City.", examples=["Tampa"])
    region: str | None = Field(description="State, two letters.", examples=["FL"])


class V1MerchantMessagingNumberRequest(RequestBody):
    """Buy one number for a merchant."""

    number: Phone = Field(
        description="Which one, as listed by GET numbers/available.", examples=["+18132201000"]
    )


class V1MerchantMessagingNumberView(View):
    """A number of a merchant, and where its assignment stands."""

    number_id: str = Field(description="Our id of this purchase.", examples=["31"])
    merchant_id: str = Field(description="Whose it is.", examples=["gym-a"])
    number: str = Field(description="In E.164 form.", examples=["+18132201000"])
    type: NumberType = Field(description="What kind of number.", examples=["LOCAL"])
    status: NumberState = Field(
        description="REQUESTED until it is bought; ACTIVE while it is the merchant's.",
        examples=["ACTIVE"],
    )
    campaign_id: str | None = Field(description="The campaign it sends for.", examples=["12"])
    assignment_status: AssignmentState | None = Field(
        description="Where its assignment stands; null until there is one.", examples=["ASSIGNED"]
    )
    reasons: list[MessagingReason] = Field(description="Why something failed.", examples=[[]])
    bought_at: Instant | None = Field(
        description="When it became the merchant's.", examples=["2026-04-16T13:20:32.942Z"]
    )
    assigned_at: Instant | None = Field(
        description="When it was assigned.", examples=["2026-04-16T13:20:32.942Z"]
    )
    released_at: Instant | None = Field(description="When it was given back.", examples=[None])
    updated_at: Instant = Field(
        description="When anything changed.", examples=["2026-04-16T13:20:32.942Z"]
    )


class V1MerchantMessagingAssignmentRequest(RequestBody):
    """Let a number send for an approved campaign."""

    campaign_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")] = Field(
        description="Our id of the campaign.", examples=["12"]
    )


class V1MerchantMessagingAssignmentView(View):
    """Where the assignment of a number stands."""

    merchant_id: str = Field(description="Whose it is.", examples=["gym-a"])
    number: str = Field(description="In E.164 form.", examples=["+18132201000"])
    number_id: str = Field(description="Our id of this purchase.", examples=["31"])
    campaign_id: str = Field(description="The campaign it sends for.", examples=["12"])
    status: AssignmentState = Field(description="Where it stands.", examples=["PENDING"])
    reasons: list[MessagingReason] = Field(description="Why it failed.", examples=[[]])
    assigned_at: Instant | None = Field(
        description="When it was assigned.", examples=["2026-04-16T13:20:32.942Z"]
    )
    updated_at: Instant = Field(
        description="When anything changed.", examples=["2026-04-16T13:20:32.942Z"]
    )


class MessagingThroughput(View):
    """How much the merchant may send from its assigned numbers."""

    numbers: int = Field(description="Numbers that may send.", examples=[1])
    segments_per_second: str | None = Field(
        description="SMS segments a second, all of them together, as campaigns allow or an"
        " operator set; null: no limit is known.",
        examples=["4.5"],
    )


class V1MerchantMessagingStatusView(View):
    """One compliance view: what is registered, what is missing, whether the merchant may send."""

    merchant_id: str = Field(description="Whose it is.", examples=["gym-a"])
    a2p_allowed: bool = Field(
        alias="a2pAllowed",
        description="Brand and campaign are approved, and a number is assigned.",
        examples=[True],
    )
    missing: list[str] = Field(
        description="What to do next, in words, the next thing first; empty if nothing is missing.",
        examples=[[]],
    )
    brand: V1MerchantMessagingBrandView | None = Field(
        description="The brand, if there is one.", examples=[None]
    )
    campaigns: list[V1MerchantMessagingCampaignView] = Field(
        description="Its campaigns, the newest first, at most 100.", examples=[[]]
    )
    numbers: list[V1MerchantMessagingNumberView] = Field(
        description="Its numbers, the newest first, at most 100; none that were released or "
        "could not be bought.",
        examples=[[]],
    )
    throughput: MessagingThroughput = Field(
        description="How much it may send.", examples=[{"numbers": 1, "segmentsPerSecond": "4.5"}]
    )
