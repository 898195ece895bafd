"""Alerts, as the contract writes them."""

from pydantic import Field

from api.schemas.base import Instant, View
from models.enums import AlertSeverity, AlertType, Channel


class AlertView(View):
    """One warning, open until its cause is gone."""

    id: str = Field(description="Our id of it, a decimal string.", examples=["81"])
    merchant_id: str | None = Field(
        description="Whom it is about; null: the tenant itself.", examples=["gym-a"]
    )
    channel: Channel | None = Field(
        description="The channel it is about; null: none in particular.", examples=["SMS"]
    )
    type: AlertType = Field(
        description="USAGE_THRESHOLD: this month's sends captured `threshold` % of the allowance; "
        "units that are only held do not count yet. LOW_CREDITS: less than `threshold` % of the "
        "last upgrade is available. CREDITS_EXHAUSTED: none is, although some was bought. "
        "PROVIDER_DEGRADED: a provider fails most of your messages, which are tried again. "
        "DELIVERY_UNKNOWN: messages ended UNKNOWN without a provider that surely took them. "
        "PAYMENT_FAILED: an upgrade was not paid. COMPLIANCE_REJECTED: a brand, a campaign or "
        "the assignment of a number was refused; a purchase that FAILED raises none, "
        "`GET /messaging/numbers` shows it. WEBHOOK_FAILING is not raised yet.",
        examples=["USAGE_THRESHOLD"],
    )
    threshold: int | None = Field(
        description="Percent; null for types that have none.", examples=[80]
    )
    severity: AlertSeverity = Field(
        description="How soon somebody should look: CRITICAL at once.", examples=["WARNING"]
    )
    message: str = Field(
        description="In words, as it was when it was raised last.",
        examples=["80 % of the allowance of 2026-04 is used: 4000 of 5000 SMS segments."],
    )
    count: int = Field(
        description="How often it was raised while open; of DELIVERY_UNKNOWN how many messages "
        "are still unknown.",
        examples=[1],
    )
    created_at: Instant = Field(
        description="When it was raised first.", examples=["2026-04-16T13:20:32.942Z"]
    )
    resolved_at: Instant | None = Field(
        description="When its cause was gone; null while it is open.",
        examples=["2026-05-01T00:00:41.007Z"],
    )
