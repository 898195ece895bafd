"""Rules of calls: one unit per started minute of an answered call; unanswered calls are free."""

from models.enums import FINAL_REPORT
from models.rules.messages.lifecycle import status_of
from models.rules.messages.settlement_facts import Facts, FinalReport

_MINUTE = 60


def minutes(seconds: int) -> int:
    """Return the started minutes: 0 s are 0, 1 to 60 s are 1."""
    return -(-seconds // _MINUTE)


def held(longest_seconds: int) -> int:
    """Return the units to hold: the minutes of the longest allowed call."""
    return minutes(longest_seconds)


def taken(facts: Facts) -> int:
    """Return 0: the minutes of a call without a report are unknown, and are not billed."""
    return 0


def came_to(*, billed: int, held: int, reported_seconds: int | None) -> int:
    """Return the minutes of a call that has ended, whether or not they were billed.

    `reported_seconds` is the duration of the first final report, None without one. A report that
    arrives after the hold was released bills no units (CONTRACT, Messages).
    """
    return billed or min(minutes(reported_seconds or 0), held)


def final_report(facts: Facts) -> FinalReport | None:
    """Return the first final report.

    The provider is asked to end the call at the longest allowed duration, so more minutes than are
    held are never billed.
    """
    for report in facts.reports:
        if report.status in FINAL_REPORT:
            used = min(minutes(report.duration_seconds or 0), facts.units)
            return FinalReport(status=status_of(report.status), used=used, report=report)
    return None
