"""Measures throughput under overload, and the latency of another tenant's OTPs.

Peak and overload alternate in the same run, because results of different times or machines cannot
be compared. Only the ratio is meaningful.
"""

import asyncio
import json
import math
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any, LiteralString
from uuid import uuid4

import psycopg

from bench.cpu import spent
from bench.database import ANALYZE
from bench.harness import Harness, running
from bench.lifecycles import Watch
from bench.wire import Refused, Wire
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner, make_owner
from tests.stack import async_url

CLIENTS = 24
FINISHED_WANTED = 0.8
OTP_WANTED = 3.0

_PATH = "/api/v1/messages/sms"
_WARM = 3.0
LOST = (OSError, asyncio.IncompleteReadError)
"""Raised for a connection that the server has closed."""

_NO_ANSWER = 0
_BETWEEN_OTPS = 0.25
_BETWEEN_TRIES = 1.0
_MOST_TRIES = 10
_DRAINED_WITHIN = 120
"""Seconds within which the open messages of a round must end before the next round begins."""

_COLUMNS = (
    *("peak/s", "finished/s", "ratio", "accepted/s", "refused/s", "failed/s", "open"),
    *("OTP p50 s", "p99", "max"),
)

_FLOODED = ("OTP", "TRANSACTIONAL", "NOTIFICATION", "REMINDER")


@dataclass(kw_only=True)
class Flood:
    """Responses that the clients of one round got."""

    statuses: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class Round:
    """Results of one round; rates are per second, times in seconds."""

    peak: float
    finished: float
    accepted: float
    refused: float
    failed: float
    open_at_end: int
    otps: Sequence[float]
    """Time from the request to the hand-over to the provider, for each OTP of the other tenant."""

    @property
    def ratio(self) -> float:
        """Completed messages under overload as a fraction of the peak."""
        return self.finished / self.peak


async def measure(rounds: int, seconds: float) -> None:
    """Start the system, overload it, print a line per round and the range of each figure."""
    async with running() as harness:
        other = await _make_other(harness)
        async with other:
            await _peak(harness, _WARM)
            await harness.look.execute(ANALYZE)
            print(f"\n{CLIENTS} clients post as fast as they can, rounds of {seconds:.0f} s")
            print(f"{'round':>5}" + "".join(f"{column:>11}" for column in _COLUMNS))
            done = []
            for number in range(1, rounds + 1):
                done.append(await _round(harness, other, seconds))
                print(_line(str(number), _figures(done[-1])), flush=True)
                await _drain(harness)
            for name, choose in (("min", min), ("med", statistics.median), ("max", max)):
                columns_of = zip(*(_figures(each) for each in done), strict=True)
                print(_line(name, [float(choose(column)) for column in columns_of]))
            print(
                f"ratio wanted: at least {FINISHED_WANTED}; "
                f"OTP of another tenant, p99 wanted: at most {OTP_WANTED:.0f} s"
            )


@dataclass(frozen=True, kw_only=True)
class Other:
    """A tenant that sends little during the overload."""

    owner: Owner
    wire: Wire

    async def __aenter__(self) -> "Other":
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.wire.close()


async def _make_other(harness: Harness) -> Other:
    database = Database(async_url(harness.stack.database_url), contact_keys=CONTACT_KEYS)
    try:
        owner = await make_owner(database, sms_limit=1_000_000)
    finally:
        await database.close()
    return Other(owner=owner, wire=Wire("127.0.0.1", harness.stack.ports["api"], owner.headers))


async def _round(harness: Harness, other: Other, seconds: float) -> Round:
    peak = await _peak(harness, max(seconds / 3, 5))
    flood = Flood()
    began, since = time.monotonic(), await _now(harness)
    before = harness.cpu.seconds()
    until = began + seconds
    keys = count()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(CLIENTS):
            tasks.create_task(_flood(harness, flood, until, keys))
        asked = tasks.create_task(_ask_politely(other, until))
    used = spent(before, harness.cpu.seconds())
    ended = await _ended(harness, since)
    open_at_end = await _open(harness)
    otps = await _waits_of(harness, other, asked.result())
    _print_parts(seconds, used, asked.result())
    return Round(
        peak=peak,
        finished=ended / seconds,
        accepted=flood.statuses[200] / seconds,
        refused=flood.statuses[429] / seconds,
        failed=(flood.statuses.total() - flood.statuses[200] - flood.statuses[429]) / seconds,
        open_at_end=open_at_end,
        otps=otps,
    )


def _print_parts(seconds: float, used: Mapping[str, float], answered: Mapping[str, float]) -> None:
    busy = ", ".join(f"{name} {value / seconds:.2f}" for name, value in used.items())
    median, slowest = statistics.median(answered.values()), max(answered.values())
    print(f"      processor seconds a second: {busy}")
    print(f"      OTPs answered within: p50 {median:.2f} s, max {slowest:.2f} s")


