"""What is kept of an integrator's answer: an excerpt, and when it asks for the next attempt."""

import unicodedata
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from models.rules.retry_after import parse_seconds

EXCERPT_BYTES: Final = 1024
LONGEST_RETRY_AFTER: Final = timedelta(hours=24)

_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_LONGEST_HEADER: Final = 100


def excerpt(body: bytes) -> str:
    """Return the first 1 KiB as text, at most 1,024 characters, that Postgres can store.

    What is not UTF-8, and every control character but tab and line feed, is replaced by U+FFFD.
    """
    text = body[:EXCERPT_BYTES].decode("utf-8", "replace").replace("\r\n", "\n")
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    control = unicodedata.category(character) == "Cc" and character not in "\t\n"
    return _REPLACEMENT if control else character


def parse_retry_after(value: str, now: datetime) -> timedelta | None:
    """Parse a Retry-After header: seconds or an HTTP date (RFC 9110, 10.2.3).

    Returns 0 to 24 hours; None if the value is neither.
    """
    given = value.strip()
    if len(given) > _LONGEST_HEADER:
        return None
    seconds = parse_seconds(given, LONGEST_RETRY_AFTER)
    if seconds is not None:
        return seconds
    try:
        at = parsedate_to_datetime(given)
        wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    except (ValueError, OverflowError):
        return None
    return max(timedelta(0), min(wait, LONGEST_RETRY_AFTER))
