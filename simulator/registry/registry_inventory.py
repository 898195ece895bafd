"""Numbers on sale: a fixed stock per area code, each sold at most once.

They are the numbers that the North American plan reserves for fiction, 555-0100 to 555-0199: valid
telephone numbers that no vendor sells. Their last four digits have no row in the outcome table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

STOCK = 100
"""Numbers per area code."""


class NumberType(StrEnum):
    """Type of a number."""

    LOCAL = "LOCAL"
    TOLL_FREE = "TOLL_FREE"


@dataclass(frozen=True, slots=True)
class Offer:
    """One number on sale."""

    number: str
    type: NumberType
    locality: str | None
    region: str | None


_PLACES = {
    "201": ("Jersey City", "NJ"),
    "202": ("Washington", "DC"),
    "206": ("Seattle", "WA"),
    "212": ("New York", "NY"),
    "213": ("Los Angeles", "CA"),
    "214": ("Dallas", "TX"),
    "215": ("Philadelphia", "PA"),
    "216": ("Cleveland", "OH"),
    "303": ("Denver", "CO"),
    "305": ("Miami", "FL"),
    "312": ("Chicago", "IL"),
    "313": ("Detroit", "MI"),
    "314": ("St. Louis", "MO"),
    "404": ("Atlanta", "GA"),
    "412": ("Pittsburgh", "PA"),
    "415": ("San Francisco", "CA"),
    "503": ("Portland", "OR"),
    "504": ("New Orleans", "LA"),
    "512": ("Austin", "TX"),
    "602": ("Phoenix", "AZ"),
    "612": ("Minneapolis", "MN"),
    "615": ("Nashville", "TN"),
    "617": ("Boston", "MA"),
    "702": ("Las Vegas", "NV"),
    "704": ("Charlotte", "NC"),
    "713": ("Houston", "TX"),
    "801": ("Salt Lake City", "UT"),
    "804": ("Richmond", "VA"),
    "808": ("Honolulu", "HI"),
    "813": ("Tampa", "FL"),
    "907": ("Anchorage", "AK"),
    "919": ("Raleigh", "NC"),
    "340": ("Charlotte Amalie", "VI"),
    "671": ("Hagåtña", "GU"),
    "787": ("San Juan", "PR"),
}
_TOLL_FREE = ("800", "833", "844", "855", "866", "877", "888")


def stock(area_code: str | None, type: NumberType) -> Iterator[Offer]:
    """Yield the stock of an area code, or of all in turn; the order never changes."""
    known = _TOLL_FREE if type is NumberType.TOLL_FREE else tuple(_PLACES)
    wanted = [code for code in known if area_code in (None, code)]
    for turn in range(STOCK):
        for code in wanted:
            locality, region = _PLACES.get(code, (None, None))
            yield Offer(f"+1{code}55501{turn:02}", type, locality, region)


def find_offer(number: str) -> Offer | None:
    """Return the offer of a number; None if it was never on sale."""
    type = NumberType.TOLL_FREE if number[2:5] in _TOLL_FREE else NumberType.LOCAL
    return next((offer for offer in stock(number[2:5], type) if offer.number == number), None)
