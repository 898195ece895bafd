"""Enums shared by all layers, grouped by domain. Standard library only."""

from enum import StrEnum
from typing import Final


class Channel(StrEnum):
    """Channel of a message."""

    SMS = "SMS"
    VOICE = "VOICE"
    EMAIL = "EMAIL"


class MessageType(StrEnum):
    """Purpose of a message. It decides consent, priority and default validity."""

    OTP = "OTP"
    TRANSACTIONAL = "TRANSACTIONAL"
    REMINDER = "REMINDER"
    NOTIFICATION = "NOTIFICATION"
    MARKETING = "MARKETING"


class MessageStatus(StrEnum):
    """Status of a message. DELIVERED, UNDELIVERED, FAILED, CANCELED and UNKNOWN are terminal."""

    QUEUED = "QUEUED"
    SCHEDULED = "SCHEDULED"
    SENDING = "SENDING"
    SENT = "SENT"
    DELIVERED = "DELIVERED"
    UNDELIVERED = "UNDELIVERED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    UNKNOWN = "UNKNOWN"


WAITING: Final = frozenset({MessageStatus.QUEUED, MessageStatus.SCHEDULED})
"""The message was not handed to a provider yet."""

TERMINAL: Final = frozenset(
    {
        MessageStatus.DELIVERED,
        MessageStatus.UNDELIVERED,
        MessageStatus.FAILED,
        MessageStatus.CANCELED,
        MessageStatus.UNKNOWN,
    }
)
"""The status is final; of these only UNKNOWN may be corrected, once (`CORRECTABLE`)."""

CORRECTABLE: Final = frozenset({MessageStatus.UNKNOWN, MessageStatus.SENT})
"""A message that ended like this may be corrected once by a late report.

SENT is the end where a provider reports nothing.
"""

OPEN: Final = frozenset(MessageStatus) - TERMINAL
"""The message is not terminal."""


class BatchStatus(StrEnum):
    """Status of a batch: see `models.rules.messages.batches.status`."""

    ACCEPTING = "ACCEPTING"
    SENDING = "SENDING"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"


class ErrorCode(StrEnum):
    """Reason a message was not delivered, independent of the provider."""

    BAD_DESTINATION = "BAD_DESTINATION"
    UNREACHABLE = "UNREACHABLE"
    OPTED_OUT = "OPTED_OUT"
    EXPIRED = "EXPIRED"
    PROVIDER_REFUSED = "PROVIDER_REFUSED"
    DELIVERY_FAILED = "DELIVERY_FAILED"
    NO_PROVIDER = "NO_PROVIDER"
    MERCHANT_INACTIVE = "MERCHANT_INACTIVE"
    CONSENT_OPTED_OUT = "CONSENT_OPTED_OUT"
    CONSENT_REQUIRED = "CONSENT_REQUIRED"
    RECIPIENT_SUPPRESSED = "RECIPIENT_SUPPRESSED"
    OUTSIDE_HOURS = "OUTSIDE_HOURS"
    SENDER_NOT_REGISTERED = "SENDER_NOT_REGISTERED"
    DELIVERY_UNKNOWN = "DELIVERY_UNKNOWN"
    UNPROCESSABLE = "UNPROCESSABLE"


class ConsentStatus(StrEnum):
    """Consent of a recipient to messages of a merchant on a channel."""

    OPT_IN = "OPT_IN"
    OPT_OUT = "OPT_OUT"


class SuppressionReason(StrEnum):
    """Why a merchant must not send to a contact on a channel, regardless of consent."""

    HARD_BOUNCE = "HARD_BOUNCE"
    COMPLAINT = "COMPLAINT"
    CARRIER_OPT_OUT = "CARRIER_OPT_OUT"


class ConsentEvent(StrEnum):
    """Kind of a change in the consent history."""

    OPT_IN = "OPT_IN"
    OPT_OUT = "OPT_OUT"
    SUPPRESSED = "SUPPRESSED"
    RESTORED = "RESTORED"


class InboundKind(StrEnum):
    """Keyword that an inbound text was recognized as."""

    OPT_OUT = "OPT_OUT"
    OPT_IN = "OPT_IN"
    HELP = "HELP"
    OTHER = "OTHER"


class KeyScope(StrEnum):
    """What an API key may do; `api/route_scopes.py` says which scope each route requires."""

    SEND = "send"
    READ = "read"
    BILLING = "billing"
    ADMIN = "admin"


class DeliveryMode(StrEnum):
    """Whether a tenant's messages go to the simulator or to real providers."""

    SIMULATOR = "SIMULATOR"
    LIVE = "LIVE"


