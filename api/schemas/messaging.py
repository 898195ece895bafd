"""Request and response schemas of 10DLC brands and campaigns."""

from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, StringConstraints

from api.schemas import patterns
from api.schemas.base import Instant, RequestBody, View
from api.schemas.text_types import OneLine
from api.services.consent.contacts import read_contact
from models.enums import Channel
from models.errors import InvalidEmail, InvalidPhoneNumber
from models.rules.registration.checks import MOST_SUB_USE_CASES
from models.rules.registration.vocabulary import (
    AltBusinessIdType,
    EntityType,
    RegistrationState,
    UseCase,
    Vertical,
)


def _number(given: str) -> str:
    try:
        return read_contact(Channel.SMS, given)
    except InvalidPhoneNumber as error:
        raise ValueError("must be a phone number in E.164 form, such as +12015550123") from error


def _address(given: str) -> str:
    try:
        return read_contact(Channel.EMAIL, given)
    except InvalidEmail as error:
        raise ValueError("must be an e-mail address, such as anna@example.com") from error


def _digits(given: str) -> str:
    """Parse a tax number; in the US it is often written with a hyphen."""
    return given.replace("-", "")


Line = Annotated[OneLine, StringConstraints(max_length=100)]
StockExchange = Annotated[str, StringConstraints(pattern=patterns.STOCK_EXCHANGE)]
Phone = Annotated[str, StringConstraints(max_length=32), AfterValidator(_number)]
Email = Annotated[str, StringConstraints(max_length=100), AfterValidator(_address)]
Site = Annotated[str, StringConstraints(max_length=100, pattern=patterns.SITE)]
Page = Annotated[str, StringConstraints(max_length=255, pattern=patterns.SITE)]
TaxNumber = Annotated[
    str,
    StringConstraints(max_length=20, pattern=patterns.TAX_NUMBER),
    AfterValidator(_digits),
]
Keyword = Annotated[str, StringConstraints(pattern=patterns.KEYWORD)]
Keywords = Annotated[list[Keyword], Field(max_length=50)]
Answer = Annotated[str, StringConstraints(min_length=20, max_length=320)]
Sample = Annotated[str, StringConstraints(min_length=20, max_length=1024)]


class MessagingReason(View):
    """Why the registry rejected a request, in a form that can be shown next to a field."""

    code: str = Field(description="The registry's own code.", examples=["30794"])
    field: str | None = Field(
        description="Name of the request field that was rejected. Null if no single field was.",
        examples=["ein"],
    )
    message: str = Field(
        description="Human-readable description.",
        examples=["The EIN does not belong to this legal name."],
    )


class _BrandFields(RequestBody):
    legal_name: Annotated[OneLine, StringConstraints(max_length=255)] | None = Field(
        default=None,
        description="Legal name as registered with the tax authority. Required unless `entityType` "
        "is SOLE_PROPRIETOR.",
        examples=["Gym A LLC"],
    )
    display_name: Line = Field(description="Brand name that recipients know.", examples=["Gym A"])
    entity_type: EntityType = Field(
        description="Legal form of the business.", examples=["PRIVATE_PROFIT"]
    )
    vertical: Vertical = Field(description="Industry of the business.", examples=["HEALTHCARE"])
    ein: TaxNumber | None = Field(
        default=None,
        description="Tax number (EIN), 9 digits in the US; hyphens are ignored. Required unless "
        "`entityType` is SOLE_PROPRIETOR. Responses show the last four digits only.",
        examples=["12-3456789"],
    )
    phone: Phone = Field(
        description="Phone number of the business in E.164 format.", examples=["+18135551234"]
    )
    email: Email = Field(
        description="Contact e-mail address of the business.", examples=["owner@gym-a.example"]
    )
    street: Line = Field(description="Street and house number.", examples=["1 Main Street"])
    city: Line = Field(description="City.", examples=["Tampa"])
    state: Annotated[str, StringConstraints(min_length=1, max_length=20)] = Field(
        description="State or region. For the US, the two-letter USPS code in capital letters.",
        examples=["FL"],
    )
    postal_code: Annotated[str, StringConstraints(min_length=1, max_length=10)] = Field(
        description="Postal code. For the US, 5 digits.", examples=["33602"]
    )
    country: Annotated[str, StringConstraints(pattern=patterns.COUNTRY)] = Field(
        default="US",
        description="Country code, ISO 3166-1 alpha-2, in capital letters. Default: US.",
        examples=["US"],
    )
    website: Site | None = Field(
        default=None, description="URL of the website.", examples=["https://gym-a.example"]
    )
    stock_symbol: Annotated[str, StringConstraints(pattern=patterns.STOCK_SYMBOL)] | None = Field(
        default=None, description="Stock symbol. Required for PUBLIC_PROFIT.", examples=["GYMA"]
    )
    stock_exchange: StockExchange | None = Field(
        default=None, description="Stock exchange. Required for PUBLIC_PROFIT.", examples=["NASDAQ"]
    )
    business_contact_email: Email | None = Field(
        default=None,
        description="E-mail address in the company's own domain. Required for PUBLIC_PROFIT.",
        examples=["compliance@gym-a.example"],
    )
    first_name: Line | None = Field(
        default=None, description="First name. Required for SOLE_PROPRIETOR.", examples=["Ada"]
    )
    last_name: Line | None = Field(
        default=None, description="Last name. Required for SOLE_PROPRIETOR.", examples=["Smith"]
    )
    mobile_phone: Phone | None = Field(
        default=None,
        description="Mobile number in E.164 format, to which the registry sends a verification "
        "code. Required for SOLE_PROPRIETOR.",
        examples=["+18135551234"],
    )
    alt_business_id: Annotated[str, StringConstraints(pattern=patterns.ALT_BUSINESS_ID)] | None = (
        Field(
            default=None,
            description="Alternative identifier; its kind is `altBusinessIdType`.",
            examples=["123456789"],
        )
    )
    alt_business_id_type: AltBusinessIdType | None = Field(
        default=None, description="Kind of `altBusinessId`.", examples=["DUNS"]
    )


