"""Two-letter codes of countries and US states."""

from typing import Final

import phonenumbers

COUNTRIES: Final = frozenset(phonenumbers.SUPPORTED_REGIONS) - {"AC", "TA", "XK"} | {
    "AQ",
    "BV",
    "GS",
    "HM",
    "PN",
    "TF",
    "UM",
}
"""The 249 codes that ISO 3166-1 alpha-2 assigns.

These are the countries of `phonenumbers`, without three codes that are only reserved or in private
use, and with those that have no numbering plan.
"""

_USPS: Final = (
    "AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM"
    " NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY DC"
    " AS FM GU MH MP PR PW VI"
    " AA AE AP"
)
"""States and DC, territories, military mail (USPS Publication 28, app. B)."""

US_STATES: Final = frozenset(_USPS.split())
