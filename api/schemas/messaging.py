"""10DLC brands and campaigns, as the contract writes them."""

from typing import Annotated

from pydantic import AfterValidator, Field, StrictBool, StringConstraints

from api.schemas.base import Instant, RequestBody, View
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
        raise ValueError("must be a phone number in E.164 form") from error


def _address(given: str) -> str:
    try:
        return read_contact(Channel.EMAIL, given)
    except InvalidEmail as error:
        raise ValueError("must be an e-mail address") from error


def _digits(given: str) -> str:
    """Read a tax number; in the US it is often written with a hyphen."""
    return given.replace("-", "")


_SITE = r"^(https?://)?([A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}(:[0-9]{1,5})?(/\S*)?$"

Line = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"\S")]
Phone = Annotated[str, StringConstraints(max_length=32), AfterValidator(_number)]
Email = Annotated[str, StringConstraints(max_length=100), AfterValidator(_address)]
Site = Annotated[str, StringConstraints(max_length=100, pattern=_SITE)]
Page = Annotated[str, StringConstraints(max_length=255, pattern=_SITE)]
TaxNumber = Annotated[
    str,
    StringConstraints(max_length=20, pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$"),
    AfterValidator(_digits),
]
Keyword = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,255}$")]
Keywords = Annotated[list[Keyword], Field(max_length=50)]
Answer = Annotated[str, StringConstraints(min_length=20, max_length=320)]
Sample = Annotated[str, StringConstraints(min_length=20, max_length=1024)]


class MessagingReason(View):
    """Why the registry rejected something, so that a form can show it."""

    code: str = Field(description="The registry's own word.", examples=["30794"])
    field: str | None = Field(
        description="The field at fault, by its name in the request; null if it is none alone.",
        examples=["ein"],
    )
    message: str = Field(
        description="In words.", examples=["The EIN does not belong to this legal name."]
    )


class _BrandFields(RequestBody):
    legal_name: Annotated[str, StringConstraints(max_length=255, pattern=r"\S")] | None = Field(
        default=None,
        description="As registered with the tax authority; only a sole proprietor has none.",
        examples=["Gym A LLC"],
    )
    display_name: Line = Field(description="What recipients know it by.", examples=["Gym A"])
    entity_type: EntityType = Field(
        description="What kind of business.", examples=["PRIVATE_PROFIT"]
    )
    vertical: Vertical = Field(description="What it deals in.", examples=["HEALTHCARE"])
    ein: TaxNumber | None = Field(
        default=None,
        description="Tax number, 9 digits in the US; only a sole proprietor has none. Shown to "
        "nobody: answers hold its last four digits.",
        examples=["12-3456789"],
    )
    phone: Phone = Field(description="In E.164 form.", examples=["+18135551234"])
    email: Email = Field(description="Where it is reached.", examples=["owner@gym-a.example"])
    street: Line = Field(description="Street and house number.", examples=["1 Main Street"])
    city: Line = Field(description="City.", examples=["Tampa"])
    state: Annotated[str, StringConstraints(min_length=1, max_length=20)] = Field(
        description="In the US two capital letters: a state or territory, as USPS has them.",
        examples=["FL"],
    )
    postal_code: Annotated[str, StringConstraints(min_length=1, max_length=10)] = Field(
        description="5 digits in the US.", examples=["33602"]
    )
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = Field(
        default="US", description="ISO 3166-1 alpha-2: two capital letters.", examples=["US"]
    )
    website: Site | None = Field(
        default=None, description="Its web address.", examples=["https://gym-a.example"]
    )
    stock_symbol: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9.]{1,10}$")] | None = Field(
        default=None, description="Required for PUBLIC_PROFIT.", examples=["GYMA"]
    )
    stock_exchange: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_]{2,20}$")] | None = Field(
        default=None, description="Required for PUBLIC_PROFIT.", examples=["NASDAQ"]
    )
    business_contact_email: Email | None = Field(
        default=None,
        description="Required for PUBLIC_PROFIT: an address of the company's own domain.",
        examples=["compliance@gym-a.example"],
    )
    first_name: Line | None = Field(
        default=None, description="Required for SOLE_PROPRIETOR.", examples=["Ada"]
    )
    last_name: Line | None = Field(
        default=None, description="Required for SOLE_PROPRIETOR.", examples=["Smith"]
    )
    mobile_phone: Phone | None = Field(
        default=None,
        description="Required for SOLE_PROPRIETOR, whom the registry sends a code.",
        examples=["+18135551234"],
    )
    alt_business_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,50}$")] | None = (
        Field(default=None, description="Another number of the business.", examples=["123456789"])
    )
    alt_business_id_type: AltBusinessIdType | None = Field(
        default=None, description="What kind of number that is.", examples=["DUNS"]
    )