class AttemptState(StrEnum):
    """What is known of one call to a provider."""

    REQUESTED = "REQUESTED"
    """Committed before the call; without an outcome it must be reconciled."""
    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    NOT_PROCESSED = "NOT_PROCESSED"
    AMBIGUOUS = "AMBIGUOUS"
    ABSENT = "ABSENT"
    """It was ambiguous, and the provider certainly never accepted it."""


OPEN_ATTEMPT: Final = frozenset({AttemptState.REQUESTED, AttemptState.AMBIGUOUS})
"""The provider may or may not have the message."""


class ReportStatus(StrEnum):
    """Status that a provider reports for a message that it accepted."""

    SENT = "SENT"
    DELIVERED = "DELIVERED"
    UNDELIVERED = "UNDELIVERED"
    FAILED = "FAILED"
    COMPLAINED = "COMPLAINED"
    """A delivered e-mail was reported as spam: it stays delivered, the recipient is suppressed."""


FINAL_REPORT: Final = frozenset(
    {ReportStatus.DELIVERED, ReportStatus.UNDELIVERED, ReportStatus.FAILED}
)
"""No other status follows one of these."""


class LedgerKind(StrEnum):
    """Kind of a ledger entry."""

    HOLD = "HOLD"
    CAPTURE = "CAPTURE"
    RELEASE = "RELEASE"
    TOPUP = "TOPUP"
    REFUND = "REFUND"
    ADJUST = "ADJUST"


class PaymentStatus(StrEnum):
    """Status of an upgrade's payment."""

    PENDING = "PENDING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    """The customer must act first."""
    SUCCEEDED = "SUCCEEDED"
    """The charge succeeded."""
    FAILED = "FAILED"
    """Nothing was charged."""
    REFUNDED = "REFUNDED"
    """The charge was refunded; no credits were granted."""


class PaymentFailure(StrEnum):
    """Why a purchase failed."""

    DECLINED = "DECLINED"
    """The payment method was declined."""
    CHARGE_FAILED = "CHARGE_FAILED"
    """The gateway failed to charge."""
    CANCELED = "CANCELED"
    """The charge was canceled at the gateway, not by us."""
    EXPIRED = "EXPIRED"
    """It had no outcome in time and was canceled."""
    NO_GATEWAY = "NO_GATEWAY"
    """No gateway is configured for this tenant."""
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    """The gateway charged another amount or currency than was ordered."""
    FOREIGN_CHARGE = "FOREIGN_CHARGE"
    """The gateway reports only the charge of another payment."""
    REVERSED = "REVERSED"
    """The charge was refunded or disputed at the gateway before the credits were granted."""
    MERCHANT_INACTIVE = "MERCHANT_INACTIVE"
    """The merchant was deactivated before the credits were granted."""


class ChargeState(StrEnum):
    """State of a charge at the gateway."""

    PROCESSING = "PROCESSING"
    NEEDS_ACTION = "NEEDS_ACTION"
    SUCCEEDED = "SUCCEEDED"
    DECLINED = "DECLINED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"


OPEN_CHARGE: Final = frozenset({ChargeState.PROCESSING, ChargeState.NEEDS_ACTION})
"""The charge may still succeed."""


class UsageState(StrEnum):
    """Whether a figure is final and may be billed."""

    PROVISIONAL = "PROVISIONAL"
    FINAL = "FINAL"


class PriceSource(StrEnum):
    """Source of a message's cost, also while the cost is not known yet."""

    CARD = "CARD"
    """The rate card."""
    VENDOR = "VENDOR"
    """The price that the provider reported."""


class UnpricedReason(StrEnum):
    """Why a message has no final price yet."""

    RATE_MISSING = "RATE_MISSING"
    """No rate card covers it."""
    VENDOR_PRICE = "VENDOR_PRICE"
    """The provider reports prices, and this one has not arrived yet."""


class ReversalState(StrEnum):
    """What a gateway reports of a charge after it succeeded."""

    REFUNDED = "REFUNDED"
    """All or a part of it was refunded."""
    DISPUTED = "DISPUTED"
    """The payer disputes it; the gateway may have taken the money back."""
    DISPUTE_WON = "DISPUTE_WON"
    DISPUTE_LOST = "DISPUTE_LOST"


