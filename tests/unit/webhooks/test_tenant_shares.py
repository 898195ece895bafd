"""How many turns of a tenant run at once, and when the others look again."""

from contextlib import ExitStack
from datetime import timedelta

import pytest

from activities.webhooks.tenant_shares import TenantShares

SECOND = timedelta(seconds=1)


def shares(most: int = 4, failing: int = 2, random: float = 0.0) -> TenantShares:
    return TenantShares(most=most, failing=failing, passed=lambda: 7.0, random=lambda: random)


def test_a_tenant_runs_so_many_turns_and_others_are_not_affected() -> None:
    shared = shares()
    with ExitStack() as running:
        for _ in range(4):
            assert running.enter_context(shared.turn(1, failing=False)) is None
        for failing in (False, True):
            with shared.turn(1, failing=failing) as pause:
                assert pause == SECOND
        assert running.enter_context(shared.turn(2, failing=True)) is None
    with shared.turn(1, failing=False) as pause:
        assert pause is None


def test_failing_endpoints_leave_room_for_the_others_of_their_tenant() -> None:
    shared = shares()
    with ExitStack() as running:
        for _ in range(2):
            assert running.enter_context(shared.turn(1, failing=True)) is None
        with shared.turn(1, failing=True) as pause:
            assert pause is not None
        for _ in range(2):
            assert running.enter_context(shared.turn(1, failing=False)) is None
        with shared.turn(1, failing=False) as pause:
            assert pause is not None


def test_a_turn_that_fails_gives_back_its_share() -> None:
    shared = shares(most=1, failing=1)
    with pytest.raises(RuntimeError), shared.turn(1, failing=True):
        raise RuntimeError
    with shared.turn(1, failing=True) as pause:
        assert pause is None


@pytest.mark.parametrize(("random", "first"), [(0.0, 1), (0.5, 2), (1.0, 3)])
def test_many_that_wait_look_again_one_after_the_other_within_a_minute(
    random: float, first: int
) -> None:
    shared = shares(random=random)
    pauses = [shared.pause(1, failing=True) for _ in range(1000)]
    assert pauses[:3] == [first * SECOND + n * SECOND / 10 for n in range(3)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == (first + 60) * SECOND
    assert shared.pause(1, failing=False) == first * SECOND
    assert shared.pause(2, failing=True) == first * SECOND


def test_a_tenant_without_turns_is_forgotten() -> None:
    shared = shares(most=1)
    with shared.turn(1, failing=False):
        for _ in range(100):
            with shared.turn(1, failing=False) as pause:
                assert pause is not None
    with shared.turn(1, failing=False), shared.turn(1, failing=False) as pause:
        assert pause == SECOND
