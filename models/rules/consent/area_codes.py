"""Every time zone a North American area code may lie in, where a plain look-up names only one.

`phonenumbers` answers with the zone most of a block lies in, and knows overlays in part only. So
the zones of an area code are the union over all its blocks, joined with what the table lacks. A
missing zone would let a message out at a forbidden hour; one too many only delays it.
"""

import re
from functools import lru_cache
from typing import Final

from phonenumbers.tzdata import TIMEZONE_DATA

NORTH_AMERICA: Final = ("America/St_Johns", "Pacific/Honolulu")
"""The outermost zones of the United States, Canada and the Caribbean; Pacific islands aside."""

_OVERLAYS: Final[dict[str, str]] = {
    # Over an area that spans zones; the table has them with one zone, or with some.
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
    # Orlando; the table has it in Chicago's zone.
    "689": "407",
    # Too young for the table.
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
"""Overlay area code → the one it was laid over: both serve the same area."""

_ALSO: Final[dict[str, tuple[str, ...]]] = {
    # Lloydminster keeps Alberta's time, Creighton and Denare Beach keep Manitoba's.
    "306": ("America/Edmonton", "America/Winnipeg"),
    # Phenix City, Lanett, Valley and Smiths Station in Alabama live by Georgia's clocks.
    "334": ("America/New_York",),
    # The north-west of Culberson County, Texas, lives by El Paso's clocks.
    "432": ("America/Denver",),
    # Kenton, Oklahoma, lives by New Mexico's clocks.
    "580": ("America/Denver",),
}
"""Zones in use in an area although no block of the table names them."""

_PLACELESS: Final = re.compile(
    r".(\d)\1"  # kept for services: 800, 500, 900, 622 …
    r"|52[1-9]|53[258]|54[2-79]|55[0234568]|569|578|589"  # following a person
    r"|456|710|88\d",  # carriers, government, toll-free to come
    re.ASCII,
)


def is_placeless(area_code: str) -> bool:
    """Say whether a North American area code names a service rather than an area."""
    return _PLACELESS.fullmatch(area_code) is not None


def zones_of_area_code(area_code: str) -> frozenset[str]:
    """Return all zones of a North American area code; none if it is placeless or unknown."""
    if is_placeless(area_code):
        return frozenset()
    base = _OVERLAYS.get(area_code, area_code)
    return _blocks(f"1{area_code}") | _blocks(f"1{base}") | frozenset(_ALSO.get(base, ()))


@lru_cache(maxsize=4096)
def _blocks(prefix: str) -> frozenset[str]:
    return frozenset(
        zone for block, zones in TIMEZONE_DATA.items() if block.startswith(prefix) for zone in zones
    )
