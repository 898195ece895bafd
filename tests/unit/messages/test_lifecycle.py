"""Permitted transitions of a status."""

from itertools import product

import pytest

from models.enums import FINAL_REPORT, TERMINAL, WAITING, MessageStatus, ReportStatus
from models.rules.messages.lifecycle import STEPS, may_step, status_of

S = MessageStatus

DRAWN = {
    (S.QUEUED, S.SCHEDULED),
    (S.QUEUED, S.SENDING),
    (S.QUEUED, S.FAILED),
    (S.QUEUED, S.CANCELED),
    (S.SCHEDULED, S.SENDING),
    (S.SCHEDULED, S.FAILED),
    (S.SCHEDULED, S.CANCELED),
    (S.SENDING, S.SENT),
    (S.SENDING, S.DELIVERED),
    (S.SENDING, S.UNDELIVERED),
    (S.SENDING, S.FAILED),
    (S.SENDING, S.UNKNOWN),
    (S.SENT, S.DELIVERED),
    (S.SENT, S.UNDELIVERED),
    (S.SENT, S.FAILED),
    (S.SENT, S.UNKNOWN),
    (S.UNKNOWN, S.DELIVERED),
    (S.UNKNOWN, S.UNDELIVERED),
    (S.UNKNOWN, S.FAILED),
}


def test_a_status_takes_the_drawn_steps_and_no_other() -> None:
    assert {(a, b) for a, b in product(S, S) if may_step(a, b)} == DRAWN


def test_every_status_is_in_the_table() -> None:
    assert set(STEPS) == set(S)


def test_final_statuses_never_change_except_unknown() -> None:
    assert {status for status in TERMINAL if STEPS[status]} == {S.UNKNOWN}
    assert STEPS[S.UNKNOWN] < TERMINAL


def test_no_chain_of_steps_ever_comes_back() -> None:
    def walk(status: S, seen: tuple[S, ...]) -> None:
        assert status not in seen
        for following in STEPS[status]:
            walk(following, (*seen, status))

    for status in S:
        walk(status, ())


def test_only_what_waits_can_be_canceled() -> None:
    assert {status for status in S if may_step(status, S.CANCELED)} == WAITING


@pytest.mark.parametrize("report", sorted(FINAL_REPORT))
def test_a_final_report_ends_a_message_with_its_status(report: ReportStatus) -> None:
    assert status_of(report).value == report.value
    assert STEPS[status_of(report)] == frozenset()


@pytest.mark.parametrize("report", sorted(set(ReportStatus) - FINAL_REPORT))
def test_no_other_report_ends_a_message(report: ReportStatus) -> None:
    with pytest.raises(KeyError):
        status_of(report)
