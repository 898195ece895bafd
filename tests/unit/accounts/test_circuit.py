"""When a circuit opens, for whom, for how long, and what closes it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.accounts.circuit import (
    GROUPS,
    Circuit,
    CircuitReason,
    CircuitState,
    Tally,
    budget_of,
    gap_after,
    group_of,
    judged,
    opened,
    probed,
    spread,
    state_of,
)

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FAILURES, SLOW, FAULT = CircuitReason.FAILURES, CircuitReason.SLOW, CircuitReason.ACCOUNT_FAULT


def failed(failures: int, attempts: int) -> Tally:
    return Tally(attempts=attempts, failures=failures)


def slow(calls: int, attempts: int) -> Tally:
    return Tally(attempts=attempts, slow=calls)


@dataclass(frozen=True)
class Case:
    groups: dict[int, Tally]
    reason: CircuitReason | None
    group: int | None = None


CASES = {
    "19 attempts are too few": Case({1: failed(9, 9), 2: failed(10, 10)}, None),
    "half of 20 failed": Case({1: failed(5, 10), 2: failed(5, 10)}, FAILURES),
    "less than half failed": Case({1: failed(5, 10), 2: failed(4, 10)}, None),
    "5 % are slow": Case({1: slow(2, 40), 2: slow(2, 40)}, None),
    "more than 5 % are slow": Case({1: slow(3, 40), 2: slow(3, 40)}, SLOW),
    "one of 20 is slow": Case({1: slow(1, 20)}, None),
    "two of 20 are slow": Case({1: slow(2, 20)}, SLOW, group=1),
    "one group fails, others don't": Case({1: failed(900, 900), 2: failed(0, 3)}, FAILURES, 1),
    "one group is alone": Case({7: failed(20, 20)}, FAILURES, 7),
    "the only other attempt failed too": Case({1: failed(900, 900), 2: failed(1, 1)}, FAILURES),
    "one group is slow, others aren't": Case({1: slow(90, 90), 2: slow(1, 20)}, SLOW, 1),
    "a few others can't be slow": Case({1: slow(90, 90), 2: slow(1, 3)}, SLOW, 1),
    "all are slow": Case({1: slow(90, 90), 2: slow(20, 20)}, SLOW),
    "failures count before slowness": Case(
        {1: Tally(attempts=20, failures=20, slow=20), 2: Tally(attempts=9, failures=9, slow=9)},
        FAILURES,
    ),
    "nothing was tried": Case({}, None),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_closed_circuit_opens_by_its_evidence(case: Case) -> None:
    after = judged(Circuit(), case.groups, NOW)
    if case.reason is None:
        assert after == Circuit()
        return
    assert (after.reason, after.group, after.openings) == (case.reason, case.group, 1)
    assert after.opened_at == NOW
    assert after.open_until == NOW + 10 * SECOND


def test_a_circuit_that_is_open_for_one_group_opens_for_all_once_others_fail() -> None:
    alone = judged(Circuit(), {1: failed(50, 50)}, NOW)
    assert not alone.concerns(2)
    few = judged(alone, {1: failed(50, 50), 2: failed(19, 19)}, NOW + SECOND)
    assert few == alone
    fine = judged(alone, {1: failed(50, 50), 2: failed(9, 20)}, NOW + SECOND)
    assert fine == alone
    wide = judged(alone, {1: failed(50, 50), 2: failed(10, 10), 3: failed(10, 10)}, NOW + SECOND)
    assert (wide.group, wide.reason, wide.opened_at) == (None, FAILURES, NOW)
    assert wide.concerns(1)
    assert wide.concerns(2)


def test_an_open_circuit_is_not_judged_again() -> None:
    circuit = opened(Circuit(), FAILURES, NOW)
    assert judged(circuit, {1: failed(90, 90), 2: failed(90, 90)}, NOW + SECOND) == circuit


def test_a_circuit_is_open_then_half_open_then_closed_by_its_probe() -> None:
    circuit = opened(Circuit(), FAILURES, NOW)
    assert state_of(circuit, NOW + 10 * SECOND - SECOND / 100) is CircuitState.OPEN
    assert state_of(circuit, NOW + 10 * SECOND) is CircuitState.HALF_OPEN
    closed = probed(circuit, None, NOW + 11 * SECOND)
    assert state_of(closed, NOW + 11 * SECOND) is CircuitState.CLOSED
    assert not closed.concerns(group_of(1))


def test_failed_probes_make_the_gaps_grow_to_five_minutes() -> None:
    circuit, at, gaps = opened(Circuit(), FAILURES, NOW), NOW, []
    for _ in range(8):
        assert circuit.open_until is not None
        gaps.append((circuit.open_until - at).total_seconds())
        at = circuit.open_until
        circuit = probed(circuit, SLOW, at)
    assert gaps == [10, 20, 40, 80, 160, 300, 300, 300]
    assert (circuit.opened_at, circuit.reason) == (NOW, SLOW)


@pytest.mark.parametrize(("closed_for", "gap"), [(599, 20), (600, 10)])
def test_a_circuit_that_opens_soon_after_it_closed_stays_open_longer(
    closed_for: int, gap: int
) -> None:
    closed = probed(opened(Circuit(), FAILURES, NOW), None, NOW)
    again = NOW + closed_for * SECOND
    assert opened(closed, FAILURES, again).open_until == again + gap * SECOND


def test_a_probe_keeps_the_group_unless_the_whole_account_is_at_fault() -> None:
    alone = judged(Circuit(), {1: failed(20, 20)}, NOW)
    assert probed(alone, FAILURES, NOW).group == 1
    assert probed(alone, FAULT, NOW).group is None


def test_the_budget_is_three_quarters_of_the_timeout() -> None:
    assert budget_of(10 * SECOND) == 7.5 * SECOND


@given(st.integers(0, 10**6), st.integers(1, 10**15), st.booleans())
def test_the_spread_is_bounded(openings: int, message_id: int, urgent: bool) -> None:
    later = spread(openings, message_id, urgent=urgent)
    assert timedelta(0) <= later < min(gap_after(openings), timedelta(minutes=1))
    assert later < 2 * SECOND or not urgent


def test_neighbouring_messages_are_spread_evenly() -> None:
    seconds = [
        int(spread(9, 5000 + number, urgent=False).total_seconds()) for number in range(6000)
    ]
    counts = [seconds.count(second) for second in range(60)]
    assert max(counts) < 150


tallies = st.builds(
    lambda attempts, failures, late: Tally(
        attempts=attempts, failures=min(failures, attempts), slow=min(late, attempts)
    ),
    st.integers(0, 40),
    st.integers(0, 40),
    st.integers(0, 40),
)
evidences = st.dictionaries(st.integers(0, GROUPS - 1), tallies, max_size=5)


@dataclass
class Calls:
    """A naive model: the single calls of the window."""

    calls: list[tuple[int, bool, bool]] = field(default_factory=list)

    @classmethod
    def of(cls, groups: dict[int, Tally]) -> "Calls":
        calls = []
        for group, tally in groups.items():
            for number in range(tally.attempts):
                calls.append((group, number < tally.failures, number < tally.slow))
        return cls(calls)

    def without(self, group: int | None) -> "Calls":
        return Calls([call for call in self.calls if call[0] != group])

    def share(self, which: int) -> float:
        return sum(call[which] for call in self.calls) / len(self.calls) if self.calls else 0.0

    def reason(self) -> CircuitReason | None:
        if len(self.calls) < 20:
            return None
        if self.share(1) >= 0.5:
            return FAILURES
        in_time = sorted(call[2] for call in self.calls)
        rank = -(-95 * len(in_time) // 100)  # nearest rank of the 95th percentile
        return SLOW if in_time[rank - 1] else None


@given(evidences)
def test_a_circuit_opens_as_a_naive_model_says(groups: dict[int, Tally]) -> None:
    assert judged(Circuit(), groups, NOW).reason is Calls.of(groups).reason()


@given(evidences)
def test_one_group_never_opens_a_circuit_for_groups_that_are_served(
    groups: dict[int, Tally],
) -> None:
    """Whatever one group does: if the others are fine together, it is not opened for them."""
    after = judged(Circuit(), groups, NOW)
    if after.reason is None or after.group is not None:
        return
    for group in groups:
        others = Calls.of(groups).without(group)
        assert others.share(1 if after.reason is FAILURES else 2) > 0


@given(evidences, st.integers(0, GROUPS - 1), st.integers(0, 1000), st.integers(0, 1000))
def test_what_a_single_group_adds_changes_nothing_for_healthy_others(
    groups: dict[int, Tally], group: int, failures: int, late: int
) -> None:
    healthy = {other: Tally(attempts=tally.attempts + 1) for other, tally in groups.items()}
    del_own = {other: tally for other, tally in healthy.items() if other != group}
    attack = {**del_own, group: Tally(attempts=1000, failures=failures, slow=late)}
    after = judged(Circuit(), attack, NOW)
    for other in del_own:
        assert not after.concerns(other)


@given(st.lists(st.tuples(evidences, st.sampled_from([None, FAILURES, SLOW, FAULT])), max_size=30))
def test_any_history_keeps_the_laws_of_a_circuit(
    history: list[tuple[dict[int, Tally], CircuitReason | None]],
) -> None:
    circuit, now = Circuit(), NOW
    for evidence, outcome in history:
        if state_of(circuit, now) is CircuitState.HALF_OPEN:
            circuit = probed(circuit, outcome, now)
            assert (circuit.open_until is None) == (outcome is None)
        else:
            before = circuit
            circuit = judged(circuit, evidence, now)
            if before.open_until is not None:
                assert circuit.open_until is not None  # evidence never closes it
        if circuit.open_until is not None:
            assert circuit.open_until - now <= timedelta(minutes=5)
            assert circuit.reason is not None
        now += 30 * SECOND
