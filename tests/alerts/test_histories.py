"""Random histories of a merchant: after every step the open alerts equal those of a simple
model.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from models.enums import AlertType
from models.rules.alerts.thresholds import Funds
from models.session import Database
from tests.alerts.fixtures import MerchantFixture

AT_ONCE = 5
"""Histories that run concurrently, to share waits for the disk."""


@dataclass(frozen=True, slots=True)
class Accept:
    units: int


@dataclass(frozen=True, slots=True)
class End:
    """End one of the open messages with a share of it captured."""

    which: int
    share: float


@dataclass(frozen=True, slots=True)
class Buy:
    units: int


@dataclass(frozen=True, slots=True)
class Limit:
    units: int


@dataclass(frozen=True, slots=True)
class Watch:
    pass


@dataclass(frozen=True, slots=True)
class NextMonth:
    pass


Move: TypeAlias = Accept | End | Buy | Limit | Watch | NextMonth
Key: TypeAlias = tuple[AlertType, int]

ACCEPTS = st.builds(Accept, st.sampled_from([1, 2, 3, 5, 9, 20, 40, 60]))
ENDS = st.builds(End, st.integers(0, 9), st.sampled_from([1, 1, 0.95, 0.5, 0]))
MOVES: st.SearchStrategy[Move] = st.one_of(
    ACCEPTS,
    ACCEPTS,
    ENDS,
    ENDS,
    ENDS,
    st.builds(Buy, st.sampled_from([5, 20, 40, 60])),
    st.builds(Limit, st.sampled_from([0, 5, 10, 20])),
    st.just(Watch()),
    st.just(NextMonth()),
)


@dataclass
class Model:
    """The alerts expected to be open, with counts, and all that were ever raised."""

    open: dict[Key, int] = field(default_factory=dict)
    raised: Counter[Key] = field(default_factory=Counter)

    def _raise(self, key: Key) -> None:
        if key not in self.open:
            self.raised[key] += 1
        self.open[key] = self.open.get(key, 0) + 1

    def level(self, key: Key, holds: bool) -> None:
        """Open exactly while the condition holds."""
        if holds and key not in self.open:
            self._raise(key)
        if not holds:
            self.open.pop(key, None)

    def edge(self, key: Key, before: bool, after: bool) -> None:
        """Raised when the condition becomes true; resolved elsewhere."""
        if after and not before:
            self._raise(key)


def used_to(funds: Funds, percent: int) -> bool:
    return funds.used > 0 and funds.used / 100 >= funds.allowance * percent / 10_000


def low(funds: Funds) -> bool:
    return funds.upgrade is not None and 0 < 10 * (funds.available + funds.held) < funds.upgrade


def exhausted(funds: Funds) -> bool:
    return funds.upgrade is not None and funds.available + funds.held == 0


def below_enough(funds: Funds) -> bool:
    """Whether credits are still low."""
    assert funds.upgrade is not None
    return 100 * funds.available < 15 * funds.upgrade


USED = {percent: (AlertType.USAGE_THRESHOLD, percent) for percent in (80, 100)}
LOW = (AlertType.LOW_CREDITS, 10)
EXHAUSTED = (AlertType.CREDITS_EXHAUSTED, 0)


def expect(model: Model, move: Move, before: Funds, after: Funds) -> None:
    """Apply a step to the model."""
    match move:
        case End():
            model.edge(EXHAUSTED, exhausted(before), exhausted(after))
            model.edge(LOW, low(before), low(after))
            if exhausted(after) and not exhausted(before):
                model.level(LOW, False)
            for percent, key in USED.items():
                model.edge(key, used_to(before, percent), used_to(after, percent))
        case Buy() | Watch():
            model.level(EXHAUSTED, exhausted(after))
            still = LOW in model.open and after.upgrade is not None and below_enough(after)
            model.level(LOW, low(after) or (still and not exhausted(after)))
    if isinstance(move, Limit | Watch):
        for percent, key in USED.items():
            model.level(key, used_to(after, percent))


async def act(
    merchant_fixture: MerchantFixture, under_way: list[tuple[int, int]], move: Move
) -> None:
    match move:
        case Accept(units=units):
            message_id = await merchant_fixture.accept(units)
            if message_id is not None:
                under_way.append((message_id, units))
        case End(which=which, share=share) if under_way:
            message_id, units = under_way.pop(which % len(under_way))
            await merchant_fixture.end(message_id, round(units * share))
        case Buy(units=units):
            await merchant_fixture.buy(units)
        case Limit(units=units):
            await merchant_fixture.limit(units)
        case Watch():
            await merchant_fixture.watch()
        case _:
            pass


async def live(database: Database, moves: list[Move]) -> None:
    merchant_fixture = await MerchantFixture.open_up(
        database, limit=10, now=datetime(2026, 1, 15, tzinfo=UTC)
    )
    model, under_way = Model(), list[tuple[int, int]]()
    for move in moves:
        if isinstance(move, NextMonth):
            merchant_fixture.now += timedelta(days=31)
            # Alerts of the previous month are resolved by the watcher; the model does not
            # distinguish that.
            await merchant_fixture.watch()
            for key in USED.values():
                model.open.pop(key, None)
            move = Watch()
        before = await merchant_fixture.funds()
        await act(merchant_fixture, under_way, move)
        expect(model, move, before, await merchant_fixture.funds())
        found = {
            (AlertType(type), threshold): count
            for type, threshold, count in await merchant_fixture.open()
        }
        assert found == model.open, move
        merchant_fixture.now += timedelta(seconds=1)
    rows = Counter((AlertType(a.type), a.threshold) for a in await merchant_fixture.alerts())
    assert rows == model.raised


@settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(histories=st.lists(st.lists(MOVES, min_size=8, max_size=20), min_size=AT_ONCE, max_size=5))
async def test_after_every_move_what_is_open_is_what_is_so(
    database: Database, histories: list[list[Move]]
) -> None:
    await asyncio.gather(*(live(database, moves) for moves in histories))


def test_the_model_sees_what_it_must() -> None:
    funds = Funds(month="2026-01", allowance=10, used=8, available=0, held=1, upgrade=20)
    assert used_to(funds, 80)
    assert not used_to(funds, 100)
    assert used_to(replace(funds, used=10), 100)
    assert low(funds)
    assert below_enough(replace(funds, available=2))
    assert not below_enough(replace(funds, available=3))
    assert not low(replace(funds, available=1))
    assert not exhausted(funds)
    assert exhausted(replace(funds, held=0))
