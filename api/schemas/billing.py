"""Buying credits and reading the ledger, as the contract writes them."""

from typing import Annotated

from pydantic import AfterValidator, Field, StrictInt, StringConstraints, WithJsonSchema

from api.schemas.base import Instant, MerchantId, RequestBody, View
from models.enums import Channel, LedgerKind, PaymentStatus
from models.rules.billing.currencies import CURRENCIES
from models.rules.billing.price_file import MOST_CENTS, MOST_UNITS


def _known_currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("must be a currency of ISO 4217 in capital letters, such as USD")
    return code


Currency = Annotated[
    str,
    AfterValidator(_known_currency),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$"}),
]
Word = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"\S")]


class V1MerchantUpgradeRequest(RequestBody):
    """Ask for credits: units of one channel that do not expire, paid at once."""

    merchant_id: MerchantId = Field(description="Who gets the credits.", examples=["gym-a"])
    channel: Channel = Field(description="What they can be spent on.", examples=["SMS"])
    units: Annotated[StrictInt, Field(ge=1, le=MOST_UNITS)] = Field(
        description="How many: SMS segments, call minutes or e-mail recipients.", examples=[2500]
    )
    amount_cents: Annotated[StrictInt, Field(ge=1, le=MOST_CENTS)] = Field(
        description="What is charged, in the smallest unit of the currency: the amount that the "
        "price list has for these units.",
        examples=[4900],
    )
    payment_method_id: Word = Field(
        description="The payment gateway's own name of what is charged; never shown again.",
        examples=["pm_123"],
    )
    reference_id: Word = Field(
        description="Your own name of this purchase, unique per merchant: the same one with "
        "another Idempotency-Key is the same upgrade if everything is equal, else 409. One whose "
        "payment FAILED may be used again.",
        examples=["upgrade-apr-16"],
    )
    note: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None, description="For your own records.", examples=["Seasonal reminder volume"]
    )
    currency: Currency = Field(description="ISO 4217.", examples=["USD"])


class MerchantUpgradeView(View):
    """A purchase of credits, and how it stands."""

    merchant_id: str = Field(description="Who gets the credits.", examples=["gym-a"])
    channel: Channel = Field(description="What they can be spent on.", examples=["SMS"])
    units_requested: int = Field(description="How many.", examples=[2500])
    amount_cents: int = Field(
        description="What is charged, in the smallest unit of the currency.", examples=[4900]
    )
    currency: str = Field(description="ISO 4217.", examples=["USD"])
    payment_id: str = Field(description="Our id of it.", examples=["pay_987"])
    payment_status: PaymentStatus = Field(
        description="PENDING, REQUIRES_ACTION while whoever pays must do something, SUCCEEDED once "
        "the money was taken, FAILED if none was (also after 24 hours without any), REFUNDED if it "
        "was given back because no credits could be granted.",
        examples=["PENDING"],
    )
    fulfilled: bool = Field(description="Whether the credits were granted.", examples=[False])
    remaining_credits: int = Field(
        description="The channel's credits that can be spent now.", examples=[0]
    )


class LedgerEntryView(View):
    """One movement of units."""

    id: str = Field(description="Its id, a decimal string.", examples=["20117"])
    type: LedgerKind = Field(description="What kind of movement.", examples=["TOPUP"])
    units: int = Field(description="How many.", examples=[2500])
    credit_units: int = Field(
        description="The part from or to credits; the rest is the month's allowance.",
        examples=[2500],
    )
    balance: int = Field(
        description="Credits of the channel that could be spent after it.", examples=[2500]
    )
    message_id: str | None = Field(
        description="The message it was for, if it was one.", examples=["10441"]
    )
    payment_id: str | None = Field(
        description="The purchase it was for, if it was one.", examples=["pay_987"]
    )
    at: Instant = Field(description="When.", examples=["2026-04-16T13:20:33.120Z"])
