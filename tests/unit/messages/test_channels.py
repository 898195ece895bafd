"""Differences between channels: units held, units captured, and the summary of reports."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from models.enums import AttemptState, Channel, MessageStatus, ReportStatus
from models.rules.messages.channels import email, sms, voice
from models.rules.messages.channels.channel_rules import RULES
from models.rules.messages.settlement_facts import AttemptFact, Facts, ReportFact

ANN = ("ann@example.com",)
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
TAKEN = AttemptFact(
    number=1,
    provider="p",
    account="a",
    state=AttemptState.ACCEPTED,
    requested_at=AT,
    provider_code=None,
)


def report(
    status: ReportStatus, *, recipient: str | None = None, seconds: int | None = None
) -> ReportFact:
    return ReportFact(
        attempt=1,
        status=status,
        error_code=None,
        provider_code=None,
        recipient=recipient,
        duration_seconds=seconds,
    )


def facts(
    channel: Channel, *reports: ReportFact, units: int, recipients: Sequence[str] = ANN
) -> Facts:
    return Facts(
        channel=channel,
        status=MessageStatus.SENT,
        units=units,
        corrected=False,
        attempts=[TAKEN],
        reports=reports,
        recipients=recipients,
    )


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(0, 0), (1, 1), (59, 1), (60, 1), (61, 2), (70, 2), (3600, 60)]
)
def test_a_call_is_paid_by_the_started_minute(seconds: int, minutes: int) -> None:
    assert voice.minutes(seconds) == minutes
    answered = facts(Channel.VOICE, report(ReportStatus.DELIVERED, seconds=seconds), units=60)
    assert RULES[Channel.VOICE].final_report(answered).used == minutes  # type: ignore[union-attr]


@pytest.mark.parametrize("status", [ReportStatus.UNDELIVERED, ReportStatus.FAILED])
def test_an_unanswered_call_costs_nothing(status: ReportStatus) -> None:
    word = RULES[Channel.VOICE].final_report(
        facts(Channel.VOICE, report(status, seconds=0), units=5)
    )
    assert word is not None
    assert word.used == 0


def test_a_call_never_costs_more_than_was_held() -> None:
    long = facts(Channel.VOICE, report(ReportStatus.DELIVERED, seconds=400), units=5)
    assert RULES[Channel.VOICE].final_report(long).used == 5  # type: ignore[union-attr]


def test_unreported_minutes_are_not_billed() -> None:
    assert RULES[Channel.VOICE].taken(facts(Channel.VOICE, units=5)) == 0
    assert RULES[Channel.SMS].taken(facts(Channel.SMS, units=3)) == 3
    assert RULES[Channel.EMAIL].taken(facts(Channel.EMAIL, units=2)) == 2


@pytest.mark.parametrize(
    ("billed", "seconds", "units"),
    [(2, 70, 2), (0, 70, 2), (0, 0, 0), (0, None, 0), (0, 400, 5), (3, None, 3), (0, 60, 1)],
)
def test_a_call_comes_to_its_minutes_billed_or_not(
    billed: int, seconds: int | None, units: int
) -> None:
    assert voice.came_to(billed=billed, held=5, reported_seconds=seconds) == units


def test_each_channel_holds_its_own_unit() -> None:
    assert sms.held("a" * 161) == 2
    assert voice.held(300) == 5
    assert voice.held(61) == 2
    assert email.held(50) == 50


def test_an_email_ends_with_the_final_report_of_each_recipient() -> None:
    ann = report(ReportStatus.DELIVERED, recipient="ann@example.com")
    bob = report(ReportStatus.UNDELIVERED, recipient="bob@example.com")
    waiting = facts(Channel.EMAIL, ann, ann, units=2, recipients=[*ANN, "bob@example.com"])
    ended = facts(Channel.EMAIL, ann, bob, units=2, recipients=[*ANN, "bob@example.com"])
    assert RULES[Channel.EMAIL].final_report(waiting) is None
    word = RULES[Channel.EMAIL].final_report(ended)
    assert word is not None
    assert (word.status, word.used, word.report) == (MessageStatus.UNDELIVERED, 2, bob)


def test_a_soft_bounce_and_a_complaint_are_not_final() -> None:
    soft = report(ReportStatus.SENT, recipient="ann@example.com")
    done = report(ReportStatus.DELIVERED, recipient="ann@example.com")
    angry = report(ReportStatus.COMPLAINED, recipient="ann@example.com")
    assert RULES[Channel.EMAIL].final_report(facts(Channel.EMAIL, soft, units=1)) is None
    word = RULES[Channel.EMAIL].final_report(facts(Channel.EMAIL, soft, done, angry, units=1))
    assert word is not None
    assert word.status is MessageStatus.DELIVERED