class V1MerchantMessagingBrandRequest(_BrandFields):
    """Register who a merchant is to the carriers, or correct a draft or a rejected brand."""

    submit: StrictBool = Field(
        default=True, description="False keeps it as a draft.", examples=[True]
    )


class V1MerchantMessagingBrandView(View):
    """A brand as it stands. Its tax number is shown by its last four digits only."""

    brand_id: str = Field(description="Our id of the brand.", examples=["7"])
    merchant_id: str = Field(description="Whose it is.", examples=["gym-a"])
    status: RegistrationState = Field(description="Where it stands.", examples=["PENDING"])
    reasons: list[MessagingReason] = Field(description="Why it was rejected.", examples=[[]])
    revision: int = Field(description="How often it was written.", examples=[1])
    legal_name: str | None = Field(description="Legal name.", examples=["Gym A LLC"])
    display_name: str = Field(description="What recipients know it by.", examples=["Gym A"])
    entity_type: EntityType = Field(description="Kind of business.", examples=["PRIVATE_PROFIT"])
    vertical: Vertical = Field(description="What it deals in.", examples=["HEALTHCARE"])
    ein: str | None = Field(description="Masked.", examples=["*****6789"])
    phone: str = Field(description="In E.164 form.", examples=["+18135551234"])
    email: str = Field(description="Where it is reached.", examples=["owner@gym-a.example"])
    street: str = Field(description="Street.", examples=["1 Main Street"])
    city: str = Field(description="City.", examples=["Tampa"])
    state: str = Field(description="State.", examples=["FL"])
    postal_code: str = Field(description="Postal code.", examples=["33602"])
    country: str = Field(description="ISO 3166-1.", examples=["US"])
    website: str | None = Field(description="Web address.", examples=["https://gym-a.example"])
    stock_symbol: str | None = Field(description="Of a public company.", examples=[None])
    stock_exchange: str | None = Field(description="Of a public company.", examples=[None])
    business_contact_email: str | None = Field(description="Company contact.", examples=[None])
    first_name: str | None = Field(description="Of a sole proprietor.", examples=[None])
    last_name: str | None = Field(description="Of a sole proprietor.", examples=[None])
    mobile_phone: str | None = Field(description="Of a sole proprietor.", examples=[None])
    alt_business_id: str | None = Field(description="Another number.", examples=[None])
    alt_business_id_type: AltBusinessIdType | None = Field(
        description="What kind of number that is.", examples=[None]
    )
    submitted_at: Instant | None = Field(
        description="When it was submitted last.", examples=["2026-04-16T13:20:32.942Z"]
    )
    decided_at: Instant | None = Field(
        description="When the registry decided last.", examples=["2026-04-18T09:00:00.000Z"]
    )
    updated_at: Instant = Field(
        description="When anything changed.", examples=["2026-04-16T13:20:32.942Z"]
    )


