"""Request and response schemas of 10DLC campaigns."""

from typing import Annotated

from pydantic import Field, StrictBool, StringConstraints

from api.schemas import patterns
from api.schemas.base import Instant, RequestBody, View
from api.schemas.messaging_types import (
    Answer,
    Description,
    Keywords,
    MessageFlow,
    MessagingReason,
    MessagingWarning,
    Page,
    Sample,
)
from models.rules.registration.checks import MOST_SUB_USE_CASES
from models.rules.registration.vocabulary import RegistrationState, UseCase


class _CampaignFields(RequestBody):
    use_case: UseCase = Field(
        description="Use case of the campaign.", examples=["ACCOUNT_NOTIFICATION"]
    )
    sub_use_cases: Annotated[list[UseCase], Field(max_length=MOST_SUB_USE_CASES)] = Field(
        default_factory=list,
        description="Sub use cases: at least 2 for MIXED, at least 1 for LOW_VOLUME, none for "
        "other use cases. Default: none.",
        examples=[[]],
    )
    description: Description = Field(
        description="What is sent and to whom, 40 to 4096 characters.",
        examples=["Members of the gym are told about their bookings and payments."],
    )
    message_flow: MessageFlow = Field(
        description="How recipients opt in, 40 to 2048 characters.",
        examples=["Members tick a box when they sign up at https://gym-a.example/join."],
    )
    samples: Annotated[list[Sample], Field(min_length=2, max_length=5)] = Field(
        description="2 to 5 sample messages of 20 to 1024 characters each.",
        examples=[["Gym A: your class starts at 9.", "Gym A: your payment of $10 is due."]],
    )
    opt_in_keywords: Keywords = Field(
        default_factory=list,
        description="Keywords that opt in, beside START, YES and UNSTOP. Default: none.",
        examples=[["START"]],
    )
    opt_out_keywords: Keywords = Field(
        default_factory=lambda: ["STOP"],
        description="Keywords that opt out when they are texted to a number of the campaign, "
        "beside the built-in ones. The list must contain STOP. Default: STOP.",
        examples=[["STOP"]],
    )
    help_keywords: Keywords = Field(
        default_factory=lambda: ["HELP"],
        description="Keywords that request help, beside HELP and INFO. Default: HELP.",
        examples=[["HELP"]],
    )
    opt_in_message: Answer | None = Field(
        default=None,
        description="Reply to an opt-in, 20 to 320 characters. It must name the brand.",
        examples=["Gym A: you are subscribed. Reply HELP for help, STOP to end."],
    )
    opt_out_message: Answer = Field(
        description="Reply to an opt-out, 20 to 320 characters. It must name the brand and state "
        "that no further messages are sent; see `warnings` of the response.",
        examples=["Gym A: you will receive no more messages from us."],
    )
    help_message: Answer = Field(
        description="Reply to a help keyword, 20 to 320 characters. It must name the brand and a "
        "contact.",
        examples=["Gym A: for help write to help@gym-a.example. Reply STOP to end."],
    )
    embedded_link: StrictBool = Field(
        default=False,
        description="Whether messages contain links. Default: false.",
        examples=[False],
    )
    embedded_phone: StrictBool = Field(
        default=False,
        description="Whether messages contain phone numbers. Default: false.",
        examples=[False],
    )
    age_gated: StrictBool = Field(
        default=False,
        description="Whether the content is for adults only. Default: false.",
        examples=[False],
    )
    direct_lending: StrictBool = Field(
        default=False,
        description="Whether the content concerns direct lending. Default: false.",
        examples=[False],
    )
    number_pool: StrictBool = Field(
        default=False,
        description="Whether more than 49 numbers send for the campaign. Default: false.",
        examples=[False],
    )
    privacy_policy_url: Page | None = Field(
        default=None,
        description="URL of the privacy policy.",
        examples=["https://gym-a.example/privacy"],
    )
    terms_url: Page | None = Field(
        default=None,
        description="URL of the terms of service.",
        examples=["https://gym-a.example/terms"],
    )


