"""Measures how far a provider account that hangs delays the messages of another account.

Quiet rounds and rounds with a hanging account alternate in the same run, because results of
different times or machines cannot be compared. Only the ratio is meaningful.
"""

import asyncio
import json
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

from bench.harness import Harness, running
from bench.wire import Refused
from models.session import Database
from tests.chaos.two_accounts import Account, go_live, opened, recipient, write_providers_file
from tests.contacts import CONTACT_KEYS
from tests.stack import async_url, free_port
from tests.vendors.counting_server import Behaviour

WANTED = 1.3

_PATH = "/api/v1/messages/sms"
_BETWEEN = 0.2
"""Seconds between two messages of each account."""
_SETTLED_WITHIN = 60


async def measure(rounds: int, seconds: float) -> None:
    """Start the system with two workers, and print a line per round and the median of ratios."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hexavox-bench-")))
        ports = {"first": free_port(), "second": free_port()}
        waits = write_providers_file(folder, ports)
        harness = await stack.enter_async_context(running(waits=waits))
        await asyncio.to_thread(harness.stack.start, "worker-2")
        hanging, _ = [await stack.enter_async_context(opened(port)) for port in ports.values()]
        database = Database(async_url(harness.stack.database_url), contact_keys=CONTACT_KEYS)
        stack.push_async_callback(database.close)
        await go_live(database, harness.owner.tenant_id)
        await _load(harness, 3)  # warm-up

        print(f"\nOTPs of one account beside another that hangs, rounds of {seconds:.0f} s")
        print(
            f"{'round':>5}{'quiet p95 ms':>15}{'hung p95 ms':>15}{'ratio':>10}{'failed over':>14}"
        )
        ratios = []
        for number in range(1, rounds + 1):
            quiet = _p95(await _waits(harness, await _load(harness, seconds)))
            hung = _p95(await _waits(harness, await _hang(harness, hanging, seconds)))
            ratios.append(hung / quiet)
            print(
                f"{number:>5}{1000 * quiet:>15.0f}{1000 * hung:>15.0f}{ratios[-1]:>15.2f}"
                f"{await _failed_over(harness):>15}",
                flush=True,
            )
            await _restore(harness)
        print(f"ratio, median: {statistics.median(ratios):.2f}  (wanted: at most {WANTED})")


async def _hang(harness: Harness, hanging: Account, seconds: float) -> list[int]:
    hanging.line.behaviour = Behaviour.HANG
    try:
        return await _load(harness, seconds)
    finally:
        hanging.line.behaviour = Behaviour.PASS


async def _load(harness: Harness, seconds: float) -> list[int]:
    """Send OTPs, which prefer the second account, and as many messages by the first.

    Returns the public ids of the OTPs.
    """
    otps: list[int] = []
    until = asyncio.get_running_loop().time() + seconds

    async def send(kind: str) -> None:
        body = {
            "merchantId": harness.owner.merchant,
            "to": recipient(),
            "message": "Your code is 123456",
            "type": kind,
        }
        answer = await _post(harness, uuid4().hex, json.dumps(body).encode())
        if kind == "OTP":
            otps.append(int(json.loads(answer)["messageId"]))

    async with asyncio.TaskGroup() as tasks:
        while asyncio.get_running_loop().time() < until:
            tasks.create_task(send("OTP"))
            tasks.create_task(send("TRANSACTIONAL"))
            await asyncio.sleep(_BETWEEN)
    return otps


async def _post(harness: Harness, key: str, body: bytes) -> bytes:
    """Post, and repeat what is refused for the moment: only accepted messages are measured."""
    while True:
        try:
            return await harness.wire.post(_PATH, key, body)
        except Refused as refused:
            if refused.status not in (429, 503):
                raise
        await asyncio.sleep(_BETWEEN)


async def _waits(harness: Harness, otps: Sequence[int]) -> list[float]:
    """Return the seconds from acceptance until an account had taken each OTP."""
    async with asyncio.timeout(_SETTLED_WITHIN):
        while True:
            rows = await harness.look.execute(
                "SELECT extract(epoch FROM min(a.finished_at) - m.accepted_at)"
                "  FROM message m JOIN attempt a"
                "    ON a.tenant_id = m.tenant_id AND a.message_id = m.id"
                " WHERE m.tenant_id = %s AND m.public_id = ANY(%s) AND a.state = 'ACCEPTED'"
                " GROUP BY m.id, m.accepted_at",
                [harness.owner.tenant_id, list(otps)],
            )
            waits = [float(wait) for (wait,) in await rows.fetchall()]
            if len(waits) == len(otps):
                return waits
            await asyncio.sleep(0.2)


async def _failed_over(harness: Harness) -> int:
    """Return how many messages of the hanging account the other one has taken so far."""
    rows = await harness.look.execute(
        "SELECT count(*) FROM message m WHERE tenant_id = %s AND type = 'TRANSACTIONAL'"
        " AND account = 'second'",
        [harness.owner.tenant_id],
    )
    row = await rows.fetchone()
    return 0 if row is None else int(row[0])


async def _restore(harness: Harness) -> None:
    """Wait until every message has ended, and forget the circuits."""
    async with asyncio.timeout(2 * _SETTLED_WITHIN):
        while True:
            rows = await harness.look.execute(
                "SELECT count(*) FROM message WHERE completed_at IS NULL"
            )
            row = await rows.fetchone()
            if row == (0,):
                break
            await asyncio.sleep(0.5)
    await harness.look.execute("DELETE FROM account_circuit")
    await harness.look.execute("DELETE FROM account_health")
    await asyncio.sleep(3)


def _p95(waits: Sequence[float]) -> float:
    return statistics.quantiles(waits, n=20)[-1]
