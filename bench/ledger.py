"""Holds on one hot merchant beside a bare UPDATE of one row, which is the best any ledger can do.

Both are measured in turns in the same run, by as many at once, through the same driver on the same
durable Postgres: look at the ratio.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable

from sqlalchemy import text

from bench.database import analyze, durable
from models.queries.messages.acceptance import AcceptedMessage
from models.session import Database
from tests.factories import Owner, make_owner, new_message, try_accept

CONCURRENT = 16
WANTED = 0.3

_BARE = text(
    "UPDATE credit_account SET available = available + 1"
    " WHERE tenant_id = :t AND merchant_id = :m AND channel = 'VOICE'"
)


async def measure(rounds: int, seconds: float) -> None:
    """Measure both in turns, print a table."""
    async with durable() as database:
        owner = await make_owner(database, sms_limit=100_000_000)

        async def hold() -> None:
            outcome = await try_accept(database, new_message(owner))
            assert isinstance(outcome, AcceptedMessage)

        async def update() -> None:
            async with database.transaction() as db:
                await db.execute(_BARE, {"t": owner.tenant_id, "m": owner.merchant_id})

        await _rate(hold, 1)  # warm
        await _rate(update, 1)
        await analyze(database)
        print(f"\none hot merchant, {CONCURRENT} at once, rounds of {seconds:.0f} s    per second")
        print(f"{'round':>5}{'holds':>15}{'bare UPDATE':>15}{'ratio':>15}")
        ratios: list[float] = []
        for number in range(1, rounds + 1):
            holds, updates = await _rate(hold, seconds), await _rate(update, seconds)
            ratios.append(holds / updates)
            print(f"{number:>5}{holds:>15.1f}{updates:>15.1f}{ratios[-1]:>15.2f}", flush=True)
        print(f"ratio, median: {statistics.median(ratios):.2f}  (wanted: at least {WANTED})")
        await _check(database, owner)


async def _check(database: Database, owner: Owner) -> None:
    """A fast ledger that is wrong is worth nothing: what is held is what was accepted."""
    async with database.read() as db:
        held, accepted, entered = (
            await db.execute(
                text(
                    "SELECT (SELECT sum(held) FROM allowance_month WHERE tenant_id = :t),"
                    " (SELECT sum(units) FROM message WHERE tenant_id = :t),"
                    " (SELECT sum(units) FROM ledger_entry WHERE tenant_id = :t)"
                ),
                {"t": owner.tenant_id},
            )
        ).one()
    assert held == accepted == entered
    print(f"{held} units held, as many accepted, as many in the ledger")


async def _rate(action: Callable[[], Awaitable[None]], seconds: float) -> float:
    """Repeat an action by so many at once; return how many ended in a second."""
    ends: list[float] = []
    began = time.monotonic()

    async def repeat() -> None:
        while time.monotonic() - began < seconds:
            await action()
            ends.append(time.monotonic() - began)

    await asyncio.gather(*(repeat() for _ in range(CONCURRENT)))
    return sum(end <= seconds for end in ends) / seconds
