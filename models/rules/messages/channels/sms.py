"""Rules of SMS: one unit per segment; final with the first final report."""

from models.enums import FINAL_REPORT
from models.rules.messages.lifecycle import status_of
from models.rules.messages.segments import segment
from models.rules.messages.settlement_facts import Facts, FinalReport


def held(text: str) -> int:
    """Return the units to hold: one per segment."""
    return segment(text).segments


def taken(facts: Facts) -> int:
    """Return the units of a message that a provider accepted, whatever the outcome."""
    return facts.units


def final_report(facts: Facts) -> FinalReport | None:
    """Return the first final report; later reports change nothing."""
    for report in facts.reports:
        if report.status in FINAL_REPORT:
            return FinalReport(status=status_of(report.status), used=facts.units, report=report)
    return None
