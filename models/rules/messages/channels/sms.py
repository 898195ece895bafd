"""An SMS: paid by the segment, ended by the first final report."""

from models.enums import FINAL_REPORT
from models.rules.messages.lifecycle import status_of
from models.rules.messages.segments import segment
from models.rules.messages.settlement_facts import Facts, FinalReport


def held(text: str) -> int:
    """Return the units to hold: its segments."""
    return segment(text).segments


def taken(facts: Facts) -> int:
    """Return the units of a message a provider took, whatever became of it."""
    return facts.units


def final_report(facts: Facts) -> FinalReport | None:
    """Return the end the first final report makes; what is said after it changes nothing."""
    for report in facts.reports:
        if report.status in FINAL_REPORT:
            return FinalReport(status=status_of(report.status), used=facts.units, report=report)
    return None
