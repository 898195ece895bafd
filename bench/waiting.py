"""Measures the memory of a worker while thousands of messages wait, and the rate beside them.

A waiting message is a workflow with a timer. The worker caches up to 2,000 workflows; of the others
it holds nothing, and replays one when it wakes.
"""

import asyncio
import json
import statistics
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid4

from bench.database import ANALYZE
from bench.empty import execute_alike
from bench.harness import Harness, running
from bench.lifecycles import CONCURRENT, Watch, send_once
from bench.memory import resident
from bench.rate import rate

STEPS: Final = (0, 500, 1_000, 2_000, 4_000, 10_000)
RATE_WANTED: Final = 0.9

_AT_ONCE: Final = 24
_PATH: Final = "/api/v1/messages/sms"
_WARM: Final = 5.0
_IDLE: Final = 5.0
"""Seconds after which the workflow tasks of new messages are certainly done."""


async def measure(rounds: int, seconds: float) -> None:
    """Start messages that wait, print the memory at each step, and the rate before and after."""
    async with running() as harness:
        watch = Watch(harness)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch.run())
            await rate(lambda: _lifecycle(harness, watch), _WARM, concurrent=CONCURRENT)
            await harness.look.execute(ANALYZE)
            before = await _ratio(harness, watch, rounds, seconds)
            await _fill(harness)
            after = await _ratio(harness, watch, rounds, seconds)
            watching.cancel()
    print(
        f"lifecycles beside empty workflows: {before:.2f} without waiting messages, "
        f"{after:.2f} with {STEPS[-1]:,}: {after / before:.2f}  (wanted: at least {RATE_WANTED})"
    )


async def _lifecycle(harness: Harness, watch: Watch) -> None:
    await watch.end_of(await send_once(harness))


async def _ratio(harness: Harness, watch: Watch, rounds: int, seconds: float) -> float:
    """Return the median of lifecycles per second beside empty workflows, in turns."""
    ratios = []
    for _ in range(rounds):
        full = await rate(lambda: _lifecycle(harness, watch), seconds, concurrent=CONCURRENT)
        nothing = await rate(lambda: execute_alike(harness.client), seconds, concurrent=CONCURRENT)
        ratios.append(full / nothing)
        print(f"  lifecycles/s {full:.1f}, empty/s {nothing:.1f}, ratio {ratios[-1]:.2f}")
    return statistics.median(ratios)


async def _fill(harness: Harness) -> None:
    worker = harness.stack.processes["worker"].pid
    print(
        f"\n{'waiting':>8}{'worker MiB':>12}{'KiB each':>10}{'Temporal MiB':>14}"
        f"{'its file MiB':>14}"
    )
    first = 0
    for done, target in zip((0, *STEPS), STEPS, strict=False):
        await _start(harness, target - done)
        await asyncio.sleep(_IDLE)
        held = resident(worker)
        first = first or held
        each = (held - first) / 1024 / target if target else 0
        print(
            f"{target:>8,}{held / 2**20:>12.0f}{each:>10.1f}"
            f"{resident(harness.temporal_pid) / 2**20:>14.0f}{_stored(harness) / 2**20:>14.0f}",
            flush=True,
        )


def _stored(harness: Harness) -> int:
    """Return the size of Temporal's database, its write-ahead log included."""
    file = harness.temporal_file
    return sum(part.stat().st_size for part in file.parent.glob(f"{file.name}*"))


async def _start(harness: Harness, count: int) -> None:
    """Send messages that are due tomorrow; 429 is answered with a pause."""
    at = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    body = json.dumps(
        {
            "merchantId": harness.owner.merchant,
            "to": "+18135551234",
            "message": "Your appointment is tomorrow",
            "type": "REMINDER",
            "sendAt": at,
        }
    ).encode()
    left = iter(range(count))

    async def send() -> None:
        for _ in left:
            await harness.wire.post_patiently(_PATH, uuid4().hex, body)

    await asyncio.gather(*(send() for _ in range(_AT_ONCE)))