class AlertType(StrEnum):
    """Kind of an alert."""

    USAGE_THRESHOLD = "USAGE_THRESHOLD"
    LOW_CREDITS = "LOW_CREDITS"
    CREDITS_EXHAUSTED = "CREDITS_EXHAUSTED"
    PROVIDER_DEGRADED = "PROVIDER_DEGRADED"
    DELIVERY_UNKNOWN = "DELIVERY_UNKNOWN"
    PAYMENT_FAILED = "PAYMENT_FAILED"
    COMPLIANCE_REJECTED = "COMPLIANCE_REJECTED"
    WEBHOOK_FAILING = "WEBHOOK_FAILING"
    REFUND_STUCK = "REFUND_STUCK"
    PAYMENT_DISPUTED = "PAYMENT_DISPUTED"
    SPENDING_LIMIT = "SPENDING_LIMIT"


class AlertSeverity(StrEnum):
    """Severity of an alert."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


class Encoding(StrEnum):
    """Character encoding of an SMS (3GPP TS 23.038)."""

    GSM_7 = "GSM-7"
    UCS_2 = "UCS-2"


class PresenceState(StrEnum):
    """Presence state of a SIP user."""

    ONLINE = "ONLINE"
    BUSY = "BUSY"
    AWAY = "AWAY"
    OFFLINE = "OFFLINE"


class WebhookEventType(StrEnum):
    """Type of an event that integrators are told of by webhook."""

    MESSAGE_ACCEPTED = "message.accepted"
    MESSAGE_SENT = "message.sent"
    MESSAGE_DELIVERED = "message.delivered"
    MESSAGE_UNDELIVERED = "message.undelivered"
    MESSAGE_FAILED = "message.failed"
    MESSAGE_UNKNOWN = "message.unknown"
    MESSAGE_CANCELED = "message.canceled"
    MESSAGE_INBOUND = "message.inbound"
    CONSENT_CHANGED = "consent.changed"
    UPGRADE_SUCCEEDED = "upgrade.succeeded"
    UPGRADE_FAILED = "upgrade.failed"
    USAGE_FINALIZED = "usage.finalized"
    COMPLIANCE_CHANGED = "compliance.changed"
    ALERT_RAISED = "alert.raised"
    ALERT_RESOLVED = "alert.resolved"
    WEBHOOK_TEST = "webhook.test"


class WebhookSubject(StrEnum):
    """Kind of the row that an event is about."""

    MESSAGE = "MESSAGE"
    INBOUND = "INBOUND"
    CONSENT = "CONSENT"
    UPGRADE = "UPGRADE"
    USAGE = "USAGE"
    COMPLIANCE = "COMPLIANCE"
    ALERT = "ALERT"
    TEST = "TEST"


class WebhookDeliveryStatus(StrEnum):
    """Status of the delivery of one event to one endpoint."""

    PENDING = "PENDING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    """All attempts failed, or the endpoint was not active. It can be delivered again on request."""


class WebhookDisabledReason(StrEnum):
    """Why an endpoint was made inactive by us."""

    FAILING = "FAILING"
    """No delivery succeeded for 5 days."""
    GONE = "GONE"
    """It answered 410 Gone."""


class WebhookDeliveryError(StrEnum):
    """Why a delivery has not succeeded, besides `WebhookFailureReason`; shown to integrators."""

    HTTP_STATUS = "HTTP_STATUS"
    """The endpoint answered with another status than 2xx."""
    ENDPOINT_NOT_ACTIVE = "ENDPOINT_NOT_ACTIVE"
    """The endpoint was inactive or deleted."""
    NOT_RENDERABLE = "NOT_RENDERABLE"
    """What the event is about does not exist any more."""
    EXPIRED = "EXPIRED"
    """It was not delivered within 30 days."""


class WebhookFailureReason(StrEnum):
    """Why an endpoint gave no answer. The words are shown to integrators and never change."""

    TIMEOUT = "TIMEOUT"
    """The whole answer did not arrive within the deadline."""
    DNS = "DNS"
    """The host name has no address, or no name server answered."""
    CONNECTION = "CONNECTION"
    """No address took the connection, or it was closed before the answer was complete."""
    TLS = "TLS"
    """The certificate is not valid for the host, or the handshake failed."""
    ADDRESS_NOT_ALLOWED = "ADDRESS_NOT_ALLOWED"
    """The URL, or one of the addresses of its host, is not one that webhooks are sent to."""
    REDIRECT = "REDIRECT"
    """The answer is a redirect (3xx), which is not followed."""
    RESPONSE_TOO_LARGE = "RESPONSE_TOO_LARGE"
    """The status line and headers are too large. A long body is not a failure."""
    PROTOCOL = "PROTOCOL"
    """The answer is not HTTP/1.1."""