class _CampaignFields(RequestBody):
    use_case: UseCase = Field(description="What it is for.", examples=["ACCOUNT_NOTIFICATION"])
    sub_use_cases: Annotated[list[UseCase], Field(max_length=MOST_SUB_USE_CASES)] = Field(
        default_factory=list,
        description="At least 2 for MIXED, at least 1 for LOW_VOLUME, none for others.",
        examples=[[]],
    )
    description: Annotated[str, StringConstraints(min_length=40, max_length=4096)] = Field(
        description="What is sent, and to whom.",
        examples=["Members of the gym are told about their bookings and payments."],
    )
    message_flow: Annotated[str, StringConstraints(min_length=40, max_length=2048)] = Field(
        description="How recipients agree to it.",
        examples=["Members tick a box when they sign up at https://gym-a.example/join."],
    )
    samples: Annotated[list[Sample], Field(min_length=2, max_length=5)] = Field(
        description="2 to 5 messages as they will be sent.",
        examples=[["Gym A: your class starts at 9.", "Gym A: your payment of $10 is due."]],
    )
    opt_in_keywords: Keywords = Field(
        default_factory=list, description="Words that opt in.", examples=[["START"]]
    )
    opt_out_keywords: Keywords = Field(
        default_factory=lambda: ["STOP"], description="Words that opt out.", examples=[["STOP"]]
    )
    help_keywords: Keywords = Field(
        default_factory=lambda: ["HELP"],
        description="Words that ask for help.",
        examples=[["HELP"]],
    )
    opt_in_message: Answer | None = Field(
        default=None,
        description="The answer to an opt-in; names the brand.",
        examples=["Gym A: you are subscribed. Reply HELP for help, STOP to end."],
    )
    opt_out_message: Answer = Field(
        description="The answer to an opt-out; names the brand, says that no more will come.",
        examples=["Gym A: you will receive no more messages from us."],
    )
    help_message: Answer = Field(
        description="The answer to HELP; names the brand and a contact.",
        examples=["Gym A: for help write to help@gym-a.example. Reply STOP to end."],
    )
    embedded_link: StrictBool = Field(
        default=False, description="Messages hold links.", examples=[False]
    )
    embedded_phone: StrictBool = Field(
        default=False, description="Messages hold phone numbers.", examples=[False]
    )
    age_gated: StrictBool = Field(
        default=False, description="Contents for adults only.", examples=[False]
    )
    direct_lending: StrictBool = Field(
        default=False, description="About loans given directly.", examples=[False]
    )
    number_pool: StrictBool = Field(
        default=False, description="Sent from more than 49 numbers.", examples=[False]
    )
    privacy_policy_url: Page | None = Field(
        default=None, description="Privacy policy.", examples=["https://gym-a.example/privacy"]
    )
    terms_url: Page | None = Field(
        default=None, description="Terms.", examples=["https://gym-a.example/terms"]
    )


class V1MerchantMessagingCampaignRequest(_CampaignFields):
    """Register a campaign under the approved brand, or correct a draft or a rejected one."""

    campaign_id: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")] | None = Field(
        default=None, description="Which one to correct; none makes a new one.", examples=["12"]
    )
    submit: StrictBool = Field(
        default=True, description="False keeps it as a draft.", examples=[True]
    )


class V1MerchantMessagingCampaignView(View):
    """A campaign as it stands."""

    campaign_id: str = Field(description="Our id of the campaign.", examples=["12"])
    merchant_id: str = Field(description="Whose it is.", examples=["gym-a"])
    brand_id: str = Field(description="The brand it stands under.", examples=["7"])
    status: RegistrationState = Field(description="Where it stands.", examples=["APPROVED"])
    reasons: list[MessagingReason] = Field(description="Why it was rejected.", examples=[[]])
    revision: int = Field(description="How often it was written.", examples=[1])
    use_case: UseCase = Field(description="What it is for.", examples=["ACCOUNT_NOTIFICATION"])
    sub_use_cases: list[UseCase] = Field(description="Of a mixed one.", examples=[[]])
    description: str = Field(description="What is sent.", examples=["Bookings and payments."])
    message_flow: str = Field(description="How recipients agree.", examples=["At sign-up."])
    samples: list[str] = Field(description="Messages.", examples=[["Your class starts at 9."]])
    opt_in_keywords: list[str] = Field(description="Opt in.", examples=[["START"]])
    opt_out_keywords: list[str] = Field(description="Opt out.", examples=[["STOP"]])
    help_keywords: list[str] = Field(description="Ask for help.", examples=[["HELP"]])
    opt_in_message: str | None = Field(description="Answer to an opt-in.", examples=[None])
    opt_out_message: str = Field(description="Answer to an opt-out.", examples=["No more."])
    help_message: str = Field(description="Answer to HELP.", examples=["Write to us."])
    embedded_link: bool = Field(description="Holds links.", examples=[False])
    embedded_phone: bool = Field(description="Holds phone numbers.", examples=[False])
    age_gated: bool = Field(description="For adults only.", examples=[False])
    direct_lending: bool = Field(description="About loans.", examples=[False])
    number_pool: bool = Field(description="From many numbers.", examples=[False])
    privacy_policy_url: str | None = Field(description="Privacy policy.", examples=[None])
    terms_url: str | None = Field(description="Terms.", examples=[None])
    submitted_at: Instant | None = Field(
        description="When it was submitted last.", examples=["2026-04-16T13:20:32.942Z"]
    )
    decided_at: Instant | None = Field(
        description="When the registry decided last.", examples=["2026-04-18T09:00:00.000Z"]
    )
    updated_at: Instant = Field(
        description="When anything changed.", examples=["2026-04-16T13:20:32.942Z"]
    )
