"""Response schema of alerts."""

from pydantic import Field

from api.schemas.base import Instant, View
from models.enums import AlertSeverity, AlertType, Channel


class AlertView(View):
    """An alert. It stays open until its cause is resolved."""

    id: str = Field(
        description="Identifier of the alert, a decimal string.", examples=["1745120938866531"]
    )
    merchant_id: str | None = Field(
        description="The merchant the alert concerns. Null if it concerns the tenant.",
        examples=["gym-a"],
    )
    channel: Channel | None = Field(
        description="The channel the alert concerns. Null if it concerns no single channel.",
        examples=["SMS"],
    )
    type: AlertType = Field(
        description="USAGE_THRESHOLD: this month's sends have captured `threshold` percent of the "
        "allowance; held units are not counted. LOW_CREDITS: less than `threshold` percent of the "
        "last upgrade remains, available or held, or a send was refused while most of it is held. "
        "CREDITS_EXHAUSTED: credits were bought and none remains, available or held. "
        "PROVIDER_DEGRADED: most calls to a provider fail; they are retried. DELIVERY_UNKNOWN: "
        "messages ended UNKNOWN and no provider is known to have accepted them. PAYMENT_FAILED: "
        "the payment of an upgrade failed. REFUND_STUCK: a refund is owed and the payment gateway "
        "does not make it; the operator has to. PAYMENT_DISPUTED: the payment of an upgrade was "
        "refunded or disputed at the payment gateway, or another amount was taken that is not "
        "refunded; each upgrade has its own alert of these two types. COMPLIANCE_REJECTED: a "
        "brand, a campaign or the assignment of a number was rejected; a number purchase that "
        "FAILED raises no alert and is shown by `GET /messaging/numbers`. "
        "SPENDING_LIMIT: `threshold` percent of what the tenant may spend in a day (UTC) is spent "
        "or reserved for messages that are being sent; at 100 messages wait until the next day. "
        "WEBHOOK_FAILING: a delivery to a webhook endpoint has failed three times, or all of them "
        "have failed for 5 minutes; CRITICAL once the endpoint is disabled. Resolved by a success, "
        "or when the endpoint is activated again or deleted.",
        examples=["USAGE_THRESHOLD"],
    )
    threshold: int | None = Field(
        description="Threshold in percent. Null for types without a threshold.", examples=[80]
    )
    severity: AlertSeverity = Field(
        description="Severity. CRITICAL needs attention at once.", examples=["WARNING"]
    )
    message: str = Field(
        description="Human-readable text, from the last time the alert was raised.",
        examples=["80 % of the allowance of 2026-04 is used: 4000 of 5000 SMS segments."],
    )
    count: int = Field(
        description="How often the alert was raised while open. For DELIVERY_UNKNOWN, the number "
        "of messages that are still UNKNOWN.",
        examples=[1],
    )
    created_at: Instant = Field(
        description="Time at which the alert was first raised.",
        examples=["2026-04-16T13:20:32.942Z"],
    )
    resolved_at: Instant | None = Field(
        description="Time at which the alert was resolved. Null while it is open.",
        examples=["2026-05-01T00:00:41.007Z"],
    )
