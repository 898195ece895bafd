"""Request and response schemas of upgrades and the ledger."""

from typing import Annotated

from pydantic import AfterValidator, Field, StrictInt, StringConstraints, WithJsonSchema

from api.schemas.base import Instant, MerchantId, RequestBody, View
from api.schemas.patterns import NOT_BLANK
from models.enums import Channel, LedgerKind, PaymentFailure, PaymentStatus
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
Word = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NOT_BLANK)]


class V1MerchantUpgradeRequest(RequestBody):
    """A purchase of credits: units of one channel that do not expire."""

    merchant_id: MerchantId = Field(
        description="The merchant that receives the credits.", examples=["gym-a"]
    )
    channel: Channel = Field(description="The channel the credits are valid for.", examples=["SMS"])
    units: Annotated[StrictInt, Field(ge=1, le=MOST_UNITS)] = Field(
        description="Number of units: SMS segments, call minutes or e-mail recipients.",
        examples=[2500],
    )
    amount_cents: Annotated[StrictInt, Field(ge=1, le=MOST_CENTS)] = Field(
        description="Amount to charge, in the smallest unit of the currency. It must match the "
        "price list for these units.",
        examples=[4900],
    )
    payment_method_id: Word = Field(
        description="The payment gateway's identifier of the payment method. It is not returned by "
        "the API.",
        examples=["pm_123"],
    )
    reference_id: Word = Field(
        description="Your identifier of the purchase, unique per merchant. Reusing it with another "
        "Idempotency-Key returns the same upgrade if the request is equal, and 409 "
        "`REFERENCE_REUSED` otherwise. The reference of a FAILED upgrade can be reused.",
        examples=["upgrade-apr-16"],
    )
    note: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        default=None,
        description="Free text for your own records, at most 500 characters.",
        examples=["Seasonal reminder volume"],
    )
    currency: Currency = Field(description="Currency code, ISO 4217.", examples=["USD"])


class MerchantUpgradeView(View):
    """A purchase of credits and its current status."""

    merchant_id: str = Field(
        description="The merchant that receives the credits.", examples=["gym-a"]
    )
    channel: Channel = Field(description="The channel the credits are valid for.", examples=["SMS"])
    units_requested: int = Field(description="Number of units requested.", examples=[2500])
    amount_cents: int = Field(
        description="Amount to charge, in the smallest unit of the currency.", examples=[4900]
    )
    currency: str = Field(description="Currency code, ISO 4217.", examples=["USD"])
    payment_id: str = Field(
        description="Identifier of the upgrade.", examples=["pay_2385672620646126"]
    )
    payment_status: PaymentStatus = Field(
        description="PENDING: the payment is being processed. REQUIRES_ACTION: the payer must "
        "complete a step first. SUCCEEDED: the payment was taken. FAILED: no payment was taken, "
        "also after 24 hours without one, or an amount other than ordered was, which is returned. "
        "REFUNDED: the payment was returned because no credits could be granted.",
        examples=["PENDING"],
    )
    fulfilled: bool = Field(description="Whether the credits were granted.", examples=[False])
    remaining_credits: int = Field(
        description="Credits of the channel that are available now.", examples=[0]
    )


class UpgradeDetailView(MerchantUpgradeView):
    """A purchase of credits with the details of its payment."""

    next_action_url: str | None = Field(
        description="Where the payer completes the payment while `paymentStatus` is "
        "REQUIRES_ACTION. Null if there is nothing to do, or the payment gateway gave no address.",
        examples=[None],
    )
    refunded_cents: int = Field(
        description="How much of the payment was returned so far, also directly at the payment "
        "gateway. A return after the credits were granted does not take the credits back.",
        examples=[0],
    )
    disputed: bool = Field(
        description="Whether the payer disputed the payment at the payment gateway, also if the "
        "dispute has ended. A dispute does not take granted credits back.",
        examples=[False],
    )
    failure_code: PaymentFailure | None = Field(
        description="Why no credits were granted. Null if they were or may still be.",
        examples=[None],
    )
    created_at: Instant = Field(
        description="Time at which the upgrade was accepted.",
        examples=["2026-04-16T13:20:31.515Z"],
    )
    completed_at: Instant | None = Field(
        description="Time at which the upgrade ended: credits granted, failed, or returned. Null "
        "while it is open; a return that is owed keeps its upgrade open.",
        examples=["2026-04-16T13:20:33.120Z"],
    )


class LedgerEntryView(View):
    """An entry of the ledger: one movement of units."""

    id: str = Field(
        description="Identifier of the entry, a decimal string.", examples=["3120557209164410"]
    )
    type: LedgerKind = Field(
        description="HOLD: units reserved for a message. CAPTURE: held units charged. RELEASE: "
        "held units returned. TOPUP: credits bought. REFUND and ADJUST: corrections; not written "
        "yet.",
        examples=["TOPUP"],
    )
    units: int = Field(description="Number of units moved.", examples=[2500])
    credit_units: int = Field(
        description="The part of `units` that comes from or goes to credits. The rest belongs to "
        "the monthly allowance.",
        examples=[2500],
    )
    balance: int = Field(
        description="Credits of the channel that were available after the entry.", examples=[2500]
    )
    message_id: str | None = Field(
        description="The message the entry belongs to. Null if it belongs to none.",
        examples=["3364264052715392"],
    )
    payment_id: str | None = Field(
        description="The upgrade the entry belongs to. Null if it belongs to none.",
        examples=["pay_2385672620646126"],
    )
    at: Instant = Field(description="Time of the entry.", examples=["2026-04-16T13:20:33.120Z"])
