"""Quiet hours: marketing must be inside the window in every zone the recipient may be in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import phonenumbers

from models.rules.consent.area_codes import (
    NORTH_AMERICA,
    is_placeless,
    zones_of_area_code,
)
from models.rules.consent.country_zones import zones_abroad

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
"""No zone changes its offset back and forth within a week."""
_LOOK_AHEAD: Final = timedelta(days=366)
"""Zones that share no hour of the window today may share one after a clock change."""


class NoSuchHour(ValueError):
    """No time is inside the window, or none in all zones."""


@dataclass(frozen=True, slots=True)
class Window:
    """A daily window in local time; the opening is included, the closing is not."""

    opens: time
    closes: time

    def __post_init__(self) -> None:
        """Raise NoSuchHour for an empty window."""
        if self.opens >= self.closes:
            raise NoSuchHour(f"Nothing lies between {self.opens} and {self.closes}.")

    def admits(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Return whether a time is inside the window in a zone."""
        return self.opens <= moment.astimezone(zone).time() < self.closes


FEDERAL: Final = Window(time(8), time(21))
"""47 CFR 64.1200(c)(1), strictly: sending is allowed at 08:00:00 and no longer at 21:00:00."""


def narrowed(base: Window, opens: time | None, closes: time | None) -> Window:
    """Return the window with a later opening or an earlier closing; it is never widened.

    Raises NoSuchHour if nothing is left.
    """
    return Window(max(base.opens, opens or base.opens), min(base.closes, closes or base.closes))


def zones_of(e164: str, otherwise: str) -> tuple[str, ...]:
    """Return every zone the recipient may be in; `otherwise` for a number without a location.

    The number must come from `contacts.e164`. An unknown North American area code gets the
    continent's outermost zones. Elsewhere a number may be anywhere in its country.
    """
    number = phonenumbers.parse(e164, None)
    if number.country_code == 1:
        area_code = e164[2:5]
        if is_placeless(area_code):
            return (otherwise,)
        return tuple(sorted(zones_of_area_code(area_code) or NORTH_AMERICA))
    return tuple(sorted(zones_abroad(number))) or (otherwise,)


def next_allowed(now: datetime, zones: Sequence[str], window: Window) -> datetime:
    """Return the first time from now on that is inside the window in all zones, in UTC.

    Raises NoSuchHour if there is none within a year.
    """
    return next_in_all(now, [(zone, window) for zone in zones])


def next_in_all(now: datetime, wanted: Sequence[tuple[str, Window]]) -> datetime:
    """Return the first time from now on that is inside each zone's window, in UTC.

    Raises NoSuchHour if there is none within a year.
    """
    if not wanted:
        raise ValueError("Somewhere the recipient must be.")
    clocks = [(ZoneInfo(zone), window) for zone, window in wanted]
    moment = now.astimezone(UTC)
    horizon = moment + _LOOK_AHEAD
    while moment < horizon:
        if not _may_share_an_hour(moment, clocks):
            moment += _WEEK
            continue
        # No zone allows anything before its own next time, so nothing before the latest of them.
        following = max(_next_in(zone, moment, window) for zone, window in clocks)
        if following == moment:
            return moment
        moment = following
    raise NoSuchHour(f"No hour is inside the windows in all of {', '.join(z for z, _ in wanted)}.")


def _may_share_an_hour(moment: datetime, clocks: Sequence[tuple[ZoneInfo, Window]]) -> bool:
    """Return whether the windows may overlap within a week; False is certain and cheap to compute.

    With constant offsets each window begins once a day. If all of them overlap, they do so from the
    beginning of one of them.
    """
    later = moment + _WEEK
    begins: set[tuple[timedelta, timedelta]] = set()
    for zone, window in clocks:
        offset = moment.astimezone(zone).utcoffset() or timedelta()
        if later.astimezone(zone).utcoffset() != offset:
            return True  # an offset changes: needs the exact search
        opens, closes = _since_midnight(window.opens), _since_midnight(window.closes)
        begins.add((opens - offset, closes - opens))
    return any(all((one - other) % _DAY < long for other, long in begins) for one, _ in begins)


def _since_midnight(clock: time) -> timedelta:
    return datetime.combine(date.min, clock) - datetime.combine(date.min, time())


def _next_in(zone: ZoneInfo, moment: datetime, window: Window) -> datetime:
    while not window.admits(moment, zone):
        local = moment.astimezone(zone).replace(tzinfo=None)
        opening = datetime.combine(local.date(), window.opens)
        if opening < local:
            opening += timedelta(days=1)
        # With the current offset. If it changes before the opening, continue from the change.
        opening_at = moment + (opening - local)
        moment = _clock_change(zone, moment, opening_at) or opening_at
    return moment


def _clock_change(zone: ZoneInfo, after: datetime, until: datetime) -> datetime | None:
    """Return the time at which the offset changes; None if it is the same at both ends."""
    offset = after.astimezone(zone).utcoffset()
    if until.astimezone(zone).utcoffset() == offset:
        return None
    before = after.replace(microsecond=0)  # offsets change on whole seconds
    same, changed = 0, (until - before) // timedelta(seconds=1)
    while changed - same > 1:
        middle = (same + changed) // 2
        if (before + timedelta(seconds=middle)).astimezone(zone).utcoffset() == offset:
            same = middle
        else:
            changed = middle
    return before + timedelta(seconds=changed)
