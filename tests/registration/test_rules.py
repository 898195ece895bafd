"""The state machines of 10DLC permit only the transitions of their tables, in any order."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.queries.registration import registrations
from models.queries.registration.registrations import StateChange
from models.rules.registration.lifecycle import (
    ASSIGNMENT_STEPS,
    HELD,
    NUMBER_ENDS,
    NUMBER_STEPS,
    REGISTRATION_STEPS,
    RegistrationAction,
    RegistrationReference,
    next_registration_action,
    operation_of_number,
    parse_registration_reference,
)
from models.rules.registration.missing import NumberWords, may_send, missing
from models.rules.registration.vocabulary import (
    AssignmentState,
    NumberState,
    NumberType,
    RegistrationKind,
    RegistrationOperation,
    RegistrationState,
    RegistryStatus,
)
from models.tables.messaging import Brand, Campaign, MessagingNumber

NOW = datetime(2026, 11, 27, tzinfo=UTC)
GRACE = timedelta(minutes=1)

assignments = st.sampled_from([None, *AssignmentState])


def row(state: RegistrationState) -> Brand:
    return Brand(
        tenant_id=1,
        id=1,
        merchant_id=1,
        provider="simulator",
        state=state,
        profile={},
        created_at=NOW,
        updated_at=NOW,
    )


def number(state: NumberState, assignment: AssignmentState | None = None) -> MessagingNumber:
    return MessagingNumber(
        tenant_id=1,
        id=1,
        merchant_id=1,
        provider="simulator",
        number="+18132201000",
        type=NumberType.LOCAL,
        state=state,
        assignment=assignment,
        sweep_at=NOW,
        created_at=NOW,
        updated_at=NOW,
    )


@given(st.lists(st.sampled_from(RegistrationState), max_size=12))
def test_a_brand_takes_only_the_steps_of_its_table(wanted: list[RegistrationState]) -> None:
    brand = row(RegistrationState.DRAFT)
    submitted = 0
    for following in wanted:
        before = brand.state
        moved = registrations.change_state(
            brand, StateChange(state=following), now=NOW, look_after=GRACE
        )
        assert moved == (following in REGISTRATION_STEPS[before])
        assert brand.state == (following if moved else before)
        submitted += moved and following is RegistrationState.PENDING
        # Every operation has its own reference, and is swept while it is open; an approved one is
        # reviewed.
        assert brand.submission == submitted
        assert (brand.sweep_at is not None) == (
            brand.state in (RegistrationState.PENDING, RegistrationState.APPROVED)
        )


@given(st.lists(st.tuples(st.none() | st.sampled_from(NumberState), assignments), max_size=15))
def test_a_number_takes_only_the_steps_of_its_tables(
    wanted: list[tuple[NumberState | None, AssignmentState | None]],
) -> None:
    bought = number(NumberState.REQUESTED)
    for state, assignment in wanted:
        before = (bought.state, bought.assignment)
        change = StateChange(state=state, assignment=assignment)
        moved = registrations.change_state(bought, change, now=NOW, look_after=GRACE)
        # By the tables it is assigned only while the merchant owns it.
        allowed = (state, assignment) != (None, None)
        if state is not None:
            allowed &= state in NUMBER_STEPS[before[0]]
            allowed &= not (state is NumberState.RELEASING and before[1] in HELD)
        if assignment is not None:
            allowed &= assignment in ASSIGNMENT_STEPS[before[1]]
            allowed &= before[0] is NumberState.ACTIVE
        assert moved == allowed
        if not moved:
            assert (bought.state, bought.assignment) == before
        open_registry_operation = operation_of_number(bought.state, bought.assignment)
        assert (bought.sweep_at is not None) == (open_registry_operation is not None)


WISHES = (
    StateChange(assignment=AssignmentState.PENDING),
    StateChange(assignment=AssignmentState.UNASSIGNING),
    StateChange(state=NumberState.RELEASING),
)
"""Requests of a merchant, in any order."""


@given(st.lists(st.tuples(st.sampled_from(WISHES), st.booleans()), max_size=30))
def test_an_operation_ends_in_the_states_of_its_table(
    life: list[tuple[StateChange, bool]],
) -> None:
    bought = number(NumberState.REQUESTED)
    for wish, granted in life:
        registry_operation = operation_of_number(bought.state, bought.assignment)
        if registry_operation is None:
            registrations.change_state(bought, wish, now=NOW, look_after=GRACE)
            continue
        end = NUMBER_ENDS[
            registry_operation, RegistryStatus.DONE if granted else RegistryStatus.REJECTED
        ]
        ended = StateChange(state=end.state, assignment=end.assignment)
        assert registrations.change_state(bought, ended, now=NOW, look_after=GRACE)
        if end.then is not None:
            assert registrations.change_state(
                bought, StateChange(state=end.then), now=NOW, look_after=GRACE
            )
        following = RegistrationOperation.RELEASE if end.then is not None else None
        assert operation_of_number(bought.state, bought.assignment) is following
        # Released only when no campaign has it.
        if bought.state in (NumberState.RELEASING, NumberState.RELEASED):
            assert bought.assignment not in HELD


def test_an_assignment_is_no_step_of_a_brand_or_campaign() -> None:
    campaign = Campaign(
        tenant_id=1,
        id=1,
        merchant_id=1,
        brand_id=1,
        provider="simulator",
        state=RegistrationState.APPROVED,
        profile={},
        created_at=NOW,
        updated_at=NOW,
    )
    change = StateChange(assignment=AssignmentState.PENDING)
    assert not registrations.change_state(campaign, change, now=NOW, look_after=GRACE)


@pytest.mark.parametrize(
    ("current", "deadline", "taken", "expected"),
    [
        (RegistrationOperation.BUY, None, False, RegistrationAction.SUBMIT),
        (RegistrationOperation.BUY, NOW, False, RegistrationAction.RECONCILE),
        (RegistrationOperation.BUY, None, True, RegistrationAction.ASK),
        (RegistrationOperation.ASSIGN, None, False, RegistrationAction.OVER),
        (None, NOW, True, RegistrationAction.OVER),
    ],
)
def test_the_row_alone_says_what_is_next(
    current: RegistrationOperation | None,
    deadline: datetime | None,
    taken: bool,
    expected: RegistrationAction,
) -> None:
    assert (
        next_registration_action(
            wanted=RegistrationOperation.BUY, current=current, deadline=deadline, taken=taken
        )
        is expected
    )


@pytest.mark.parametrize("deadline", [None, NOW])
@pytest.mark.parametrize("taken", [True, False])
def test_a_review_only_asks(deadline: datetime | None, taken: bool) -> None:
    brand = RegistrationOperation.REGISTER_BRAND
    action = next_registration_action(
        wanted=brand, current=brand, deadline=deadline, taken=taken, approved=True
    )
    assert action is RegistrationAction.ASK


@given(
    st.sampled_from(RegistrationKind),
    st.integers(0, 10**16 - 1),
    st.integers(0, 10**16 - 1),
    st.integers(0, 10**9 - 1),
)
def test_a_reference_is_read_as_it_was_written(
    kind: RegistrationKind, tenant: int, row: int, submission: int
) -> None:
    reference = RegistrationReference(kind=kind, tenant=tenant, row=row, submission=submission)
    assert parse_registration_reference(str(reference)) == reference


@pytest.mark.parametrize(
    "text", ["", "hx-1-2-3", "hxr-brand-1-2", "hxr-brand-1-2-3\n", "hxr-x-1-2-3"]
)
def test_an_invalid_reference_is_none(text: str) -> None:
    assert parse_registration_reference(text) is None


A, N, R = AssignmentState, NumberState, RegistrationState


def local(state: NumberState, assignment: AssignmentState | None = None) -> NumberWords:
    return NumberWords(type=NumberType.LOCAL, state=state, assignment=assignment)


@pytest.mark.parametrize(
    ("brand", "campaigns", "numbers", "words"),
    [
        (None, [], [], ["Register a brand", "Register a campaign", "Buy a local", "Assign"]),
        (R.DRAFT, [], [], ["Submit the brand", "Register a campaign", "Buy a local", "Assign"]),
        (R.PENDING, [], [local(N.REQUESTED)], ["Wait for the brand", "Register a", "Wait", "Ass"]),
        (R.REJECTED, [], [local(N.ACTIVE)], ["Correct the brand", "Register a", "Assign"]),
        (R.APPROVED, [R.DRAFT], [local(N.ACTIVE)], ["Submit the campaign", "Assign"]),
        (R.APPROVED, [R.REJECTED, R.DRAFT], [local(N.ACTIVE)], ["Correct the campaign", "Assign"]),
        (R.APPROVED, [R.PENDING], [local(N.ACTIVE)], ["Wait for the campaign", "Assign"]),
        (R.APPROVED, [R.APPROVED], [local(N.ACTIVE, A.PENDING)], ["Wait for the assignment"]),
        (R.APPROVED, [R.APPROVED], [local(N.ACTIVE, A.FAILED)], ["Assign"]),
        (R.APPROVED, [R.REJECTED, R.APPROVED], [local(N.ACTIVE, A.ASSIGNED)], []),
    ],
)
def test_missing_steps_are_listed_with_the_next_one_first(
    brand: RegistrationState | None,
    campaigns: list[RegistrationState],
    numbers: list[NumberWords],
    words: list[str],
) -> None:
    told = missing(brand, campaigns, numbers)
    assert len(told) == len(words)
    assert all(line.startswith(word) for line, word in zip(told, words, strict=True))
    assert may_send(brand, campaigns, numbers) == (told == [])


def test_a_toll_free_number_is_no_way_to_send_by_10dlc() -> None:
    numbers = [NumberWords(type=NumberType.TOLL_FREE, state=N.ACTIVE, assignment=None)]
    assert missing(R.APPROVED, [R.APPROVED], numbers)[0].startswith("Buy a local number")