class V1MerchantMessagingBrandRequest(_BrandFields):
    """A 10DLC brand to register, or the correction of a draft or rejected one."""

    submit: StrictBool = Field(
        default=True,
        description="Whether to submit it to the registry; false keeps a draft. Default: true.",
        examples=[True],
    )


class V1MerchantMessagingBrandView(View):
    """A 10DLC brand and its current status."""

    brand_id: str = Field(description="Identifier of the brand, a decimal string.", examples=["7"])
    merchant_id: str = Field(description="Your identifier of the merchant.", examples=["gym-a"])
    status: RegistrationState = Field(
        description="DRAFT: not submitted. PENDING: under review by the registry. APPROVED. "
        "REJECTED: see `reasons`; correct it and submit again.",
        examples=["PENDING"],
    )
    reasons: list[MessagingReason] = Field(
        description="Why the brand was rejected. Empty otherwise.", examples=[[]]
    )
    revision: int = Field(
        description="Number of times the brand was written, starting at 1.", examples=[1]
    )
    legal_name: str | None = Field(description="Legal name.", examples=["Gym A LLC"])
    display_name: str = Field(description="Brand name that recipients know.", examples=["Gym A"])
    entity_type: EntityType = Field(
        description="Legal form of the business.", examples=["PRIVATE_PROFIT"]
    )
    vertical: Vertical = Field(description="Industry of the business.", examples=["HEALTHCARE"])
    ein: str | None = Field(
        description="Tax number, masked except for the last four digits. Null if none was given.",
        examples=["*****6789"],
    )
    phone: str = Field(
        description="Phone number of the business in E.164 format.", examples=["+18135551234"]
    )
    email: str = Field(
        description="Contact e-mail address of the business.", examples=["owner@gym-a.example"]
    )
    street: str = Field(description="Street and house number.", examples=["1 Main Street"])
    city: str = Field(description="City.", examples=["Tampa"])
    state: str = Field(description="State or region.", examples=["FL"])
    postal_code: str = Field(description="Postal code.", examples=["33602"])
    country: str = Field(description="Country code, ISO 3166-1 alpha-2.", examples=["US"])
    website: str | None = Field(
        description="URL of the website.", examples=["https://gym-a.example"]
    )
    stock_symbol: str | None = Field(
        description="Stock symbol of a public company.", examples=[None]
    )
    stock_exchange: str | None = Field(
        description="Stock exchange of a public company.", examples=[None]
    )
    business_contact_email: str | None = Field(
        description="E-mail address in the company's own domain.", examples=[None]
    )
    first_name: str | None = Field(description="First name of a sole proprietor.", examples=[None])
    last_name: str | None = Field(description="Last name of a sole proprietor.", examples=[None])
    mobile_phone: str | None = Field(
        description="Mobile number of a sole proprietor, in E.164 format.", examples=[None]
    )
    alt_business_id: str | None = Field(
        description="Alternative business identifier.", examples=[None]
    )
    alt_business_id_type: AltBusinessIdType | None = Field(
        description="Kind of `altBusinessId`.", examples=[None]
    )
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


class _CampaignFields(RequestBody):
    use_case: UseCase = Field(
        description="Use case of the campaign.", examples=["ACCOUNT_NOTIFICATION"]
    )
    sub_use_cases: Annotated[list[UseCase], Field(max_length=MOST_SUB_USE_CASES)] = Field(
        default_factory=list,
        description="Sub use cases: at least 2 for MIXED, at least 1 for LOW_VOLUME, none for "
        "other use cases.",
        examples=[[]],
    )
    description: Annotated[str, StringConstraints(min_length=40, max_length=4096)] = Field(
        description="What is sent and to whom, 40 to 4096 characters.",
        examples=["Members of the gym are told about their bookings and payments."],
    )
    message_flow: Annotated[str, StringConstraints(min_length=40, max_length=2048)] = Field(
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
        "that no further messages are sent.",
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
        examples=["12"],
    )
    submit: StrictBool = Field(
        default=True,
        description="Whether to submit it to the registry; false keeps a draft. Default: true.",
        examples=[True],
    )


class V1MerchantMessagingCampaignView(View):
    """A 10DLC campaign and its current status."""

    campaign_id: str = Field(
        description="Identifier of the campaign, a decimal string.", examples=["12"]
    )
    merchant_id: str = Field(description="Your identifier of the merchant.", examples=["gym-a"])
    brand_id: str = Field(description="The brand the campaign belongs to.", examples=["7"])
    status: RegistrationState = Field(
        description="DRAFT: not submitted. PENDING: under review by the registry. APPROVED. "
        "REJECTED: see `reasons`; correct it and submit again.",
        examples=["APPROVED"],
    )
    reasons: list[MessagingReason] = Field(
        description="Why the campaign was rejected. Empty otherwise.", examples=[[]]
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
