"""Rules of e-mail: one unit per recipient; final when every recipient has a final report."""

from models.enums import FINAL_REPORT, MessageStatus
from models.rules.messages.lifecycle import status_of
from models.rules.messages.settlement_facts import Facts, FinalReport, ReportFact


def held(recipients: int) -> int:
    """Return the units to hold: one per recipient."""
    return recipients


def taken(facts: Facts) -> int:
    """Return the units of an e-mail that a provider accepted, whatever the outcome."""
    return facts.units


def final_report(facts: Facts) -> FinalReport | None:
    """Return the final report of the whole e-mail: UNDELIVERED if it bounced for any recipient."""
    finals: dict[str, ReportFact] = {}
    for report in facts.reports:
        whose = report.recipient or facts.recipients[0]
        if report.status in FINAL_REPORT and whose in facts.recipients:
            finals.setdefault(whose, report)
    if len(finals) < len(facts.recipients):
        return None
    last = next(
        (one for one in finals.values() if status_of(one.status) is not MessageStatus.DELIVERED),
        next(iter(finals.values())),
    )
    return FinalReport(status=status_of(last.status), used=facts.units, report=last)
