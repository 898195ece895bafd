"""The status of a message from its attempts and reports."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import CORRECTABLE, AttemptState, Channel, ErrorCode, MessageStatus, ReportStatus
from models.rules.messages.settlement import (
    End,
    correction,
    end_by_report,
    end_refused,
    end_sent,
    end_unknown,
)
from models.rules.messages.settlement_facts import AttemptFact, Facts, ReportFact

AT = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)
DAY = date(2026, 11, 30)
TODAY = date(2026, 12, 2)


def attempt(
    number: int = 1, state: AttemptState = AttemptState.ACCEPTED, code: str | None = None
) -> AttemptFact:
    return AttemptFact(
        number=number,
        provider=f"p{number}",
        account=f"a{number}",
        state=state,
        requested_at=AT,
        provider_code=code,
    )


def report(
    status: ReportStatus, error_code: ErrorCode | None = None, *, attempt: int = 1
) -> ReportFact:
    code = None if error_code is None else "30005"
    return ReportFact(attempt=attempt, status=status, error_code=error_code, provider_code=code)


def facts(
    *reports: ReportFact,
    attempts: Sequence[AttemptFact] = (attempt(),),
    status: MessageStatus = MessageStatus.SENT,
    corrected: bool = False,
) -> Facts:
    return Facts(
        channel=Channel.SMS,
        status=status,
        units=3,
        corrected=corrected,
        attempts=attempts,
        reports=reports,
    )


SENT, DELIVERED = report(ReportStatus.SENT), report(ReportStatus.DELIVERED)
UNREACHABLE = report(ReportStatus.UNDELIVERED, ErrorCode.UNREACHABLE)
DONE = End(status=MessageStatus.DELIVERED, captured=3, provider="p1", day=DAY)
LOST = End(
    status=MessageStatus.UNDELIVERED,
    captured=3,
    error_code=ErrorCode.UNREACHABLE,
    provider_code="30005",
    provider="p1",
    day=DAY,
)


@pytest.mark.parametrize(
    ("reports", "end"),
    [
        ([], None),
        ([SENT], None),
        ([DELIVERED], DONE),
        ([SENT, DELIVERED], DONE),
        ([DELIVERED, SENT, UNREACHABLE], DONE),
        ([report(ReportStatus.COMPLAINED), DELIVERED], DONE),
        ([UNREACHABLE, DELIVERED], LOST),
    ],
)
def test_the_first_final_report_ends_a_message(reports: list[ReportFact], end: End | None) -> None:
    assert end_by_report(facts(*reports)) == end


def test_the_attempt_that_was_reported_on_names_provider_and_day() -> None:
    known = facts(
        report(ReportStatus.DELIVERED, attempt=2),
        attempts=[attempt(1, AttemptState.ABSENT), attempt(2)],
    )
    end = end_by_report(known)
    assert end == End(status=MessageStatus.DELIVERED, captured=3, provider="p2", day=DAY)


@pytest.mark.parametrize(
    ("known", "captured", "provider"),
    [
        (facts(), 3, "p1"),
        (facts(attempts=[attempt(state=AttemptState.AMBIGUOUS)]), 0, None),
        (facts(attempts=[attempt(state=AttemptState.REQUESTED)]), 0, None),
        (facts(attempts=[]), 0, None),
        (facts(SENT, attempts=[attempt(state=AttemptState.AMBIGUOUS)]), 3, "p1"),
        (facts(attempts=[attempt(1, AttemptState.ABSENT), attempt(2)]), 3, "p2"),
    ],
)
def test_without_truth_only_what_was_surely_taken_is_captured(
    known: Facts, captured: int, provider: str | None
) -> None:
    assert end_unknown(known) == End(
        status=MessageStatus.UNKNOWN,
        captured=captured,
        error_code=ErrorCode.DELIVERY_UNKNOWN,
        provider=provider,
        day=None if provider is None else DAY,
    )


def test_a_refusal_costs_nothing_and_keeps_the_last_code() -> None:
    refusals = [attempt(1, AttemptState.REFUSED, "1"), attempt(2, AttemptState.REFUSED, "2")]
    assert end_refused(facts(attempts=refusals), ErrorCode.BAD_DESTINATION) == End(
        status=MessageStatus.FAILED,
        captured=0,
        error_code=ErrorCode.BAD_DESTINATION,
        provider_code="2",
    )


def test_what_a_silent_account_took_ends_as_sent() -> None:
    both = [attempt(1, AttemptState.REFUSED), attempt(2)]
    assert end_sent(facts(attempts=both), {"a2"}) == End(
        status=MessageStatus.SENT, captured=3, provider="p2", day=DAY
    )
    assert end_sent(facts(attempts=both), {"a1"}) is None
    assert end_sent(facts(attempts=[attempt(state=AttemptState.AMBIGUOUS)]), {"a1"}) is None


def test_a_late_bounce_corrects_sent_once() -> None:
    bounced = facts(UNREACHABLE, status=MessageStatus.SENT)
    end = correction(bounced, TODAY)
    assert end is not None
    assert (end.status, end.captured, end.day) == (MessageStatus.UNDELIVERED, 0, TODAY)
    assert correction(facts(UNREACHABLE, corrected=True), TODAY) is None


def bounces(*recipients: str | None, status: ReportStatus = ReportStatus.UNDELIVERED) -> Facts:
    """Return an e-mail to a, b and c that a silent account accepted, with these bounces."""
    error = ErrorCode.BAD_DESTINATION
    reports = [replace(report(status, error), recipient=one) for one in recipients]
    return replace(facts(*reports), channel=Channel.EMAIL, recipients=("a", "b", "c"))


def test_one_bounce_of_several_recipients_ends_what_a_silent_account_took() -> None:
    bounced = replace(LOST, error_code=ErrorCode.BAD_DESTINATION)
    assert end_by_report(bounces("b")) is None
    assert end_sent(bounces("b"), {"a1"}) == bounced
    assert correction(bounces("b"), TODAY) == replace(bounced, captured=0, uncaptured=3, day=TODAY)
    assert correction(replace(bounces("b"), corrected=True), TODAY) is None


@pytest.mark.parametrize(
    "known", [bounces(), bounces("d"), bounces("b", status=ReportStatus.SENT)], ids=repr
)
def test_what_is_no_bounce_of_a_recipient_leaves_it_sent(known: Facts) -> None:
    end = end_sent(known, {"a1"})
    assert end is not None
    assert end.status is MessageStatus.SENT
    assert correction(known, TODAY) is None


def test_an_unknown_message_to_several_is_not_corrected_by_one_bounce() -> None:
    unknown = replace(bounces("b"), status=MessageStatus.UNKNOWN)
    assert correction(unknown, TODAY) is None


def test_a_late_report_corrects_unknown_once_on_the_day_it_comes() -> None:
    unknown = facts(UNREACHABLE, status=MessageStatus.UNKNOWN)
    assert correction(unknown, TODAY) == End(
        status=MessageStatus.UNDELIVERED,
        captured=0,
        uncaptured=3,
        error_code=ErrorCode.UNREACHABLE,
        provider_code="30005",
        provider="p1",
        day=TODAY,
    )
    assert correction(facts(DELIVERED, status=MessageStatus.UNKNOWN, corrected=True), TODAY) is None
    assert correction(facts(SENT, status=MessageStatus.UNKNOWN), TODAY) is None


@pytest.mark.parametrize("status", sorted(set(MessageStatus) - CORRECTABLE))
def test_a_late_report_corrects_nothing_else(status: MessageStatus) -> None:
    assert correction(facts(DELIVERED, status=status), TODAY) is None


REPORTS = st.lists(
    st.builds(report, st.sampled_from(ReportStatus), st.none() | st.sampled_from(ErrorCode)),
    max_size=6,
)
ATTEMPTS = st.lists(st.sampled_from(AttemptState), min_size=1, max_size=4).map(
    lambda states: [attempt(n, state) for n, state in enumerate(states, 1)]
)


@given(REPORTS, ATTEMPTS, st.sampled_from(MessageStatus), st.booleans())
def test_no_end_captures_more_than_was_held(
    reports: list[ReportFact], attempts: list[AttemptFact], status: MessageStatus, corrected: bool
) -> None:
    known = facts(*reports, attempts=attempts, status=status, corrected=corrected)
    ends = [
        end_by_report(known),
        end_unknown(known),
        end_sent(known, {"a1", "a2"}),
        end_refused(known, ErrorCode.EXPIRED),
        correction(known, TODAY),
    ]
    for end in filter(None, ends):
        assert 0 <= end.captured <= known.units
        assert (end.provider is None) is (end.day is None)
        assert not end.captured or end.provider is not None


@given(REPORTS, st.data())
def test_the_position_of_an_intermediate_report_is_irrelevant(
    reports: list[ReportFact], data: st.DataObject
) -> None:
    final = [r for r in reports if r.status is not ReportStatus.SENT]
    mixed = list(final)
    for sent in (r for r in reports if r.status is ReportStatus.SENT):
        mixed.insert(data.draw(st.integers(0, len(mixed))), sent)
    assert end_by_report(facts(*mixed)) == end_by_report(facts(*final))


@given(REPORTS, REPORTS)
def test_reports_after_the_final_one_change_nothing(
    reports: list[ReportFact], later: list[ReportFact]
) -> None:
    end = end_by_report(facts(*reports))
    assert end is None or end_by_report(facts(*reports, *later)) == end
