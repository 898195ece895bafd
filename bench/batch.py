"""Compares a batch with single sends, and measures another tenant's OTPs while a batch runs.

Single sends and batches alternate in the same run, because results of different times or machines
cannot be compared. Only the ratio is meaningful.
"""

import asyncio
import json
import math
import statistics
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count
from typing import Any, Final
from uuid import uuid4

import httpx

from bench.cpu import spent
from bench.database import ANALYZE
from bench.harness import Harness, running
from bench.lifecycles import CONCURRENT, Watch, send_once
from bench.rate import rate
from bench.wire import Wire
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner, make_owner
from tests.stack import async_url

RATE_WANTED: Final = 4.0
CPU_WANTED: Final = 20.0
OTP_WANTED: Final = 3.0
LARGE: Final = 10_000

_BATCH: Final = "/api/v1/messages/batch"
_SMS: Final = "/api/v1/messages/sms"
_BETWEEN_OTPS: Final = 0.25
_QUIET: Final = 20.0
_LOOK_EVERY: Final = 0.2
_LONGEST: Final = 900
"""Seconds within which a batch must be completed."""
_TO: Final = count()


async def measure(rounds: int, seconds: float, size: int, large: int = LARGE) -> None:
    """Start the system; print a line per round, the medians, and the OTPs of another tenant."""
    async with running() as harness:
        watch = Watch(harness)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch.run())
            await rate(lambda: _single(harness, watch), 3, concurrent=CONCURRENT)  # warm-up
            await _run_batch(harness, min(size, 200))
            await harness.look.execute(ANALYZE)
            await _compare(harness, watch, rounds, seconds, size)
            watching.cancel()
        await _beside(harness, large, seconds)


async def _compare(harness: Harness, watch: Watch, rounds: int, seconds: float, size: int) -> None:
    print(f"\nsingle sends ({CONCURRENT} at once) beside batches of {size:,}, messages a second")
    print(f"{'round':>5}{'single':>10}{'batch':>10}{'ratio':>8}   CPU ms per message of a batch")
    ratios, costs = [], []
    for number in range(1, rounds + 1):
        single = await rate(lambda: _single(harness, watch), seconds, concurrent=CONCURRENT)
        before = harness.cpu.seconds()
        batch = size / await _run_batch(harness, size)
        used = spent(before, harness.cpu.seconds())
        ratios.append(batch / single)
        costs.append(1000 * sum(_ours(used).values()) / size)
        print(f"{number:>5}{single:>10.1f}{batch:>10.1f}{ratios[-1]:>8.2f}   {_cost(used, size)}")
    low, median, high = min(ratios), statistics.median(ratios), max(ratios)
    print(f"ratio: {low:.2f} to {high:.2f}, median {median:.2f}  (wanted: at least {RATE_WANTED})")
    print(
        f"CPU per message, median: {statistics.median(costs):.1f} ms in all processes "
        f"(wanted: at most {CPU_WANTED:.0f} ms)"
    )


async def _single(harness: Harness, watch: Watch) -> None:
    await watch.end_of(await send_once(harness))


async def _run_batch(harness: Harness, size: int) -> float:
    """Send a batch; return the seconds from the request until every message has ended."""
    body = json.dumps(
        {
            "merchantId": harness.owner.merchant,
            "channel": "SMS",
            "messages": [_message("TRANSACTIONAL") for _ in range(size)],
        }
    ).encode()
    began = time.monotonic()
    answer = json.loads(await harness.wire.post(_BATCH, uuid4().hex, body))
    async with asyncio.timeout(_LONGEST):
        while True:
            if await _completed(harness, int(answer["batchId"])):
                return time.monotonic() - began
            await asyncio.sleep(_LOOK_EVERY)


async def _completed(harness: Harness, public_id: int) -> bool:
    """Return whether every line is decided and every message has ended, by a cheap query."""
    rows = await harness.look.execute(
        "SELECT decided_at IS NOT NULL AND NOT EXISTS ("
        "       SELECT 1 FROM message m WHERE m.tenant_id = b.tenant_id AND m.batch_id = b.id"
        "          AND m.completed_at IS NULL), refused"
        "  FROM batch b WHERE tenant_id = %s AND public_id = %s",
        [harness.owner.tenant_id, public_id],
    )
    completed, refused = await rows.fetchone() or (False, 0)
    assert not refused, f"{refused} lines were refused"
    return bool(completed)


