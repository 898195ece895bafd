"""Assignment of listed messages to attempts with equal texts."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from models.enums import OPEN_ATTEMPT, AttemptState
from models.rules.messages.equal_texts import Assignment, EqualAttempt, Presence, assign

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINE = (1, 1, 1)


def attempt(
    message: int = 1,
    *,
    number: int = 1,
    state: AttemptState = AttemptState.AMBIGUOUS,
    id: str | None = None,
) -> EqualAttempt:
    return EqualAttempt(
        key=(1, message, number),
        state=state,
        requested_at=NOW + timedelta(seconds=message),
        provider_message_id=id,
    )


def proven(id: str) -> Assignment:
    return Assignment(presence=Presence.PROVEN, provider_message_id=id)


NOT_LISTED = Assignment(presence=Presence.NOT_LISTED)
UNCLEAR = Assignment(presence=Presence.UNCLEAR)


def test_the_oldest_message_is_that_of_the_oldest_attempt() -> None:
    equals = [attempt(1), attempt(2)]
    assert assign(["a", "b"], MINE, equals) == proven("a")
    assert assign(["a", "b"], (1, 2, 1), equals) == proven("b")


def test_fewer_messages_than_attempts_prove_none() -> None:
    assert assign(["a"], MINE, [attempt(1), attempt(2)]) == UNCLEAR
    assert assign(["a", "a"], MINE, [attempt(1), attempt(2)]) == UNCLEAR


def test_a_message_with_an_owner_proves_nothing() -> None:
    owner = attempt(2, state=AttemptState.ACCEPTED, id="a")
    assert assign(["a"], MINE, [attempt(1), owner]) == NOT_LISTED
    assert assign(["a", "b"], MINE, [attempt(1), owner]) == proven("b")
    assert assign([], MINE, [attempt(1)]) == NOT_LISTED


def test_an_attempt_keeps_the_message_that_it_owns() -> None:
    mine = attempt(1, state=AttemptState.ACCEPTED, id="a")
    assert assign(["a", "b"], MINE, [mine, attempt(2)]) == proven("a")


def test_the_absence_of_another_message_may_have_been_inferred_wrongly() -> None:
    absent = AttemptState.ABSENT
    assert assign(["a"], MINE, [attempt(1), attempt(2, state=absent)]) == UNCLEAR
    second = (1, 1, 2)
    own = [attempt(1, state=absent), attempt(1, number=2)]
    assert assign(["a"], second, own) == proven("a"), "either proves that the message was sent"


def test_attempts_that_sent_nothing_take_no_message() -> None:
    sent_nothing = [
        attempt(2, state=AttemptState.REFUSED),
        attempt(3, state=AttemptState.NOT_PROCESSED),
    ]
    assert assign(["a"], MINE, [attempt(1), *sent_nothing]) == proven("a")


def test_without_known_equals_nothing_is_proven() -> None:
    assert assign(["a"], MINE, []) == UNCLEAR
    assert assign([], MINE, []) == NOT_LISTED


@given(
    arrived=st.lists(st.booleans(), min_size=1, max_size=6),
    order=st.permutations(range(6)),
)
def test_in_any_order_every_proof_is_true_and_all_are_proven_if_all_arrived(
    arrived: list[bool], order: list[int]
) -> None:
    equals = [attempt(n) for n in range(len(arrived))]
    listed = [f"m{n}" for n, came in enumerate(arrived) if came]
    for n in (place for place in order if place < len(arrived)):
        found = assign(listed, equals[n].key, equals)
        if found.presence is Presence.PROVEN:
            assert arrived[n]
            equals[n] = attempt(n, state=AttemptState.ACCEPTED, id=found.provider_message_id)
    owned = [one.provider_message_id for one in equals if one.state not in OPEN_ATTEMPT]
    assert len(owned) == len(set(owned))
    assert len(owned) == (len(arrived) if all(arrived) else 0)
