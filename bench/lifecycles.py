"""Compares SMS lifecycles with empty workflows, and accepting with a bare StartWorkflow.

Both pairs alternate in the same run on the same Temporal server, because results of different times
or machines cannot be compared. Only the ratios are meaningful.
"""

import asyncio
import http.client
import json
import statistics
import time
from collections import Counter
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import uuid4

from bench.cpu import spent
from bench.database import ANALYZE
from bench.empty import NOBODYS_QUEUE, QUEUE, Empty, execute_alike
from bench.harness import Harness, running
from bench.rate import rate

CONCURRENT = 60
LIFECYCLES_WANTED = 0.4
ACCEPTING_WANTED = 2.5

_PATH = "/api/v1/messages/sms"


async def measure(rounds: int, seconds: float, calls: int) -> None:
    """Start the system, measure both pairs and print a table of each."""
    async with running() as harness:
        watch = Watch(harness)
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch.run())
            await throughput(harness, watch, rounds, seconds)
            await latency(harness, watch, calls)
            watching.cancel()


class Watch:
    """Detects the ends of messages with one query every 30 ms for all waiters."""

    def __init__(self, harness: Harness) -> None:
        self._house = harness
        self._open: dict[int, asyncio.Event] = {}

    async def end_of(self, message: int) -> None:
        """Wait until a message has ended."""
        event = self._open.setdefault(message, asyncio.Event())
        await event.wait()

    async def run(self) -> None:
        """Poll in a loop."""
        while True:
            await asyncio.sleep(0.03)
            if self._open:
                for message in await self._house.ended(list(self._open)):
                    self._open.pop(message).set()


async def throughput(harness: Harness, watch: Watch, rounds: int, seconds: float) -> None:
    """Print the throughput of each per second."""

    async def lifecycle() -> None:
        await watch.end_of(await send_once(harness))

    async def empty() -> None:
        await harness.client.execute_workflow(Empty.run, id=uuid4().hex, task_queue=QUEUE)

    async def empty_alike() -> None:
        await execute_alike(harness.client)

    await rate(lifecycle, 2, concurrent=CONCURRENT)  # warm-up
    await rate(empty, 2, concurrent=CONCURRENT)
    await rate(empty_alike, 2, concurrent=CONCURRENT)
    await harness.look.execute(ANALYZE)
    print(f"\n{CONCURRENT} concurrent, rounds of {seconds:.0f} s    per second")
    columns = ("lifecycles", "empty", "ratio", "started alike", "ratio")
    print(f"{'round':>5}" + "".join(f"{column:>15}" for column in columns))
    used: Counter[str] = Counter()
    done = 0.0
    ratios: list[float] = []
    alikes: list[float] = []
    for number in range(1, rounds + 1):
        before = harness.cpu.seconds()
        full = await rate(lifecycle, seconds, concurrent=CONCURRENT)
        used.update(spent(before, harness.cpu.seconds()))
        done += full * seconds
        nothing = await rate(empty, seconds, concurrent=CONCURRENT)
        alike = await rate(empty_alike, seconds, concurrent=CONCURRENT)
        ratios.append(full / nothing)
        alikes.append(full / alike)
        print(
            f"{number:>5}{full:>15.1f}{nothing:>15.1f}{ratios[-1]:>15.2f}"
            f"{alike:>15.1f}{alikes[-1]:>15.2f}",
            flush=True,
        )
    print(f"ratio, median: {statistics.median(ratios):.2f}  (wanted: at least {LIFECYCLES_WANTED})")
    print(f"beside an empty workflow that is started as a send is: {statistics.median(alikes):.2f}")
    if used and done:
        costs = ", ".join(f"{name} {1000 * s / done:.1f}" for name, s in used.most_common())
        print(f"processor time of a lifecycle, in ms: {costs}")


async def latency(harness: Harness, watch: Watch, calls: int) -> None:
    """Print the latency of one call of each without concurrent load."""
    address = urlsplit(harness.stack.api_url)
    assert address.hostname is not None
    connection = http.client.HTTPConnection(address.hostname, address.port)
    accepting: list[float] = []
    starting: list[float] = []
    for _ in range(calls):
        body = json.dumps(_order(harness)).encode()
        headers = {
            **harness.owner.headers,
            "Content-Type": "application/json",
            "Idempotency-Key": uuid4().hex,
        }
        began = time.perf_counter()
        # Blocking on purpose: nothing else runs in this process during the measurement.
        connection.request("POST", _PATH, body, headers)
        answer = connection.getresponse().read()
        accepting.append(time.perf_counter() - began)
        await watch.end_of(int(json.loads(answer)["messageId"]))
        began = time.perf_counter()
        await harness.client.start_workflow(
            Empty.run,
            id=uuid4().hex,
            task_queue=NOBODYS_QUEUE,
            execution_timeout=timedelta(minutes=1),
        )
        starting.append(time.perf_counter() - began)
    connection.close()
    print(f"\none at a time, {calls} calls{'p50 ms':>12} {'p95 ms':>8}")
    for name, times in (("POST /messages/sms", accepting), ("bare StartWorkflow", starting)):
        p50, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        print(f"{name:<25} {1000 * p50:>8.1f} {1000 * p95:>8.1f}")
    ratio = statistics.median(accepting) / statistics.median(starting)
    print(f"ratio of p50: {ratio:.2f}  (wanted: at most {ACCEPTING_WANTED})")


async def send_once(harness: Harness) -> int:
    """Send one OTP; return its public id."""
    answer = await harness.wire.post_patiently(
        _PATH, uuid4().hex, json.dumps(_order(harness)).encode()
    )
    return int(json.loads(answer)["messageId"])


def _order(harness: Harness) -> dict[str, str]:
    return {
        "merchantId": harness.owner.merchant,
        "to": "+18135551234",
        "message": "Your OTP is 123456",
        "type": "OTP",
    }