def _message(kind: str) -> dict[str, str]:
    return {"to": _number(), "message": "Your order is on its way", "type": kind}


def _number() -> str:
    """Return another number; none selects a fault of the simulator."""
    exchange, last = divmod(next(_TO), 9000)
    return f"+1813{300 + exchange % 600}{last:04}"


async def _beside(harness: Harness, large: int, seconds: float) -> None:
    """Print another tenant's OTPs in a quiet time, and while a large batch is sent."""
    database = Database(async_url(harness.stack.database_url), contact_keys=CONTACT_KEYS)
    try:
        other = await make_owner(database, sms_limit=1_000_000)
    finally:
        await database.close()
    wire = Wire("127.0.0.1", harness.stack.ports["api"], other.headers)
    print(
        f"\nOTPs of another tenant, from the request to the phone\n{'':<28}{'p50 s':>8}{'p99 s':>8}"
    )
    quiet = asyncio.create_task(asyncio.sleep(max(seconds, _QUIET)))
    _tell("quiet", await _otps(harness, other, wire, quiet))
    before = harness.cpu.seconds()
    batch = asyncio.create_task(_run_batch(harness, large))
    waits = await _otps(harness, other, wire, batch)
    used = spent(before, harness.cpu.seconds())
    p99 = _tell(f"beside a batch of {large:,}", waits)
    print(f"p99: {p99:.2f} s  (wanted: at most {OTP_WANTED:.0f} s), of {len(waits)} OTPs")
    print(f"the batch took {batch.result():.0f} s; CPU ms per message: {_cost(used, large)}")
    wire.close()


async def _otps(
    harness: Harness, other: Owner, wire: Wire, until: "asyncio.Task[Any]"
) -> list[float]:
    """Send an OTP at intervals until a task ends; return how long each took to the phone."""
    asked: dict[str, float] = {}

    async def ask() -> None:
        message = {"merchantId": other.merchant, **_message("OTP")}
        asked[message["to"]] = time.time()
        await wire.post_patiently(_SMS, uuid4().hex, json.dumps(message).encode())

    async with asyncio.TaskGroup() as tasks:
        while not until.done():
            tasks.create_task(ask())
            await asyncio.sleep(_BETWEEN_OTPS)
    return await _arrivals(harness, asked)


async def _arrivals(harness: Harness, asked: Mapping[str, float]) -> list[float]:
    """Return the seconds from each request until the simulator's copy reached the phone."""
    waits = []
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http, asyncio.timeout(120):
        for to, began in asked.items():
            waits.append(await _arrival(harness, http, to) - began)
    return waits


async def _arrival(harness: Harness, http: httpx.AsyncClient, to: str) -> float:
    """Wait until a copy has reached a phone; return when the first did."""
    while True:
        answer = await http.get(f"{harness.stack.simulator_url}/deliveries", params={"to": to})
        for copy in answer.json()["items"]:
            return datetime.fromisoformat(copy["at"]).timestamp()
        await asyncio.sleep(_LOOK_EVERY)


def _tell(name: str, waits: Sequence[float]) -> float:
    """Print the median and the 99th percentile; return the latter."""
    ordered = sorted(waits)
    p99 = ordered[math.ceil(0.99 * len(ordered)) - 1]
    print(f"{name:<28}{statistics.median(ordered):>8.2f}{p99:>8.2f}", flush=True)
    return p99


def _ours(used: Mapping[str, float]) -> dict[str, float]:
    """Return the times without the bench's own, the simulator's included."""
    return {name: seconds for name, seconds in used.items() if name != "bench"}


def _cost(used: Mapping[str, float], messages: int) -> str:
    return ", ".join(f"{n} {1000 * s / messages:.1f}" for n, s in _ours(used).items())
