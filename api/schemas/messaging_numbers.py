"""Request and response schemas of messaging numbers, assignments and the 10DLC status."""

from typing import Annotated

from pydantic import Field, StringConstraints

from api.schemas.base import Instant, RequestBody, View
from api.schemas.messaging_brands import V1MerchantMessagingBrandView
from api.schemas.messaging_campaigns import V1MerchantMessagingCampaignView
from api.schemas.messaging_types import MessagingReason, Phone
from api.schemas.patterns import CAMPAIGN_ID
from models.rules.registration.vocabulary import AssignmentState, NumberState, NumberType


class AvailableNumberView(View):
    """A number that can be bought now. It is not reserved."""

    number: str = Field(description="Phone number in E.164 format.", examples=["+18135550100"])
    type: NumberType = Field(description="Kind of number.", examples=["LOCAL"])
    locality: str | None = Field(description="City. Null if unknown.", examples=["Tampa"])
    region: str | None = Field(
        description="Two-letter code of the state. Null if unknown.", examples=["FL"]
    )


class V1MerchantMessagingNumberRequest(RequestBody):
    """A number to buy for a merchant."""

    number: Phone = Field(
        description="Phone number in E.164 format, as listed by `GET …/numbers/available`.",
        examples=["+18135550100"],
    )


class V1MerchantMessagingNumberView(View):
    """A number of a merchant and its assignment."""

    number_id: str = Field(
        description="Identifier of the purchase, a decimal string.", examples=["3508819274466091"]
    )
    merchant_id: str = Field(description="Your identifier of the merchant.", examples=["gym-a"])
    number: str = Field(description="Phone number in E.164 format.", examples=["+18135550100"])
    type: NumberType = Field(
        description="Kind of number. Only LOCAL numbers can be assigned to 10DLC campaigns.",
        examples=["LOCAL"],
    )
    status: NumberState = Field(
        description="REQUESTED: being bought. ACTIVE: bought. FAILED: could not be bought, see "
        "`reasons`. RELEASING, RELEASED, RELEASE_FAILED: return in progress, done, failed; after "
        "RELEASE_FAILED the merchant still has the number.",
        examples=["ACTIVE"],
    )
    campaign_id: str | None = Field(
        description="The campaign the number is assigned to. Null if none.",
        examples=["2764410935571820"],
    )
    assignment_status: AssignmentState | None = Field(
        description="PENDING: being assigned. ASSIGNED: the number may send for the campaign. "
        "FAILED: see `reasons`. UNASSIGNING, UNASSIGNED, UNASSIGN_FAILED: removal from the "
        "campaign in progress, done, failed. Null without an assignment.",
        examples=["ASSIGNED"],
    )
    reasons: list[MessagingReason] = Field(
        description="Why the purchase, assignment or release failed. Empty otherwise.",
        examples=[[]],
    )
    bought_at: Instant | None = Field(
        description="Time of the purchase. Null until it is complete.",
        examples=["2026-04-16T13:20:32.942Z"],
    )
    assigned_at: Instant | None = Field(
        description="Time of the assignment. Null if none.", examples=["2026-04-16T13:20:32.942Z"]
    )
    released_at: Instant | None = Field(
        description="Time of the release. Null until it is complete.", examples=[None]
    )
    updated_at: Instant = Field(
        description="Time of the last change.", examples=["2026-04-16T13:20:32.942Z"]
    )


class V1MerchantMessagingAssignmentRequest(RequestBody):
    """The assignment of a number to an approved campaign."""

    campaign_id: Annotated[str, StringConstraints(pattern=CAMPAIGN_ID)] = Field(
        description="Identifier of the campaign.", examples=["2764410935571820"]
    )


class V1MerchantMessagingAssignmentView(View):
    """The assignment of a number to a campaign."""

    merchant_id: str = Field(description="Your identifier of the merchant.", examples=["gym-a"])
    number: str = Field(description="Phone number in E.164 format.", examples=["+18135550100"])
    number_id: str = Field(
        description="Identifier of the purchase of the number.", examples=["3508819274466091"]
    )
    campaign_id: str = Field(
        description="The campaign the number is assigned to.", examples=["2764410935571820"]
    )
    status: AssignmentState = Field(
        description="PENDING: being assigned. ASSIGNED: the number may send for the campaign. "
        "FAILED: see `reasons`. UNASSIGNING, UNASSIGNED, UNASSIGN_FAILED: removal from the "
        "campaign in progress, done, failed.",
        examples=["PENDING"],
    )
    reasons: list[MessagingReason] = Field(
        description="Why the assignment failed. Empty otherwise.", examples=[[]]
    )
    assigned_at: Instant | None = Field(
        description="Time of the assignment. Null until it is complete.",
        examples=["2026-04-16T13:20:32.942Z"],
    )
    updated_at: Instant = Field(
        description="Time of the last change.", examples=["2026-04-16T13:20:32.942Z"]
    )


class MessagingThroughput(View):
    """Throughput of the merchant's assigned numbers."""

    numbers: int = Field(description="Number of phone numbers that may send.", examples=[1])
    segments_per_second: str | None = Field(
        description="SMS segments per second of all numbers together, from the campaigns or an "
        "operator's setting. Null if no limit is known.",
        examples=["4.5"],
    )


class V1MerchantMessagingStatusView(View):
    """The 10DLC status of a merchant: registrations, missing steps and permission to send."""

    merchant_id: str = Field(description="Your identifier of the merchant.", examples=["gym-a"])
    a2p_allowed: bool = Field(
        alias="a2pAllowed",
        description="Whether brand and campaign are approved and a number is assigned.",
        examples=[True],
    )
    missing: list[str] = Field(
        description="Missing steps as human-readable text, next step first. Empty if none is "
        "missing.",
        examples=[[]],
    )
    brand: V1MerchantMessagingBrandView | None = Field(
        description="The brand. Null if there is none.", examples=[None]
    )
    campaigns: list[V1MerchantMessagingCampaignView] = Field(
        description="The newest 100 campaigns, newest first.", examples=[[]]
    )
    numbers: list[V1MerchantMessagingNumberView] = Field(
        description="The newest 100 numbers, newest first. Released numbers and failed purchases "
        "are omitted.",
        examples=[[]],
    )
    throughput: MessagingThroughput = Field(
        description="Throughput of the assigned numbers.",
        examples=[{"numbers": 1, "segmentsPerSecond": "4.5"}],
    )
