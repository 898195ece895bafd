"""Measures holds on one hot merchant relative to a bare UPDATE of one row, the upper bound.

Both alternate in the same run, with the same concurrency, driver and durable Postgres. Only the
ratio is meaningful.
"""

import statistics

from sqlalchemy import text

from bench.database import analyze, durable
from bench.rate import rate
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
    """Measure both alternately and print a table."""
    async with durable() as database:
        owner = await make_owner(database, sms_limit=100_000_000)

        async def hold() -> None:
            outcome = await try_accept(database, new_message(owner))
            assert isinstance(outcome, AcceptedMessage)

        async def update() -> None:
            async with database.transaction() as db:
                await db.execute(_BARE, {"t": owner.tenant_id, "m": owner.merchant_id})

        await rate(hold, 1, concurrent=CONCURRENT)  # warm-up
        await rate(update, 1, concurrent=CONCURRENT)
        await analyze(database)
        print(f"\none hot merchant, {CONCURRENT} at once, rounds of {seconds:.0f} s    per second")
        print(f"{'round':>5}{'holds':>15}{'bare UPDATE':>15}{'ratio':>15}")
        ratios: list[float] = []
        for number in range(1, rounds + 1):
            holds = await rate(hold, seconds, concurrent=CONCURRENT)
            updates = await rate(update, seconds, concurrent=CONCURRENT)
            ratios.append(holds / updates)
            print(f"{number:>5}{holds:>15.1f}{updates:>15.1f}{ratios[-1]:>15.2f}", flush=True)
        print(f"ratio, median: {statistics.median(ratios):.2f}  (wanted: at least {WANTED})")
        await _check(database, owner)


async def _check(database: Database, owner: Owner) -> None:
    """Check that the held amount equals the accepted amount: a wrong ledger may be fast."""
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
