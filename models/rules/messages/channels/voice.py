"""A call: paid by the started minute of an answered call, nothing if nobody answered."""

from models.enums import FINAL_REPORT
from models.rules.messages.lifecycle import status_of
from models.rules.messages.settlement_facts import Facts, FinalReport

_MINUTE = 60


def minutes(seconds: int) -> int:
    """Return the started minutes: 0 s are none, 1 to 60 s are one."""
    return -(-seconds // _MINUTE)


def held(longest_seconds: int) -> int:
    """Return the units to hold: the minutes of the longest call it may become."""
    return minutes(longest_seconds)


def taken(facts: Facts) -> int:
    """Return the units of a call nobody reported on: minutes that cannot be told are not billed."""
    return 0


def came_to(*, billed: int, held: int, reported_seconds: int | None) -> int:
    """Return the units of a call that has ended: its minutes, whether or not they were billed.

    `reported_seconds` is the duration of the first final report, None without one. A report that
    comes after the hold was released bills none of them (CONTRACT, Messages).
    """
    return billed or min(minutes(reported_seconds or 0), held)


def final_report(facts: Facts) -> FinalReport | None:
    """Return the end the first final report makes.

    The provider was told to end the call at the longest duration, so more minutes than are held
    are never billed.
    """
    for report in facts.reports:
        if report.status in FINAL_REPORT:
            used = min(minutes(report.duration_seconds or 0), facts.units)
            return FinalReport(status=status_of(report.status), used=used, report=report)
    return None