class V1MerchantMessagingCampaignRequest(_CampaignFields):
    """A 10DLC campaign to register under the approved brand, or a correction."""

    campaign_id: Annotated[str, StringConstraints(pattern=patterns.CAMPAIGN_ID)] | None = Field(
        default=None,
        description="The draft or rejected campaign to correct. Absent: a new campaign.",
        examples=["2764410935571820"],
    )
    submit: StrictBool = Field(
        default=True,
        description="Whether to submit it to the registry; false keeps a draft. Default: true.",
        examples=[True],
    )


class V1MerchantMessagingCampaignView(View):
    """A 10DLC campaign and its current status."""

    campaign_id: str = Field(
        description="Identifier of the campaign, a decimal string.", examples=["2764410935571820"]
    )
    merchant_id: str = Field(description="Your identifier of the merchant.", examples=["gym-a"])
    brand_id: str = Field(
        description="The brand the campaign belongs to.", examples=["1930447716205538"]
    )
    status: RegistrationState = Field(
        description="DRAFT: not submitted. PENDING: under review by the registry. APPROVED. "
        "REJECTED: see `reasons`; correct it and submit again.",
        examples=["APPROVED"],
    )
    reasons: list[MessagingReason] = Field(
        description="Why the campaign was rejected. Empty otherwise.", examples=[[]]
    )
    warnings: list[MessagingWarning] = Field(
        description="What the registry may reject and what could not be checked, such as a text "
        "in another language. The campaign is accepted all the same.",
        examples=[[]],
    )
    revision: int = Field(
        description="Number of times the campaign was written, starting at 1.", examples=[1]
    )
    use_case: UseCase = Field(
        description="Use case of the campaign.", examples=["ACCOUNT_NOTIFICATION"]
    )
    sub_use_cases: list[UseCase] = Field(
        description="Sub use cases of a MIXED or LOW_VOLUME campaign.", examples=[[]]
    )
    description: str = Field(
        description="What is sent and to whom.", examples=["Bookings and payments."]
    )
    message_flow: str = Field(description="How recipients opt in.", examples=["At sign-up."])
    samples: list[str] = Field(
        description="Sample messages.", examples=[["Your class starts at 9."]]
    )
    opt_in_keywords: list[str] = Field(description="Keywords that opt in.", examples=[["START"]])
    opt_out_keywords: list[str] = Field(description="Keywords that opt out.", examples=[["STOP"]])
    help_keywords: list[str] = Field(description="Keywords that request help.", examples=[["HELP"]])
    opt_in_message: str | None = Field(description="Reply to an opt-in.", examples=[None])
    opt_out_message: str = Field(description="Reply to an opt-out.", examples=["No more."])
    help_message: str = Field(description="Reply to a help keyword.", examples=["Write to us."])
    embedded_link: bool = Field(description="Whether messages contain links.", examples=[False])
    embedded_phone: bool = Field(
        description="Whether messages contain phone numbers.", examples=[False]
    )
    age_gated: bool = Field(description="Whether the content is for adults only.", examples=[False])
    direct_lending: bool = Field(
        description="Whether the content concerns direct lending.", examples=[False]
    )
    number_pool: bool = Field(
        description="Whether more than 49 numbers send for the campaign.", examples=[False]
    )
    privacy_policy_url: str | None = Field(
        description="URL of the privacy policy.", examples=[None]
    )
    terms_url: str | None = Field(description="URL of the terms of service.", examples=[None])
    submitted_at: Instant | None = Field(
        description="Time of the last submission. Null for a draft that was never submitted.",
        examples=["2026-04-16T13:20:32.942Z"],
    )
    decided_at: Instant | None = Field(
        description="Time of the registry's last decision. Null if there is none.",
        examples=["2026-04-18T09:00:00.000Z"],
    )
    updated_at: Instant = Field(
        description="Time of the last change.", examples=["2026-04-16T13:20:32.942Z"]
    )
