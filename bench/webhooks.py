"""Measures deliveries of webhooks: endpoints that hang, and 100,000 events for one endpoint.

Quiet rounds and rounds in which some endpoints hang alternate in the same run, because results of
different times or machines cannot be compared. Only the ratio is meaningful.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final

from bench.cpu import spent
from bench.harness import Harness, running
from models.queries.webhooks import wake_ups
from models.session import Database
from models.tables.webhook import WebhookEndpoint
from tests.contacts import CONTACT_KEYS
from tests.stack import async_url
from tests.webhooks.endpoints import make_endpoint
from tests.webhooks.receiver import Received, Receiver, Reply, receiving
from workflows import names

WANTED = 1.5
ENDPOINTS = 50
HANGING = 10
BACKLOG = 100_000

_BETWEEN = 5
"""Seconds between two events of each endpoint; the endpoints take turns."""
_GROUPS = 10
_DEAD_SECONDS = 45
_DRAIN_SECONDS = 45

_EVENTS: Final = """
    INSERT INTO webhook_delivery (tenant_id, endpoint_id, event_id, type, merchant_id, subject,
                                  subject_id, number, state, status, attempts, due_at, created_at)
    SELECT %(tenant)s, endpoint, id, 'webhook.test', 0, 'TEST', id, 1, '{}', 'PENDING', 0,
           clock_timestamp(), clock_timestamp()
      FROM unnest(%(endpoints)s::bigint[]) endpoint, generate_series(1, %(each)s) n,
           LATERAL (SELECT CAST(1 + random() * 4e15 AS bigint) + 0 * n AS id) one
