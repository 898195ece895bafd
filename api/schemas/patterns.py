"""Patterns of text fields, and the error text for a value that does not match."""

from collections.abc import Mapping
from typing import Final

MERCHANT_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
AREA_CODE: Final = r"^[2-9][0-9]{2}$"
NOT_BLANK: Final = r"\S"
ONE_LINE: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]*$"
"""No control character, line break or change of direction: mail systems interpret them
differently.
"""
SPEECH: Final = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
"""Directional marks are allowed: they do not affect speech, and right-to-left texts contain
them.
"""
SITE: Final = r"^([Hh][Tt][Tt][Pp][Ss]?://)?[^\s/?#@:]+\.[^\s/?#@:]+(:[0-9]{1,5})?([/?#]\S*)?$"
TAX_NUMBER: Final = r"^[A-Za-z0-9]([ .-]*[A-Za-z0-9])*$"
KEYWORD: Final = r"^[A-Za-z0-9]{1,255}$"
COUNTRY: Final = r"^[A-Z]{2}$"
STOCK_SYMBOL: Final = r"^[A-Z0-9.]{1,10}$"
STOCK_EXCHANGE: Final = r"^[A-Z0-9_]{2,20}$"
ALT_BUSINESS_ID: Final = r"^[A-Za-z0-9.-]{1,50}$"
CAMPAIGN_ID: Final = r"^[0-9]{1,18}$"
LABEL: Final = r"^[A-Za-z0-9._-]+$"
IDEMPOTENCY_KEY: Final = r"^[\x21-\x7e]{1,255}$"

_FORMS: Final[Mapping[str, str]] = {
    MERCHANT_ID: "must be 1 to 64 letters, digits, dots, hyphens and underscores that begin with a "
    "letter or digit, such as gym-a",
    AREA_CODE: "must be a three-digit area code that does not begin with 0 or 1, such as 813",
    NOT_BLANK: "must not be blank",
    ONE_LINE: "must be one line without line breaks, control characters and changes of direction",
    SPEECH: "must have no control characters and line breaks, such as Your code is 1 2 3",
    SITE: "must be a web address without spaces, such as https://gym-a.example.com",
    TAX_NUMBER: "must be letters and digits, grouped by spaces, dots or hyphens, "
    "such as 12-3456789",
    KEYWORD: "must be 1 to 255 letters and digits without spaces, such as STOP",
    COUNTRY: "must be an ISO 3166 country code of two capital letters, such as US",
    STOCK_SYMBOL: "must be 1 to 10 capital letters, digits and dots, such as GYMA",
    STOCK_EXCHANGE: "must be 2 to 20 capital letters, digits and underscores, such as NASDAQ",
    ALT_BUSINESS_ID: "must be 1 to 50 letters, digits, dots and hyphens, such as 123456789",
    CAMPAIGN_ID: "must be the campaignId of an earlier answer, digits only, such as 10441",
    IDEMPOTENCY_KEY: "must be 1 to 255 visible ASCII characters",
    LABEL: "must be letters, digits, dots, hyphens and underscores, such as north",
}


def form_of(pattern: str) -> str:
    """Return the requirement of a pattern as text that completes the name of a field."""
    return _FORMS.get(pattern, f"must match {pattern}")
