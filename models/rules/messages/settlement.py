"""Decides how a message ends: status, units and usage by its attempts and reports. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from models.enums import (
    CORRECTABLE,
    OPEN_ATTEMPT,
    AttemptState,
    ErrorCode,
    MessageStatus,
    ReportStatus,
)
from models.rules.billing.periods import day_of
from models.rules.messages.channels.channel_rules import RULES
from models.rules.messages.lifecycle import status_of
from models.rules.messages.settlement_facts import Facts, FinalReport

_FAILED: Final = frozenset({ReportStatus.UNDELIVERED, ReportStatus.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Terminal state of a message: its row gets these values, and its hold is split accordingly.

    `captured` of the held units are billed, the rest is released. `provider` and `day` are set if a
    provider certainly accepted the message: then it counts in the usage of that UTC day.
    `uncaptured` units have a cost but are not captured: a late correction captures nothing.
    """

    status: MessageStatus
    captured: int
    uncaptured: int = 0
    error_code: ErrorCode | None = None
    provider_code: str | None = None
    provider: str | None = None
    day: date | None = None

    @property
    def cost_units(self) -> int:
        """Units that the provider charges for."""
        return self.captured + self.uncaptured


def end_by_report(facts: Facts) -> End | None:
    """Return the end by the channel's rules for reports; None while there is none."""
    final = RULES[facts.channel].final_report(facts)
    return None if final is None else _reported(facts, final)


def _reported(facts: Facts, final: FinalReport) -> End:
    attempt = next(a for a in facts.attempts if a.number == final.report.attempt)
    delivered = final.status is MessageStatus.DELIVERED
    return End(
        status=final.status,
        captured=final.used,
        error_code=None if delivered else final.report.error_code,
        provider_code=final.report.provider_code,
        provider=attempt.provider,
        day=day_of(attempt.requested_at),
    )


def _end_by_failure(facts: Facts) -> End | None:
    """Return the end of a message that an account without reports did not deliver to somebody.

    Such an account reports at most failures, so nothing is awaited of an e-mail's other recipients.
    """
    for report in facts.reports:
        known = report.recipient is None or report.recipient in facts.recipients
        if report.status in _FAILED and known:
            used = RULES[facts.channel].taken(facts)
            status = status_of(report.status)
            return _reported(facts, FinalReport(status=status, used=used, report=report))
    return None


def end_unknown(facts: Facts) -> End:
    """Return the end of a message whose outcome could not be determined.

    If a provider certainly accepted it (by its answer or a report), its units are captured;
    otherwise they are released.
    """
    told = {report.attempt for report in facts.reports}
    taken = next(
        (a for a in facts.attempts if a.state is AttemptState.ACCEPTED or a.number in told), None
    )
    if taken is None:
        return End(status=MessageStatus.UNKNOWN, captured=0, error_code=ErrorCode.DELIVERY_UNKNOWN)
    return End(
        status=MessageStatus.UNKNOWN,
        captured=RULES[facts.channel].taken(facts),
        error_code=ErrorCode.DELIVERY_UNKNOWN,
        provider=taken.provider,
        day=day_of(taken.requested_at),
    )


def end_sent(facts: Facts, silent: Collection[str]) -> End | None:
    """Return the end as SENT if one of the `silent` accounts, which report nothing, accepted it.

    If a bounce arrived all the same, it decides.
    """
    taken = next(
        (a for a in facts.attempts if a.state is AttemptState.ACCEPTED and a.account in silent),
        None,
    )
    if taken is None:
        return None
    failed = _end_by_failure(facts)
    if failed is not None:
        return failed
    return End(
        status=MessageStatus.SENT,
        captured=RULES[facts.channel].taken(facts),
        provider=taken.provider,
        day=day_of(taken.requested_at),
    )


def may_be_taken(facts: Facts) -> bool:
    """Return whether a provider has the message, or may have it."""
    return bool(facts.reports) or any(
        a.state is AttemptState.ACCEPTED or a.state in OPEN_ATTEMPT for a in facts.attempts
    )


def end_refused(facts: Facts, error_code: ErrorCode) -> End:
    """Return the end of a message that no provider accepted."""
    refused = [a for a in facts.attempts if a.state is AttemptState.REFUSED]
    return End(
        status=MessageStatus.FAILED,
        captured=0,
        error_code=error_code,
        provider_code=refused[-1].provider_code if refused else None,
    )


def correction(facts: Facts, today: date) -> End | None:
    """Return the correction of an ended message by a late report, at most once.

    UNKNOWN is corrected, and SENT where an account reports nothing: a bounce may arrive all the
    same. Usage is posted to today; units are not captured again.
    """
    if facts.status not in CORRECTABLE or facts.corrected:
        return None
    end = end_by_report(facts)
    if end is None and facts.status is MessageStatus.SENT:
        end = _end_by_failure(facts)
    if end is None:
        return None
    return End(
        status=end.status,
        captured=0,
        uncaptured=end.captured,
        error_code=end.error_code,
        provider_code=end.provider_code,
        provider=end.provider,
        day=today,
    )


def reported_price(facts: Facts, provider: str) -> Decimal | None:
    """Return the provider's last reported price of the message; None if it reported none."""
    theirs = {attempt.number for attempt in facts.attempts if attempt.provider == provider}
    told = [r.price for r in facts.reports if r.attempt in theirs and r.price is not None]
    return told[-1] if told else None


def price_settled(facts: Facts, provider: str) -> bool:
    """Return whether the provider has said its last word on the price of the message."""
    theirs = {attempt.number for attempt in facts.attempts if attempt.provider == provider}
    return any(r.price_settled for r in facts.reports if r.attempt in theirs)