"""
_LOOK: Final = wake_ups.TAKE_SLEEPING.text.replace(":lost_after", "%(lost_after)s").replace(
    ":most", "%(most)s"
)


async def measure(rounds: int, seconds: float) -> None:
    """Start the system, and print a line per round, the median of ratios, and the backlog."""
    async with AsyncExitStack() as stack:
        harness = await stack.enter_async_context(running())
        receiver = await stack.enter_async_context(receiving("0.0.0.0"))
        database = Database(async_url(harness.stack.database_url), contact_keys=CONTACT_KEYS)
        stack.push_async_callback(database.close)
        endpoints = [
            await make_endpoint(database, harness.owner, url=_url(receiver, number))
            for number in range(ENDPOINTS)
        ]
        await _load(harness, receiver, endpoints, 3)  # warm-up

        print(f"\n{ENDPOINTS} endpoints, of which {HANGING} hang, rounds of {seconds:.0f} s")
        print(f"{'round':>5}{'quiet p95 ms':>15}{'hung p95 ms':>15}{'ratio':>10}{'open':>8}")
        ratios = []
        for number in range(1, rounds + 1):
            quiet = _p95(await _load(harness, receiver, endpoints, seconds))
            receiver.reply = _hang
            receiver.most.clear()
            hung = _p95(await _load(harness, receiver, endpoints, seconds))
            most = max(receiver.most[f"/{place}"] for place in range(HANGING))
            receiver.reply = lambda _: Reply()
            ratios.append(hung / quiet)
            print(
                f"{number:>5}{1000 * quiet:>15.0f}{1000 * hung:>15.0f}{ratios[-1]:>10.2f}{most:>8}",
                flush=True,
            )
            await _recover(harness)
        print(f"ratio, median: {statistics.median(ratios):.2f}  (wanted: at most {WANTED})")
        await _backlog(harness, receiver, database)


def _url(receiver: Receiver, number: int) -> str:
    """Return a URL with a host of its own, because requests to one host are limited."""
    port = receiver.url.rpartition(":")[2]
    return f"http://127.0.1.{number + 1}:{port}/{number}"


def _hang(request: Received) -> Reply:
    return Reply(hang=int(request.path[1:]) < HANGING)


async def _load(
    harness: Harness, receiver: Receiver, endpoints: Sequence[WebhookEndpoint], seconds: float
) -> list[float]:
    """Record events; return the seconds until each of the endpoints that never hang got it."""
    receiver.requests.clear()
    arrived: list[float] = []
    reply = receiver.reply

    def note(request: Received) -> Reply:
        if int(request.path[1:]) >= HANGING:
            created = datetime.fromisoformat(request.event["createdAt"])
            arrived.append((datetime.now(UTC) - created).total_seconds())
        return reply(request)

    receiver.reply = note
    recorded = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for place in range(_GROUPS):
            await _record(harness, [endpoint.id for endpoint in endpoints[place::_GROUPS]])
            await asyncio.sleep(_BETWEEN / _GROUPS)
        recorded += ENDPOINTS - HANGING
    await _until(lambda: len(arrived) >= recorded)
    receiver.reply = reply
    return arrived


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while True:
            if true():
                return
            await asyncio.sleep(0.1)


async def _record(harness: Harness, endpoints: Sequence[int | None], each: int = 1) -> None:
    values = {"tenant": harness.owner.tenant_id, "endpoints": list(endpoints), "each": each}
    await harness.look.execute(_EVENTS, values)


async def _recover(harness: Harness) -> None:
    """Forget what the hanging endpoints missed, as if they had worked."""
    await harness.look.execute(
        "UPDATE webhook_delivery SET status = 'FAILED', due_at = NULL WHERE status = 'PENDING'"
    )
    await harness.look.execute("UPDATE webhook_endpoint SET failures = 0, failing_since = NULL")
    await asyncio.sleep(16)  # requests that are open, and pauses


async def _backlog(harness: Harness, receiver: Receiver, database: Database) -> None:
    """Print what a large backlog costs while its endpoint fails, and while it is delivered."""
    endpoint = await make_endpoint(database, harness.owner, url=_url(receiver, ENDPOINTS))
    workflow = harness.client.get_workflow_handle(
        names.deliver_webhooks_id(endpoint.tenant_id, endpoint.public_id)
    )
    idle = await _cpu(harness, 15)
    receiver.requests.clear()
    receiver.reply = lambda _: Reply(status=500)
    await _record(harness, [endpoint.id], BACKLOG)
    await harness.look.execute("ANALYZE webhook_delivery")
    dead = await _cpu(harness, _DEAD_SECONDS)
    print(f"\n{BACKLOG:,} events for an endpoint that answers 500, {_DEAD_SECONDS} s")
    print(f"  attempts: {len(receiver.requests)}; CPU above idle: {_per_second(dead, idle)}")
    print(f"  look for sleeping endpoints: {await _look_ms(harness):.2f} ms")
    print(f"  {await _history(workflow)}")

    receiver.reply = lambda _: Reply()
    await _until(lambda: len(receiver.requests) >= 1000)
    before = len(receiver.requests)
    working = await _cpu(harness, _DRAIN_SECONDS)
    delivered = len(receiver.requests) - before
    print(f"the same, once it answers 200, {_DRAIN_SECONDS} s")
    print(f"  deliveries a second: {delivered / _DRAIN_SECONDS:.0f}")
    each = {
        name: 1000 * (share - idle[name]) * _DRAIN_SECONDS / max(delivered, 1)
        for name, share in working.items()
    }
    print("  CPU ms per delivery: " + _told(each))
    print(f"  look for sleeping endpoints: {await _look_ms(harness):.2f} ms")
    print(f"  {await _history(workflow)}")


async def _cpu(harness: Harness, seconds: float) -> dict[str, float]:
    """Return the processor time that each process uses per second of this span."""
    before = harness.cpu.seconds()
    await asyncio.sleep(seconds)
    return {name: used / seconds for name, used in spent(before, harness.cpu.seconds()).items()}


def _per_second(busy: dict[str, float], idle: dict[str, float]) -> str:
    return _told({name: 1000 * (share - idle[name]) for name, share in busy.items()}) + " ms/s"


def _told(values: dict[str, float]) -> str:
    wanted = ("worker", "postgres", "temporal")
    return ", ".join(f"{name} {values[name]:.2f}" for name in wanted if name in values)


async def _look_ms(harness: Harness) -> float:
    took = []
    for _ in range(20):
        async with harness.look.transaction(force_rollback=True):
            rows = await harness.look.execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {_LOOK}",
                {"lost_after": wake_ups.LOST_AFTER, "most": 100},
            )
        row = await rows.fetchone()
        assert row is not None
        plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
        took.append(float(plan[0]["Execution Time"]))
    return statistics.median(took)


async def _history(workflow: Any) -> str:
    """Return the size of the workflow's current run."""
    info = (await workflow.describe()).raw_description.workflow_execution_info
    return f"history: {info.history_length} events, {info.history_size_bytes / 1024:.0f} KiB"


def _p95(waits: Sequence[float]) -> float:
    return statistics.quantiles(waits, n=20)[-1]
