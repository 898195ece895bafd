"""Prices of the simulated vendor, and the number of segments of an SMS."""

from decimal import Decimal

from simulator.messages.submission import Submission
from simulator.messages.vocabulary import Channel, Status

_SMS_PART = Decimal("0.0083")
_VOICE_MINUTE = Decimal("0.0140")
_EMAIL = Decimal("0.0001")

_GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM7_ESCAPED = frozenset("\f^{}\\[~]|€")


def segments(body: str) -> int:
    """Count the segments of an SMS: 160 or 153 septets in GSM-7, else 70 or 67 UTF-16 units."""
    characters = set(body)
    if characters <= _GSM7 | _GSM7_ESCAPED:
        size = len(body) + sum(character in _GSM7_ESCAPED for character in body)
        single, joined = 160, 153
    else:
        size = len(body.encode("utf-16-be", "surrogatepass")) // 2
        single, joined = 70, 67
    return 1 if size <= single else -(-size // joined)


def price(submission: Submission, status: Status, duration_seconds: int | None) -> Decimal | None:
    """Return the final price in USD, or None while the message has no final status."""
    match status:
        case Status.ACCEPTED | Status.SENT | Status.RINGING | Status.ANSWERED:
            return None
        case Status.BUSY | Status.NO_ANSWER | Status.FAILED:
            return Decimal("0.0000")
    match submission.channel:
        case Channel.SMS:
            return _SMS_PART * segments(submission.body)
        case Channel.VOICE:
            return _VOICE_MINUTE * -(-(duration_seconds or 0) // 60)
        case Channel.EMAIL:
            return _EMAIL * len(submission.to)
