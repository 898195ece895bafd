"""Token buckets: of one process, and shared by several."""

from dataclasses import dataclass, field
from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.rules.tenants.token_bucket import MEMORY, Limit, TokenBucket

LIMIT = Limit(name="key", rate=10, burst=20)


def ask(bucket: TokenBucket, now: float, times: int) -> int:
    """Request so often at one time; return how many are admitted."""
    bucket.refill(now)
    served = 0
    for _ in range(times):
        if bucket.left >= 1:
            bucket.take()
            served += 1
    return served


@dataclass
class Shared:
    """Does what Postgres does: one row, settled under its lock."""

    tokens: float = LIMIT.burst
    demand: float = 0.0
    at: float = 0.0
    told: list[int] = field(default_factory=list)

    def settle(self, bucket: TokenBucket, now: float) -> None:
        told = bucket.unsettled
        if not bucket.is_due(now):
            return
        self.told.append(told)
        passed = now - self.at
        self.tokens = max(-LIMIT.burst, min(LIMIT.burst, self.tokens + passed * LIMIT.rate) - told)
        self.demand = self.demand * exp(-passed / MEMORY) + told
        self.at = now
        bucket.settle(told, tokens=self.tokens, demand=self.demand, now=now)


def test_a_full_bucket_serves_its_burst_and_then_its_rate() -> None:
    bucket = TokenBucket(LIMIT, LIMIT.burst, 0.0)
    assert ask(bucket, 0.0, 100) == 20
    assert (bucket.left, bucket.next_after, bucket.full_after) == (0, 1, 2)
    assert ask(bucket, 0.5, 100) == 5
    assert ask(bucket, 60.0, 100) == 20


def test_a_process_that_is_alone_goes_by_the_whole_limit() -> None:
    bucket, shared = TokenBucket(LIMIT, LIMIT.burst, 0.0), Shared()
    served = 0
    for tick in range(41):
        now = tick / 4
        served += ask(bucket, now, 100)
        shared.settle(bucket, now)
    assert served == 20 + 10 * 10
    assert bucket.share == 1.0


@pytest.mark.parametrize("loads", [(50, 50), (90, 10), (100, 1), (30, 30, 30, 30), (25, 0)])
def test_several_processes_serve_the_limit_together(loads: tuple[int, ...]) -> None:
    shared = Shared()
    buckets = [TokenBucket(LIMIT, LIMIT.burst, 0.0) for _ in loads]
    served = 0
    seconds = 30
    for tick in range(seconds * 20):
        now = tick / 20
        for bucket, load in zip(buckets, loads, strict=True):
            served += ask(bucket, now, round(load / 20 * (tick + 1)) - round(load / 20 * tick))
            shared.settle(bucket, now)
    most = LIMIT.burst + seconds * LIMIT.rate
    # Each process may serve its first burst before it settles; the balance is corrected later.
    assert 0.9 * most <= served <= 1.15 * most


def test_what_was_served_too_much_is_made_up_for() -> None:
    shared = Shared()
    buckets = [TokenBucket(LIMIT, LIMIT.burst, 0.0) for _ in range(3)]
    assert sum(ask(bucket, 0.0, 100) for bucket in buckets) == 60
    for bucket in buckets:
        shared.settle(bucket, 0.0)
    assert shared.tokens == -20  # at most a burst, so that no client is locked out for long
    served = 0
    for second in range(1, 11):
        served += sum(ask(bucket, float(second), 100) for bucket in buckets)
        for bucket in buckets:
            shared.settle(bucket, float(second))
    assert served <= 10 * LIMIT.rate - 20 + 2 * LIMIT.rate


def test_what_is_served_while_it_settles_is_not_forgotten() -> None:
    bucket = TokenBucket(LIMIT, LIMIT.burst, 0.0)
    ask(bucket, 0.0, 5)
    told = bucket.unsettled
    ask(bucket, 0.0, 3)
    bucket.settle(told, tokens=15, demand=5, now=0.0)
    assert (bucket.unsettled, bucket.left) == (3, 12)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.floats(0, 0.3), st.integers(0, 30)),
        min_size=1,
        max_size=200,
    )
)
def test_switching_processes_does_not_exceed_the_limit(
    asked: list[tuple[int, float, int]],
) -> None:
    shared = Shared()
    buckets = [TokenBucket(LIMIT, LIMIT.burst, 0.0) for _ in range(4)]
    now, served = 0.0, 0
    for process, pause, times in asked:
        now += pause
        served += ask(buckets[process], now, times)
        for bucket in buckets:
            shared.settle(bucket, now)
    assert sum(shared.told) <= served
    # Before its first settlement a process may serve what it could alone: its burst, and the refill
    # until it settles again.
    assert served <= len(buckets) * LIMIT.burst + (now + 1) * LIMIT.rate * 2
