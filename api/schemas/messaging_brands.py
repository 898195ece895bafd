"""Request and response schemas of 10DLC brands."""

from typing import Annotated

from pydantic import Field, StrictBool, StringConstraints

from api.schemas import patterns
from api.schemas.base import Instant, RequestBody, View
from api.schemas.messaging_types import (
    Email,
    Line,
    MessagingReason,
    Phone,
    Site,
    StockExchange,
    TaxNumber,
)
from api.schemas.text_types import OneLine
from models.rules.registration.vocabulary import (
    AltBusinessIdType,
    EntityType,
    RegistrationState,
    Vertical,
)


class _BrandFields(RequestBody):
    shown = ("legalName", "ein", "state", "postalCode", "website")

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
        description="Tax number (EIN), 9 digits in the US; spaces, dots and hyphens are ignored. "
        "Required unless `entityType` is SOLE_PROPRIETOR. Responses show the last four digits "
        "only.",
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
    state: Annotated[OneLine, StringConstraints(max_length=20)] | None = Field(
        default=None,
        description="State or region. For the US, the two-letter USPS code in capital letters. "
        "Required where the country's addresses have one.",
        examples=["FL"],
    )
    postal_code: Annotated[OneLine, StringConstraints(max_length=10)] | None = Field(
        default=None,
        description="Postal code. For the US, 5 digits or ZIP+4. Required where the country's "
        "addresses have one.",
        examples=["33602"],
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

    brand_id: str = Field(
        description="Identifier of the brand, a decimal string.", examples=["1930447716205538"]
    )
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
    state: str | None = Field(
        description="State or region. Null if none was given.", examples=["FL"]
    )
    postal_code: str | None = Field(
        description="Postal code. Null if none was given.", examples=["33602"]
    )
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