async def _peak(harness: Harness, seconds: float) -> float:
    """Return the lifecycles per second when each client waits for the end."""
    since, until = await _now(harness), time.monotonic() + seconds
    watch = Watch(harness)

    async def client() -> None:
        while time.monotonic() < until:
            answer = await harness.wire.post_patiently(
                _PATH, uuid4().hex, _order(harness.owner, "OTP")
            )
            message = int(json.loads(answer)["messageId"])
            await watch.end_of(message)

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch.run())
        clients = [tasks.create_task(client()) for _ in range(CLIENTS)]
        await asyncio.sleep(seconds)
        ended = await _ended(harness, since)
        await asyncio.wait(clients)
        watching.cancel()
    return ended / seconds


async def _flood(harness: Harness, flood: Flood, until: float, keys: "count[int]") -> None:
    """Post again after each response, whatever its status."""
    while time.monotonic() < until:
        order = _order(harness.owner, _FLOODED[next(keys) % len(_FLOODED)])
        try:
            await harness.wire.post(_PATH, uuid4().hex, order)
        except Refused as refused:
            flood.statuses[refused.status] += 1
        except LOST:
            flood.statuses[_NO_ANSWER] += 1
        else:
            flood.statuses[200] += 1


async def _ask_politely(other: Other, until: float) -> dict[str, float]:
    """Send an OTP at intervals; return by key how long each took to be accepted."""
    answered: dict[str, float] = {}

    async def ask() -> None:
        key, began = uuid4().hex, time.monotonic()
        for _ in range(_MOST_TRIES):
            try:
                await other.wire.post(_PATH, key, _order(other.owner, "OTP"))
            except Refused as refused:
                print(f"      an OTP was answered {refused.status}")
                await asyncio.sleep(_BETWEEN_TRIES)
            except LOST:
                pass  # a kept connection was closed; the Idempotency-Key makes the retry safe
            else:
                break
        answered[key] = time.monotonic() - began

    async with asyncio.TaskGroup() as tasks:
        while time.monotonic() < until:
            tasks.create_task(ask())
            await asyncio.sleep(_BETWEEN_OTPS)
    return answered


async def _waits_of(harness: Harness, other: Other, answered: dict[str, float]) -> list[float]:
    """Return the time of each OTP from the request to its hand-over to the provider.

    A late response may mean late acceptance, so the time to the response counts too.
    """
    deadline = time.monotonic() + _DRAINED_WITHIN
    while True:
        rows = await harness.look.execute(
            "SELECT m.idempotency_key,"
            "       (SELECT extract(epoch FROM min(a.requested_at) - m.accepted_at) FROM attempt a"
            "         WHERE a.tenant_id = m.tenant_id AND a.message_id = m.id)"
            "  FROM message m WHERE m.tenant_id = %s AND m.idempotency_key = ANY(%s)",
            [other.owner.tenant_id, list(answered)],
        )
        waits = {key: wait for key, wait in await rows.fetchall() if wait is not None}
        if len(waits) == len(answered) or time.monotonic() > deadline:
            return [
                float(waits[key]) + took if key in waits else math.inf
                for key, took in answered.items()
            ]
        await asyncio.sleep(0.2)


async def _now(harness: Harness) -> datetime:
    now: datetime = await _one(harness.look, "SELECT clock_timestamp()")
    return now


async def _ended(harness: Harness, since: datetime) -> int:
    query = "SELECT count(*) FROM message WHERE completed_at >= %s"
    ended: int = await _one(harness.look, query, [since])
    return ended


async def _open(harness: Harness) -> int:
    found: int = await _one(harness.look, "SELECT count(*) FROM message WHERE completed_at IS NULL")
    return found


async def _one(
    look: psycopg.AsyncConnection, query: LiteralString, values: Sequence[object] = ()
) -> Any:
    row = await (await look.execute(query, values)).fetchone()
    assert row is not None
    return row[0]


async def _drain(harness: Harness) -> None:
    """Wait, within a bound, until open messages have ended, so that rounds are independent."""
    for _ in range(2 * _DRAINED_WITHIN):
        if not await _open(harness):
            return
        await asyncio.sleep(0.5)


def _figures(each: Round) -> list[float]:
    ordered = sorted(each.otps)
    p99 = ordered[math.ceil(0.99 * len(ordered)) - 1]
    return [
        each.peak,
        each.finished,
        each.ratio,
        each.accepted,
        each.refused,
        each.failed,
        each.open_at_end,
        statistics.median(ordered),
        p99,
        ordered[-1],
    ]


def _line(name: str, figures: Sequence[float]) -> str:
    return f"{name:>5}" + "".join(f"{figure:>11.2f}" for figure in figures)


def _order(owner: Owner, kind: str) -> bytes:
    return json.dumps(
        {
            "merchantId": owner.merchant,
            "to": "+18135551234",
            "message": "Your OTP is 123456",
            "type": kind,
        }
    ).encode()
