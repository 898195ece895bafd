"""Random histories of a tenant with two accounts: spending adds up, and no limit is exceeded."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TypeAlias

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from models.enums import ErrorCode, ReportStatus
from models.session import Database
from providers.ports.messages import Answer, LookUp
from tests.activities.doubles import (
    ACCEPTED,
    AMBIGUOUS,
    FOUND,
    NO_TRUTH,
    NOT_FOUND,
    NOT_PROCESSED,
    REFUSED,
    Scripted,
)
from tests.spending.guarded import Guarded, limit_account, limit_tenant, make_live, named
from workflows.messages.types import Ending

EXAMPLES = 20
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Dispatch:
    slot: int


@dataclass(frozen=True, slots=True)
class Reconcile:
    slot: int


@dataclass(frozen=True, slots=True)
class Tell:
    """Report on an attempt, with a price of at most what the card asks for a unit."""

    slot: int
    attempt: int
    status: ReportStatus
    price: str | None


@dataclass(frozen=True, slots=True)
class Settle:
    slot: int
    ending: Ending


Action: TypeAlias = Dispatch | Reconcile | Tell | Settle

SLOTS = st.integers(0, 5)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Dispatch, SLOTS),
    st.builds(Dispatch, SLOTS),
    st.builds(Reconcile, SLOTS),
    st.builds(
        Tell,
        SLOTS,
        st.sampled_from([1, 1, 1, 2]),
        st.sampled_from([ReportStatus.SENT, ReportStatus.DELIVERED, ReportStatus.FAILED]),
        st.sampled_from([None, "0.004", "0.01", "0"]),
    ),
    st.builds(Settle, SLOTS, st.sampled_from(Ending)),
)
ANSWERS = st.lists(
    st.sampled_from([ACCEPTED, ACCEPTED, AMBIGUOUS, NOT_PROCESSED, REFUSED]), min_size=1, max_size=3
)
TRUTHS = st.sampled_from([FOUND, NOT_FOUND, NO_TRUTH])


@dataclass(frozen=True, slots=True)
class Round:
    """Answers of both accounts and what a look-up finds, then concurrent actions."""

    answers: tuple[list[Answer], list[Answer]]
    truth: LookUp
    raised: bool
    """Both limits are raised by a cent first."""
    actions: list[Action]


ROUNDS = st.builds(
    Round,
    st.tuples(ANSWERS, ANSWERS),
    TRUTHS,
    st.booleans(),
    st.lists(ACTIONS, min_size=3, max_size=8),
)


_POSTED = """
    SELECT COALESCE((SELECT sum(booked) FROM attempt_cost WHERE tenant_id = :t), 0) AS booked,
           COALESCE((SELECT sum(cost + carrier_fee) FROM usage_record WHERE tenant_id = :t), 0)
           + COALESCE((SELECT sum(cost + carrier_fee) FROM usage_correction
                        WHERE tenant_id = :t), 0) AS cost
"""

_LATE = """
    SELECT c.account, c.booked
      FROM attempt_cost c
      JOIN attempt a USING (tenant_id, message_id, number)
      JOIN message m ON m.tenant_id = c.tenant_id AND m.id = c.message_id
     WHERE c.tenant_id = :t AND c.booked > 0
       AND (m.corrected_at IS NOT NULL OR a.state IN ('REFUSED', 'NOT_PROCESSED', 'ABSENT'))
"""
"""Released and then reported on all the same: no claim can know of it."""


class Story:
    """A tenant whose account one and whose own spending are limited."""

    def __init__(self, live: Guarded, limits: tuple[int, int]) -> None:
        self._live = live
        self._limits = limits
        self._messages: list[int] = []

    async def begin(self, units: list[int]) -> None:
        self._messages = [await self._live.accept(units=n) for n in units]
        await self._limit(0)

    async def play(self, round: Round, raised: int) -> None:
        """Run a round, and check every law after it."""
        for provider, answers in zip(self._live.providers, round.answers, strict=True):
            assert isinstance(provider, Scripted)
            provider.answer(*answers)
            provider.find(round.truth)
        await self._limit(raised)
        await asyncio.gather(*(self._act(action) for action in round.actions))
        await self._check(raised)

    async def end(self, raised: int) -> None:
        """End every message; then nothing is reserved."""
        for slot in range(len(self._messages)):
            await self._act(Settle(slot, Ending.GIVEN_UP))
        await self._check(raised)
        assert (await self._live.spent()).reserved == 0

    async def _limit(self, raised: int) -> None:
        of_account, of_tenant = (CENT * (limit + raised) for limit in self._limits)
        await limit_account(self._live.database, self._live.providers[0].account, str(of_account))
        await limit_tenant(self._live.database, self._live.owner, str(of_tenant))

    async def _act(self, action: Action) -> None:
        message_id = self._messages[action.slot]
        match action:
            case Dispatch():
                await self._live.dispatch(message_id)
            case Reconcile():
                await self._live.reconcile(message_id)
            case Tell():
                await self._tell(message_id, action)
            case Settle():
                ending = action.ending
                if ending is Ending.GIVEN_UP and not await self._live.attempts(message_id):
                    ending = Ending.BLOCKED  # only an attempt is given up
                await self._live.settle(message_id, ending, ErrorCode.PROVIDER_REFUSED)

    async def _tell(self, message_id: int, told: Tell) -> None:
        attempts = await self._live.attempts(message_id)
        if len(attempts) >= told.attempt:
            account, _ = attempts[told.attempt - 1]
            event = f"{message_id}-{told.attempt}-{told.status}-{told.price}"
            await self._live.tell(
                message_id,
                told.status,
                event_id=event,
                provider=account,
                attempt=told.attempt,
                price=told.price,
            )

    async def _check(self, raised: int) -> None:
        await self._live.check_sums()
        of_account, of_tenant = (CENT * (limit + raised) for limit in self._limits)
        account = self._live.providers[0].account
        late = await self._live.rows(_LATE)
        for sums in (await self._live.days_of_account(account)).values():
            assert sums.spent <= of_account + sum(r.booked for r in late if r.account == account)
        for sums in (await self._live.days_of_tenant()).values():
            assert sums.spent <= of_tenant + sum(r.booked for r in late)
        (posted,) = await self._live.rows(_POSTED)
        assert posted.booked == posted.cost


async def tell_story(
    database: Database, limits: tuple[int, int], units: list[int], rounds: list[Round]
) -> None:
    providers = [Scripted(name=named(), reports_price=True) for _ in range(2)]
    for provider in providers:
        provider.timeout = timedelta(seconds=-1)  # deadlines are past: absence can be proven
    live = await Guarded(database, await make_live(database), *providers).with_cards()
    story = Story(live, limits)
    await story.begin(units)
    raised = 0
    for round in rounds:
        raised += round.raised
        await story.play(round, raised)
    await story.end(raised)


async def test_spending_adds_up_and_stays_within_its_limits(database: Database) -> None:
    loop = asyncio.get_running_loop()

    @settings(
        max_examples=EXAMPLES,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
    )
    @given(
        st.tuples(st.integers(0, 6), st.integers(0, 8)),
        st.lists(st.integers(1, 3), min_size=6, max_size=6),
        st.lists(ROUNDS, min_size=2, max_size=5),
    )
    def play(limits: tuple[int, int], units: list[int], rounds: list[Round]) -> None:
        story = tell_story(database, limits, units, rounds)
        asyncio.run_coroutine_threadsafe(story, loop).result()

    await asyncio.to_thread(play)
