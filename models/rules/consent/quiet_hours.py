"""Quiet hours: marketing must be inside the window in every zone the recipient may be in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, TypeAlias
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
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
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

    @property
    def long(self) -> timedelta:
        """Its duration on a day without a clock change."""
        return _since_midnight(self.closes) - _since_midnight(self.opens)

    def admits(self, moment: datetime, zone: ZoneInfo) -> bool:
        """Return whether a time is inside the window in a zone."""
        return self.opens <= moment.astimezone(zone).time() < self.closes


Clocks: TypeAlias = tuple[tuple[str, Window], ...]
"""Zones and the window that applies in each."""

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
    moment, clocks = now.astimezone(UTC), tuple(dict.fromkeys(wanted))
    today = datetime.combine(moment.date(), time(), UTC)
    found = _first_from(today, clocks)
    if found is not None and found < moment:
        tomorrow = today + _DAY
        found = _first_before(tomorrow, moment, clocks) or _first_from(tomorrow, clocks)
    if found is None:
        raise NoSuchHour(
            f"No hour is inside the windows in all of {', '.join(z for z, _ in wanted)}."
        )
    return found


@lru_cache(maxsize=1024)
def _first_from(midnight: datetime, wanted: Clocks) -> datetime | None:
    """Return the first time within a year of a midnight that is inside each zone's window.

    The result is kept: without it each message to a number that no hour fits would search a year.
    Weeks in which no offset changes are all alike if their offsets are, so few are looked at.
    """
    barren: set[tuple[timedelta, ...]] = set()
    for week in range(_week_of(midnight), _week_of(midnight + _LOOK_AHEAD) + 1):
        offsets = [_offsets(zone, week) for zone, _ in wanted]
        if all(one == other for one, other in offsets):
            constant = tuple(offset for offset, _ in offsets)
            if constant in barren:
                continue
            if not _share_an_hour(constant, wanted):
                barren.add(constant)
                continue
        begin = max(midnight, _EPOCH + week * _WEEK)
        found = _first_before(_EPOCH + (week + 1) * _WEEK, begin, wanted)
        if found is not None:
            return found
    return None


def _first_before(end: datetime, moment: datetime, wanted: Clocks) -> datetime | None:
    """Return the first time from a moment on that is inside each zone's window.

    None if there is none before the end.
    """
    clocks = _distinct(moment, end, wanted)
    while moment < end:
        # No zone allows anything before its own next time, so nothing before the latest of them.
        following = max(_next_in(zone, moment, window) for zone, window in clocks)
        if following == moment:
            return moment
        moment = following
    return None


def _distinct(moment: datetime, end: datetime, wanted: Clocks) -> Sequence[tuple[ZoneInfo, Window]]:
    """Return the zones without those whose clocks show the same time as another's all along.

    Where an offset changes, the zones are kept apart: the changes may differ by hours.
    """
    weeks = range(_week_of(moment), _week_of(end) + 1)
    kept: dict[tuple[object, Window], tuple[ZoneInfo, Window]] = {}
    for zone, window in wanted:
        shown = {offset for week in weeks for offset in _offsets(zone, week)}
        same: object = shown.pop() if len(shown) == 1 else zone
        kept.setdefault((same, window), (_clock(zone), window))
    return list(kept.values())


def _week_of(moment: datetime) -> int:
    return (moment - _EPOCH) // _WEEK


@lru_cache(maxsize=1024)
def _clock(zone: str) -> ZoneInfo:
    """Keep the zone: ZoneInfo itself keeps only eight, and reads the others' files again."""
    return ZoneInfo(zone)


@lru_cache(maxsize=65_536)
def _offsets(zone: str, week: int) -> tuple[timedelta, timedelta]:
    """Return a zone's offset at the beginning and at the end of a week."""
    begin, clock = _EPOCH + week * _WEEK, _clock(zone)
    ends = begin.astimezone(clock).utcoffset(), (begin + _WEEK).astimezone(clock).utcoffset()
    return ends[0] or timedelta(), ends[1] or timedelta()


def _share_an_hour(offsets: Sequence[timedelta], wanted: Clocks) -> bool:
    """Return whether the windows overlap at constant offsets.

    Each begins once a day. If all of them overlap, they do so from the beginning of one of them.
    """
    begins = {
        (_since_midnight(window.opens) - offset, window.long)
        for offset, (_, window) in zip(offsets, wanted, strict=True)
    }
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
