"""When marketing may go out: inside the window in every zone the recipient may be in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import phonenumbers

from models.rules.consent.area_codes import (
    NORTH_AMERICA,
    is_placeless,
    zones_of_area_code,
    zones_under,
)

_LOOK_AHEAD = timedelta(days=366)
"""Zones that share no hour of the window today may share one after a clock change."""


class NoSuchHour(ValueError):
    """No moment is inside the window, or none in all of the zones."""


@dataclass(frozen=True, slots=True)
class Window:
    """The hours of a day, local time: the opening belongs to it, the closing does not."""

    opens: time
    closes: time

    def __post_init__(self) -> None:
        """Refuse a window without a moment in it."""
        if self.opens >= self.closes:
            raise NoSuchHour(f"Nothing lies between {self.opens} and {self.closes}.")

    def admits(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Say whether it is inside the window where the zone's clocks are."""
        return self.opens <= moment.astimezone(zone).time() < self.closes


FEDERAL: Final = Window(time(8), time(21))
"""47 CFR 64.1200(c)(1), read carefully: at 08:00:00 one may, by 21:00:00 one must have stopped."""


def narrowed(base: Window, opens: time | None, closes: time | None) -> Window:
    """Return the window with a later opening or an earlier closing; it never gets wider.

    Raises NoSuchHour if nothing is left.
    """
    return Window(max(base.opens, opens or base.opens), min(base.closes, closes or base.closes))


def zones_of(e164: str, otherwise: str) -> tuple[str, ...]:
    """Return every zone the recipient may be in; `otherwise` for a number that names no place.

    The number is one that `contacts.e164` returned. A North American area code nobody has told us
    of gets the continent's outermost zones. Elsewhere the area code decides, and without one (most
    mobile numbers) the whole country.
    """
    number = phonenumbers.parse(e164, None)
    if number.country_code == 1:
        area_code = e164[2:5]
        if is_placeless(area_code):
            return (otherwise,)
        return tuple(sorted(zones_of_area_code(area_code) or NORTH_AMERICA))
    length = phonenumbers.length_of_geographical_area_code(number)
    area = phonenumbers.national_significant_number(number)[:length]
    return tuple(sorted(zones_under(f"{number.country_code}{area}"))) or (otherwise,)


def next_allowed(now: datetime, zones: Sequence[str], window: Window) -> datetime:
    """Return the first moment from now on that is inside the window in all zones, in UTC.

    Raises NoSuchHour if there is none within a year.
    """
    if not zones:
        raise ValueError("Somewhere the recipient must be.")
    clocks = [ZoneInfo(zone) for zone in zones]
    moment = now.astimezone(UTC)
    horizon = moment + _LOOK_AHEAD
    while moment < horizon:
        # No zone allows anything before its own next moment, so nothing before the latest of them.
        following = max(_next_in(zone, moment, window) for zone in clocks)
        if following == moment:
            return moment
        moment = following
    raise NoSuchHour(f"{', '.join(zones)} are never all inside {window.opens}–{window.closes}.")


def _next_in(zone: ZoneInfo, moment: datetime, window: Window) -> datetime:
    while not window.admits(moment, zone):
        local = moment.astimezone(zone).replace(tzinfo=None)
        opening = datetime.combine(local.date(), window.opens)
        if opening < local:
            opening += timedelta(days=1)
        # As the clocks go now. If they are changed on the way, look again from there.
        opening_at = moment + (opening - local)
        moment = _clock_change(zone, moment, opening_at) or opening_at
    return moment


def _clock_change(zone: ZoneInfo, after: datetime, until: datetime) -> datetime | None:
    """Find the moment the offset changes; None if it is the same at both ends."""
    offset = after.astimezone(zone).utcoffset()
    if until.astimezone(zone).utcoffset() == offset:
        return None
    before = after.replace(microsecond=0)  # clocks are changed on whole seconds
    same, changed = 0, (until - before) // timedelta(seconds=1)
    while changed - same > 1:
        middle = (same + changed) // 2
        if (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset:
            same = middle
        else:
            changed = middle
    return before + timedelta(seconds=changed)
