"""Whether a message may be dispatched now: the table first, then every possible input."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.enums import (
    OPEN_ATTEMPT,
    TERMINAL,
    AttemptState,
    ConsentStatus,
    ErrorCode,
    MessageStatus,
    MessageType,
)
from models.rules.messages.dispatch_decision import (
    HELD_BACK_AT_MOST,
    Candidate,
    Decision,
    DispatchAction,
    decide,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
A = AttemptState


def candidate(
    status: MessageStatus = MessageStatus.QUEUED,
    *attempts: AttemptState,
    completed: bool = False,
    type: MessageType = MessageType.TRANSACTIONAL,
    due_at: datetime = NOW,
    expires_at: datetime | None = None,
    active: bool = True,
    consent: ConsentStatus | None = None,
    told: bool = False,
    refused: ErrorCode | None = None,
    last_finished_at: datetime | None = None,
    failures: int = 0,
) -> Candidate:
    return Candidate(
        status=status,
        completed=completed,
        type=type,
        due_at=due_at,
        expires_at=expires_at,
        merchant_active=active,
        consent=consent,
        attempts=attempts,
        told=told,
        refused=refused,
        last_finished_at=last_finished_at,
        failures=failures,
    )


SENDING = MessageStatus.SENDING
BLOCK = DispatchAction.BLOCK
TABLE = [
    (candidate(), Decision(action=DispatchAction.CLAIM)),
    (candidate(SENDING, A.NOT_PROCESSED), Decision(action=DispatchAction.CLAIM)),
    (candidate(SENDING, A.REFUSED, A.ABSENT), Decision(action=DispatchAction.CLAIM)),
    (candidate(SENDING, A.REQUESTED), Decision(action=DispatchAction.RECONCILE)),
    (candidate(SENDING, A.AMBIGUOUS), Decision(action=DispatchAction.RECONCILE)),
    (candidate(SENDING, A.REFUSED, A.ACCEPTED), Decision(action=DispatchAction.REPORT)),
    (candidate(SENDING, A.ABSENT, told=True), Decision(action=DispatchAction.REPORT)),
    (candidate(MessageStatus.CANCELED), Decision(action=DispatchAction.OVER)),
    (candidate(completed=True), Decision(action=DispatchAction.OVER)),
    (candidate(due_at=NOW + SECOND), Decision(action=DispatchAction.WAIT, until=NOW + SECOND)),
    (candidate(failures=4), Decision(action=DispatchAction.CLAIM)),
    (candidate(failures=5), Decision(action=BLOCK, error_code=ErrorCode.UNPROCESSABLE)),
    (
        candidate(SENDING, A.ABSENT, failures=6, active=False),
        Decision(action=BLOCK, error_code=ErrorCode.UNPROCESSABLE),
    ),
    (candidate(SENDING, A.REQUESTED, failures=99), Decision(action=DispatchAction.RECONCILE)),
    (candidate(SENDING, A.ACCEPTED, failures=99), Decision(action=DispatchAction.REPORT)),
    (candidate(MessageStatus.CANCELED, failures=99), Decision(action=DispatchAction.OVER)),
    (candidate(expires_at=NOW), Decision(action=BLOCK, error_code=ErrorCode.EXPIRED)),
    (candidate(expires_at=NOW + SECOND), Decision(action=DispatchAction.CLAIM)),
    (
        candidate(SENDING, A.AMBIGUOUS, expires_at=NOW - SECOND),
        Decision(action=DispatchAction.RECONCILE),
    ),
    (
        candidate(consent=ConsentStatus.OPT_OUT),
        Decision(action=BLOCK, error_code=ErrorCode.CONSENT_OPTED_OUT),
    ),
    (
        candidate(type=MessageType.MARKETING),
        Decision(action=BLOCK, error_code=ErrorCode.CONSENT_REQUIRED),
    ),
    (
        candidate(type=MessageType.MARKETING, consent=ConsentStatus.OPT_IN),
        Decision(action=DispatchAction.CLAIM),
    ),
    (
        candidate(active=False),
        Decision(action=DispatchAction.WAIT, until=NOW + 5 * SECOND, held_back=True),
    ),
    (
        candidate(active=False, due_at=NOW - timedelta(days=20)),
        Decision(action=DispatchAction.WAIT, until=NOW + timedelta(hours=1), held_back=True),
    ),
    (
        candidate(due_at=NOW - HELD_BACK_AT_MOST),
        Decision(action=BLOCK, error_code=ErrorCode.EXPIRED),
    ),
    (
        candidate(SENDING, A.REFUSED, refused=ErrorCode.BAD_DESTINATION),
        Decision(action=BLOCK, error_code=ErrorCode.BAD_DESTINATION),
    ),
    (candidate(SENDING, A.ABSENT, last_finished_at=NOW), Decision(action=DispatchAction.CLAIM)),
    (
        candidate(SENDING, A.ABSENT, A.ABSENT, A.ABSENT, last_finished_at=NOW),
        Decision(action=DispatchAction.WAIT, until=NOW + 4 * SECOND),
    ),
    (
        candidate(active=False, due_at=NOW - HELD_BACK_AT_MOST),
        Decision(action=BLOCK, error_code=ErrorCode.MERCHANT_INACTIVE),
    ),
]


@pytest.mark.parametrize(("standing", "decision"), TABLE)
def test_the_decision_for_each_state_of_a_message(standing: Candidate, decision: Decision) -> None:
    assert decide(standing, NOW) == decision


def test_an_inactive_merchant_is_never_waited_for_beyond_thirty_days_or_the_expiry() -> None:
    long_ago = NOW - HELD_BACK_AT_MOST + timedelta(hours=1)
    decision = decide(candidate(active=False, due_at=long_ago), NOW)
    assert decision == _held_back(until=NOW + timedelta(hours=1))
    brief = candidate(active=False, expires_at=NOW + SECOND)
    assert decide(brief, NOW) == _held_back(until=NOW + SECOND)


def _held_back(*, until: datetime) -> Decision:
    return Decision(action=DispatchAction.WAIT, until=until, held_back=True)


def test_a_merchant_that_is_active_again_is_noticed_within_a_twentieth_of_the_wait() -> None:
    for waited, least in ((0, 5), (60, 5), (100, 5), (3600, 180), (86400, 3600)):
        held = candidate(active=False, due_at=NOW - waited * SECOND)
        assert decide(held, NOW) == _held_back(until=NOW + least * SECOND)


MOMENTS = st.timedeltas(timedelta(days=-40), timedelta(days=40)).map(lambda gap: NOW + gap)
CANDIDATES = st.builds(
    Candidate,
    status=st.sampled_from(MessageStatus),
    completed=st.booleans(),
    type=st.sampled_from(MessageType),
    due_at=MOMENTS,
    expires_at=st.none() | MOMENTS,
    merchant_active=st.booleans(),
    consent=st.none() | st.sampled_from(ConsentStatus),
    attempts=st.lists(st.sampled_from(AttemptState), max_size=4).map(tuple),
    told=st.booleans(),
)


@given(CANDIDATES)
def test_nothing_is_claimed_that_may_be_out_or_must_not_go(standing: Candidate) -> None:
    if decide(standing, NOW).action is not DispatchAction.CLAIM:
        return
    assert not OPEN_ATTEMPT.intersection(standing.attempts)
    assert AttemptState.ACCEPTED not in standing.attempts
    assert not standing.told
    assert standing.consent is not ConsentStatus.OPT_OUT
    assert standing.expires_at is None or standing.expires_at > NOW
    assert standing.due_at <= NOW
    assert standing.merchant_active
    assert not standing.completed
    assert standing.status not in TERMINAL


@given(CANDIDATES)
def test_a_decision_names_what_its_reader_needs(standing: Candidate) -> None:
    decision = decide(standing, NOW)
    assert (decision.until is not None) is (decision.action is DispatchAction.WAIT)
    assert decision.until is None or decision.until > NOW
    assert (decision.error_code is not None) is (decision.action is DispatchAction.BLOCK)


@given(CANDIDATES)
def test_an_open_attempt_is_never_passed_over_while_the_message_lives(standing: Candidate) -> None:
    alive = not standing.completed and standing.status not in TERMINAL
    if alive and OPEN_ATTEMPT.intersection(standing.attempts):
        assert decide(standing, NOW).action in {DispatchAction.RECONCILE, DispatchAction.REPORT}


@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("suppressed", [True, False])
@pytest.mark.parametrize("consent", [None, *ConsentStatus])
def test_the_one_answer_to_a_text_is_held_by_nothing_that_was_said(
    active: bool, suppressed: bool, consent: ConsentStatus | None
) -> None:
    answer = replace(candidate(active=active, consent=consent), exempt=True, suppressed=suppressed)
    assert decide(answer, NOW) == Decision(action=DispatchAction.CLAIM)
    no_sender = Decision(action=BLOCK, error_code=ErrorCode.SENDER_NOT_REGISTERED)
    assert decide(replace(answer, sender_fits=False), NOW) == no_sender
