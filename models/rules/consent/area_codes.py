"""All time zones of a North American area code, where a plain look-up returns only one.

`phonenumbers` returns the zone of most of a block, and knows overlays only in part. So the zones of
an area code are the union over all its blocks, plus the additions below. A missing zone would allow
a message at a forbidden hour; a superfluous one only delays it.
"""

import re
from functools import lru_cache
from typing import Final

from phonenumbers.tzdata import TIMEZONE_DATA

NORTH_AMERICA: Final = ("America/St_Johns", "Pacific/Honolulu")
"""The outermost zones of the United States, Canada and the Caribbean; no Pacific islands."""

_OVERLAYS: Final[dict[str, str]] = {
    # Overlays of an area that spans zones; the table has only some of its zones.
    "236": "250",
    "257": "250",
    "672": "250",
    "778": "250",
    "364": "270",
    "367": "418",
    "581": "418",
    "448": "850",
    "458": "541",
    "474": "306",
    "639": "306",
    "729": "423",
    "879": "709",
    "930": "812",
    "986": "208",
    # Orlando; the table has Chicago's zone.
    "689": "407",
    # Newer than the table.
    "357": "559",
    "436": "440",
    "457": "318",
    "465": "718",
    "483": "334",
    "624": "716",
    "679": "313",
    "837": "530",
    "861": "309",
}
"""Overlay area code → area code of the same area."""

_ALSO: Final[dict[str, tuple[str, ...]]] = {
    # Lloydminster uses Alberta's time, Creighton and Denare Beach use Manitoba's.
    "306": ("America/Edmonton", "America/Winnipeg"),
    # Phenix City, Lanett, Valley and Smiths Station in Alabama use Georgia's time.
    "334": ("America/New_York",),
    # The north-west of Culberson County, Texas, uses El Paso's time.
    "432": ("America/Denver",),
    # Kenton, Oklahoma, uses New Mexico's time.
    "580": ("America/Denver",),
}
"""Further zones of an area that no block of the table has."""

_PLACELESS: Final = re.compile(
    r".(\d)\1"  # reserved for services: 800, 500, 900, 622 …
    r"|52[1-9]|53[258]|54[2-79]|55[0234568]|569|578|589"  # personal communications services
    r"|456|710|88\d",  # carriers, government, future toll-free
    re.ASCII,
)


def is_placeless(area_code: str) -> bool:
    """Return whether a North American area code is not geographic."""
    return _PLACELESS.fullmatch(area_code) is not None


def zones_of_area_code(area_code: str) -> frozenset[str]:
    """Return all zones of a North American area code; none if it is not geographic or unknown."""
    if is_placeless(area_code):
        return frozenset()
    base = _OVERLAYS.get(area_code, area_code)
    return _blocks(f"1{area_code}") | _blocks(f"1{base}") | frozenset(_ALSO.get(base, ()))


@lru_cache(maxsize=4096)
def _blocks(prefix: str) -> frozenset[str]:
    return frozenset(
        zone for block, zones in TIMEZONE_DATA.items() if block.startswith(prefix) for zone in zones
    )
