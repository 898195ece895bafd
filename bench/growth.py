"""Compares the statements of a send, its rate and its cost in tables of very different sizes.

One database is filled step by step, by SQL, up to each size; ten thousand waiting messages are in
it from the start. At each size the running system sends every kind of message, and Postgres writes
the plan of every statement that any process executes: its shape and its buffers must stay the same.
Then lifecycles and empty workflows alternate, so that a busy machine affects both.
"""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx

from bench.cpu import spent
from bench.empty import execute_alike
from bench.growth_report import Sizes, Step, print_bytes, print_plans, print_rates
from bench.harness import Harness, running
from bench.lifecycles import CONCURRENT, Watch, send_once
from bench.rate import rate
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.factories import load_sample
from tests.growth.plans import Executed, recorded
from tests.growth.rows import Filler, open_filler
from tests.growth.sends import Sender
from tests.stack import async_url

SIZES: Final = (10_000, 100_000)
MILLION: Final = 1_000_000
WAITING: Final = 10_000

_SENDS: Final = 8
"""Of each kind; prepared statements get their lasting plan with the sixth execution."""
_SWEEPS: Final = 4.0
"""Seconds in which the sweeper and the watcher look several times."""


async def measure(rounds: int, seconds: float, *, million: bool = False) -> None:
    """Fill, send and measure at each size; print the comparison."""
    sizes = (*SIZES, MILLION) if million else SIZES
    async with running(explained=True) as harness:
        await _load_rates(harness)
        filler = await open_filler(harness.look, harness.owner)
        await filler.add_waiting(WAITING)
        steps = [await _step(harness, filler, size, rounds, seconds) for size in _spans(sizes)]
    print_plans(steps)
    print_rates(steps)
    print_bytes(steps)


def _spans(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last number of the messages that each step adds."""
    return [(before + 1, size) for before, size in zip((0, *sizes[:-1]), sizes, strict=True)]


async def _step(
    harness: Harness, filler: Filler, span: tuple[int, int], rounds: int, seconds: float
) -> Step:
    began = time.monotonic()
    await filler.add(*span)
    print(f"{span[1]:,} messages, filled in {time.monotonic() - began:.0f} s", flush=True)
    sizes = await read_sizes(harness)
    executed = await _plans(harness)
    before = await read_sizes(harness)
    rates = await _rates(harness, rounds, seconds)
    grown = sum(map(sum, (await read_sizes(harness)).values())) - sum(map(sum, before.values()))
    return Step(
        messages=span[1],
        sizes=sizes,
        executed=executed,
        lifecycles=rates.lifecycles,
        empty=rates.empty,
        cpu={name: used / max(rates.done, 1) for name, used in rates.cpu.items()},
        wal=rates.wal / max(rates.done, 1),
        grown=grown / max(rates.ended, 1),
    )


async def _load_rates(harness: Harness) -> None:
    database = Database(async_url(harness.stack.database_url), contact_keys=CONTACT_KEYS)
    try:
        await load_sample(database)
    finally:
        await database.close()


async def _plans(harness: Harness) -> list[Executed]:
    """Return every statement that the processes execute while each kind of message is sent."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
        sender = Sender(http, harness.stack.api_url, harness.owner)
        await sender.send_each_kind()  # plans are made anew after ANALYZE
        with recorded(harness.stack.database_url, harness.postgres_log) as recording:
            for _ in range(_SENDS):
                await sender.send_each_kind()
            await asyncio.sleep(_SWEEPS)
    return recording.executed


@dataclass(slots=True)
class _Rates:
    lifecycles: list[float] = field(default_factory=list)
    empty: list[float] = field(default_factory=list)
    cpu: Counter[str] = field(default_factory=Counter)
    done: float = 0.0
    ended: int = 0
    """With the warm-up."""
    wal: int = 0


async def _rates(harness: Harness, rounds: int, seconds: float) -> _Rates:
    """Measure lifecycles and empty workflows per second, in turns."""
    watch, rates = Watch(harness), _Rates()

    async def lifecycle() -> None:
        await watch.end_of(await send_once(harness))
        rates.ended += 1

    async def empty() -> None:
        await execute_alike(harness.client)

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch.run())
        await rate(lifecycle, 2, concurrent=CONCURRENT)
        await rate(empty, 1, concurrent=CONCURRENT)
        for _ in range(rounds):
            before, wal = harness.cpu.seconds(), await _wal(harness)
            rates.lifecycles.append(await rate(lifecycle, seconds, concurrent=CONCURRENT))
            rates.cpu.update(spent(before, harness.cpu.seconds()))
            rates.wal += await _wal(harness) - wal
            rates.done += rates.lifecycles[-1] * seconds
            rates.empty.append(await rate(empty, seconds, concurrent=CONCURRENT))
        watching.cancel()
    ratio = statistics.median(rates.lifecycles) / statistics.median(rates.empty)
    print(f"  {statistics.median(rates.lifecycles):.1f} lifecycles/s, {ratio:.2f} of empty ones")
    return rates


async def _wal(harness: Harness) -> int:
    """Return how many bytes of write-ahead log the server has written so far."""
    rows = await harness.look.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
    return int((await rows.fetchone() or (0,))[0])


async def read_sizes(harness: Harness) -> Sizes:
    """Return the bytes of each table, of its rows and of its indexes."""
    rows = await harness.look.execute(
        "SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class"
        " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return {name: (table, indexes) for name, table, indexes in await rows.fetchall()}
