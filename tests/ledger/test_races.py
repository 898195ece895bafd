"""Concurrent sends for insufficient units: no overspending, no deadlock."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from models.enums import AttemptState, ReportStatus
from models.queries.messages.acceptance import AcceptedMessage, KeyTaken, NotFunded
from models.session import Database
from tests.factories import make_owner, new_message, try_accept
from tests.ledger.laws import check_laws
from tests.ledger.moves import Accept, Call, Part, Scenario, Settle, Tell, grant, limit
from workflows.messages.types import Ending


def counted(outcomes: Sequence[AcceptedMessage | KeyTaken | NotFunded]) -> Counter[str]:
    return Counter(type(outcome).__name__ for outcome in outcomes)


async def test_of_a_hundred_sends_for_fifty_units_exactly_fifty_are_accepted(
    database: Database,
) -> None:
    owner = await make_owner(database, sms_limit=30, credits=20)
    sends = [new_message(owner, key=f"k{n}") for n in range(100)]
    outcomes = await asyncio.gather(*(try_accept(database, send) for send in sends))
    assert counted(outcomes) == {"AcceptedMessage": 50, "NotFunded": 50}
    books = await check_laws(database, owner, [(0, 30)])
    assert len(books.messages) == 50
    assert (books.account.available, books.account.held) == (0, 20)
    assert [row.held for row in books.months.values()] == [30]
    assert len(books.entries) == 51


async def test_one_key_racing_for_the_last_unit_is_one_send(database: Database) -> None:
    owner = await make_owner(database, sms_limit=1, credits=0)
    sends = [new_message(owner, key="same") for _ in range(50)]
    outcomes = await asyncio.gather(*(try_accept(database, send) for send in sends))
    assert counted(outcomes)["AcceptedMessage"] == 1
    books = await check_laws(database, owner, [(0, 1)])
    assert (len(books.messages), len(books.entries)) == (1, 1)


async def test_one_key_racing_with_funds_for_all_holds_once(database: Database) -> None:
    owner = await make_owner(database, sms_limit=3, credits=1000)
    sends = [new_message(owner, key="same", units=5) for _ in range(50)]
    outcomes = await asyncio.gather(*(try_accept(database, send) for send in sends))
    assert counted(outcomes) == {"AcceptedMessage": 1, "KeyTaken": 49}
    books = await check_laws(database, owner, [(0, 3)])
    assert (books.account.available, books.account.held) == (998, 2)


@pytest.mark.parametrize(
    ("allowance", "credits", "accepted"), [(1, 1, 1), (3, 0, 1), (0, 3, 1), (1, 2, 1), (4, 1, 2)]
)
async def test_a_message_of_two_units_takes_both_or_none(
    database: Database, allowance: int, credits: int, accepted: int
) -> None:
    owner = await make_owner(database, sms_limit=allowance, credits=credits)
    sends = [new_message(owner, key=f"k{n}", units=2) for n in range(8)]
    outcomes = await asyncio.gather(*(try_accept(database, send) for send in sends))
    assert counted(outcomes) == {"AcceptedMessage": accepted, "NotFunded": 8 - accepted}
    rest = allowance + credits - 2 * accepted
    last = await try_accept(database, new_message(owner, key="last", units=2))
    assert last == NotFunded(available=rest)
    await check_laws(database, owner, [(0, allowance)])


async def test_a_key_that_is_taken_is_seen_before_anything_is_written(database: Database) -> None:
    owner = await make_owner(database, sms_limit=1, credits=0)
    send = new_message(owner, key="same")
    await try_accept(database, send)
    assert await try_accept(database, send) == KeyTaken(written=False)


async def test_a_refused_key_works_once_there_are_funds(database: Database) -> None:
    owner = await make_owner(database, sms_limit=0, credits=0)
    send = new_message(owner, key="again")
    assert await try_accept(database, send) == NotFunded(available=0)
    await grant(database, owner, 1)
    assert isinstance(await try_accept(database, send), AcceptedMessage)
    assert isinstance(await try_accept(database, send), NotFunded | KeyTaken)
    await check_laws(database, owner, [(0, 0)])


async def test_what_is_released_can_be_held_again_in_its_own_month_only(database: Database) -> None:
    owner = await make_owner(database, sms_limit=2, credits=0)
    scenario = Scenario(database, owner)
    for action in (
        Accept(0, 2, 1),  # last month's allowance
        Accept(1, 2, 0),  # this month's allowance
        Settle(0, Ending.BLOCKED),
        Accept(2, 1, 0),  # nothing left this month
        Accept(3, 2, 1),  # but last month's was released
    ):
        await scenario.act(action)
    taken = [isinstance(outcome, AcceptedMessage) for outcome in scenario.outcomes]
    assert taken == [True, True, False, True]
    await check_laws(database, owner, [(0, 2)])


async def test_what_was_used_is_used_up_for_its_month(database: Database) -> None:
    owner = await make_owner(database, sms_limit=3, credits=1)
    scenario = Scenario(database, owner)
    for action in (Accept(0, 2, 0), Part(0, 1.0), Accept(1, 3, 0), Accept(2, 2, 0)):
        await scenario.act(action)
    assert counted(scenario.outcomes) == {"AcceptedMessage": 2, "NotFunded": 1}
    books = await check_laws(database, owner, [(0, 3)])
    assert [(row.used, row.held) for row in books.months.values()] == [(2, 1)]


async def test_a_lowered_allowance_takes_nothing_back(database: Database) -> None:
    owner = await make_owner(database, sms_limit=5, credits=1)
    scenario = Scenario(database, owner)
    await scenario.act(Accept(0, 4, 0))
    limits = [(0, 5), (await limit(database, owner, 1), 1)]
    await scenario.act(Accept(1, 1, 0))
    await scenario.act(Accept(2, 1, 0))
    taken = [isinstance(outcome, AcceptedMessage) for outcome in scenario.outcomes]
    assert taken == [True, True, False]
    books = await check_laws(database, owner, limits)
    assert books.account.held == 1


async def test_a_repeated_send_and_its_settling_never_lock_each_other_out(
    database: Database,
) -> None:
    """The repeat locks month and credits, then the row; the settlement the other way round."""
    owner = await make_owner(database, sms_limit=10, credits=10)
    scenario = Scenario(database, owner)
    await scenario.act(Accept(0, 2, 0))
    async with database.transaction() as first_in_line:
        await first_in_line.execute(
            text("SELECT 1 FROM credit_account WHERE tenant_id = :t FOR UPDATE"),
            {"t": owner.tenant_id},
        )
        repeat = asyncio.create_task(scenario.act(Accept(0, 2, 0)))
        await asyncio.sleep(0.1)
        settling = asyncio.create_task(scenario.act(Settle(0, Ending.BLOCKED)))
        await asyncio.sleep(0.1)
    await asyncio.gather(repeat, settling)
    assert counted(scenario.outcomes) == {"AcceptedMessage": 1, "KeyTaken": 1}
    await check_laws(database, owner, [(0, 10)])


async def test_accepting_and_settling_at_once_never_lock_each_other_out(
    database: Database,
) -> None:
    """A deadlock would raise in one of these loops."""
    owner = await make_owner(database, sms_limit=40, credits=400)
    scenario = Scenario(database, owner)
    until = asyncio.get_running_loop().time() + 3
    slots = iter(range(10**6))

    async def lives() -> int:
        done = 0
        while asyncio.get_running_loop().time() < until:
            slot = next(slots)
            months = slot % 2
            await scenario.act(Accept(slot, 1 + slot % 3, months))
            await scenario.act(Call(slot, AttemptState.ACCEPTED))
            delivered = Tell(slot, ReportStatus.DELIVERED)
            await scenario.at_once([(delivered, 2), (Settle(slot, Ending.GIVEN_UP), 2)])
            await scenario.at_once([(Settle(slot, Ending.REPORTED), 2), (delivered, 1)])
            done += 1
        return done

    async def buys() -> int:
        while asyncio.get_running_loop().time() < until:
            await grant(database, owner, 20)
            await asyncio.sleep(0.02)
        return 1

    rounds = await asyncio.gather(*(lives() for _ in range(8)), buys())
    assert min(rounds) >= 1
    books = await check_laws(database, owner, [(0, 40)])
    assert all(message.completed_at <= datetime.now(UTC) for message in books.messages.values())
