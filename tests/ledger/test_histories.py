"""Hundreds of random histories of a ledger; every invariant holds after each."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from models.enums import FINAL_REPORT, AttemptState, ReportStatus
from models.queries.messages.acceptance import AcceptedMessage
from models.session import Database
from tests.factories import make_owner
from tests.ledger.billing import Bill, Close
from tests.ledger.laws import check_laws
from tests.ledger.moves import (
    Accept,
    Action,
    Call,
    Part,
    Scenario,
    Settle,
    Tell,
    grant,
    limit,
)
from tests.webhooks.endpoints import deliveries_of, make_endpoint
from tests.webhooks.event_laws import check_events
from workflows.messages.types import Ending

AT_ONCE = 5
"""Histories that run concurrently, to share waits for the disk."""

_LONG = os.environ.get("LEDGER_EXAMPLES")
EXAMPLES = int(_LONG or 25)
"""Times AT_ONCE histories per part; a longer search has more, with random seeds."""

SLOTS = st.integers(0, 5)
ACCEPTS = st.builds(Accept, SLOTS, st.integers(1, 5), st.sampled_from([0, 0, 0, 1, 2]))
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    ACCEPTS,
    ACCEPTS,
    st.builds(
        Call,
        SLOTS,
        st.sampled_from([AttemptState.ACCEPTED, *AttemptState]),
        st.sampled_from([0, 1, 1, 2]),
    ),
    st.builds(
        Tell,
        SLOTS,
        st.sampled_from([ReportStatus.SENT, *sorted(FINAL_REPORT)]),
        st.sampled_from([None, None, "0.0112345", "0"]),
    ),
    st.builds(Settle, SLOTS, st.sampled_from(Ending)),
    st.builds(Part, SLOTS, st.sampled_from([0.5, 1, 1, 0.3, 0])),
    st.builds(Bill, st.sampled_from(["card", "price", "price", "hold"])),
    st.builds(Close, st.integers(1, 2)),
)


@dataclass(frozen=True, slots=True)
class Round:
    """A change of allowance or credits, then concurrent actions."""

    limit: int | None
    credits: int
    actions: list[tuple[Action, int]]


@dataclass(frozen=True, slots=True)
class History:
    """Initial state of a merchant, and actions."""

    allowance: int
    credits: int
    rounds: list[Round]


ROUNDS = st.builds(
    Round,
    st.sampled_from([None, None, None, 0, 3, 9]),
    st.sampled_from([0, 0, 0, 2, 5]),
    st.lists(st.tuples(ACTIONS, st.integers(1, 3)), min_size=3, max_size=6),
)
HISTORIES = st.builds(
    History,
    st.integers(0, 10),
    st.integers(0, 10),
    st.lists(ROUNDS, min_size=3, max_size=5),
)


async def live(database: Database, history: History) -> None:
    owner = await make_owner(database, sms_limit=history.allowance, credits=history.credits)
    endpoint = await make_endpoint(database, owner)
    scenario = Scenario(database, owner)
    limits = [(0, history.allowance)]
    for turn in history.rounds:
        if turn.limit is not None:
            limits.append((await limit(database, owner, turn.limit), turn.limit))
        if turn.credits:
            await grant(database, owner, turn.credits)
        await scenario.at_once(turn.actions)
    books = await check_laws(database, owner, limits)
    accepted = {o.message_id for o in scenario.outcomes if isinstance(o, AcceptedMessage)}
    assert books.messages.keys() == accepted, "what was refused left something behind"
    check_events(books.messages, await deliveries_of(database, endpoint))
    for day, totals in scenario.billing.closed.items():
        assert await scenario.billing.totals(day) == totals, "a closed day has changed"


def part(number: int) -> Callable[[Database], Awaitable[None]]:
    """Create one of several tests, each with its own seed, so that they spread over workers."""

    @pytest.mark.timeout(400 * max(EXAMPLES // 25, 1))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(histories=st.lists(HISTORIES, min_size=AT_ONCE, max_size=AT_ONCE))
    async def test(database: Database, histories: list[History]) -> None:
        await asyncio.gather(*(live(database, history) for history in histories))

    chosen: Callable[[Database], Awaitable[None]] = test if _LONG else seed(number)(test)
    return chosen


test_every_law_holds_after_any_history_of_the_first_part = part(1)
test_every_law_holds_after_any_history_of_the_second_part = part(2)
test_every_law_holds_after_any_history_of_the_third_part = part(3)
test_every_law_holds_after_any_history_of_the_fourth_part = part(4)
