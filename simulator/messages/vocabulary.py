"""Enum values of the simulated vendor's API."""

from enum import IntEnum, StrEnum


class Channel(StrEnum):
    """Channel of a message."""

    SMS = "SMS"
    VOICE = "VOICE"
    EMAIL = "EMAIL"


class Status(StrEnum):
    """Status of a message; which ones occur depends on the channel."""

    ACCEPTED = "accepted"
    # SMS
    SENT = "sent"
    # SMS and voice
    UNDELIVERED = "undelivered"
    # SMS and e-mail
    DELIVERED = "delivered"
    # voice
    RINGING = "ringing"
    ANSWERED = "answered"
    COMPLETED = "completed"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    # e-mail
    BOUNCED = "bounced"
    COMPLAINED = "complained"


class BounceType(StrEnum):
    """Whether a bounced e-mail is final or will be retried."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"


class Code(IntEnum):
    """Error codes, with the numbers that the large carriers use."""

    MALFORMED = 20001
    UNAUTHENTICATED = 20003
    FORBIDDEN = 20403
    NOT_FOUND = 20404
    GONE = 20410
    TOO_LARGE = 20413
    UNSUPPORTED = 20415
    KEY_REUSED = 20409
    RATE_LIMITED = 20429
    INTERNAL = 20500
    UNAVAILABLE = 20503
    BAD_DESTINATION = 21211
    OPTED_OUT = 21610
    UNREACHABLE = 30005
    EXPIRED = 30036
    CALL_FAILED = 31005
    MAILBOX_BUSY = 40450
    MAILBOX_UNKNOWN = 40550
    NOT_CHARGED = 50409
    ALREADY_REFUNDED = 50410
    REFUND_REFUSED = 50411
    # 10DLC
    TAX_ID_MISMATCH = 30794
    WEBSITE_UNREACHABLE = 30796
    OPT_IN_UNCLEAR = 30909
    BRAND_NOT_APPROVED = 30950
    CAMPAIGN_NOT_APPROVED = 30951
    NOT_AMENDABLE = 30952
    NUMBER_UNAVAILABLE = 21422
    NUMBER_ASSIGNED = 21712
