"""Two workers and two accounts; one account hangs or loses answers, one worker is killed."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from tests.chaos.invariants import LAWS_OF_LATE_REPORTS, broken_laws
from tests.chaos.two_accounts import Account, circuit_of, live_integrator, opened, recipient
from tests.e2e.harness import Harness, Integrator, until
from tests.vendors.counting_server import Behaviour, CountingServer

pytestmark = pytest.mark.xdist_group("chaos")

MESSAGES = 300
BEFORE, PROBING = 200, 80
"""Messages while an account begins to hang, and once one message at a time may probe it."""


@pytest.fixture
async def accounts(
    harness: Harness, account_ports: dict[str, int]
) -> AsyncIterator[dict[str, Account]]:
    """Both accounts, and a second worker."""
    async with AsyncExitStack() as stack:
        serving = {
            name: await stack.enter_async_context(opened(port))
            for name, port in account_ports.items()
        }
        await asyncio.to_thread(harness.stack.start, "worker-2")
        yield serving


async def _send(integrator: Integrator, most: int) -> list[str]:
    """Send to so many recipients, half of them OTPs; return the recipients."""
    recipients = [recipient() for _ in range(most)]
    free = asyncio.Semaphore(20)

    async def send(position: int, to: str) -> None:
        async with free:
            kind = "OTP" if position % 2 else "TRANSACTIONAL"
            await integrator.accepted(to, type=kind, message=f"Your code is {position}")

    await asyncio.gather(*(send(position, to) for position, to in enumerate(recipients)))
    return recipients


async def _check(
    harness: Harness, integrator: Integrator, accounts: dict[str, Account], recipients: list[str]
) -> Counter[str]:
    """Check the laws, and that nobody got two copies; return the statuses."""
    await integrator.all_ended(within=90)

    async def all_reports_are_applied() -> bool:
        told = all(
            len(account.reported) == len(account.twilio.all("Messages"))
            for account in accounts.values()
        )
        return told and not await harness.rows(
            "SELECT 1 FROM receipt WHERE tenant_id = :tenant AND applied_at IS NULL",
            tenant=integrator.owner.tenant_id,
        )

    await until(all_reports_are_applied)
    copies = sum((account.copies() for account in accounts.values()), Counter[str]())
    assert max(copies.values()) == 1
    tenant_id = integrator.owner.tenant_id
    assert await broken_laws(harness.rows, tenant_id, LAWS_OF_LATE_REPORTS) == []
    rows = await harness.rows(
        "SELECT to_contact, status FROM message WHERE tenant_id = :tenant",
        tenant=integrator.owner.tenant_id,
    )
    assert {to for to, _ in rows} == set(recipients)
    assert {to for to, status in rows if status == "DELIVERED"} <= set(copies)
    return Counter(status for _, status in rows)


async def test_an_account_that_hangs_stops_alone_and_is_probed_by_one_message_at_a_time(
    harness: Harness, accounts: dict[str, Account]
) -> None:
    integrator = await live_integrator(harness)
    sending = asyncio.create_task(_send(integrator, BEFORE))
    hung = accounts["first"].line
    await until(lambda: _reached(hung, 30), within=60)
    hung.behaviour = Behaviour.HANG

    seen: dict[str, float] = {}

    async def both_open() -> bool:
        for worker in ("worker", "worker-2"):
            if await circuit_of(harness, worker, "first") in ("OPEN", "HALF_OPEN"):
                seen.setdefault(worker, time.monotonic())
        return len(seen) == 2

    async def half_open() -> bool:
        return await circuit_of(harness, "worker", "first") == "HALF_OPEN"

    await until(both_open, within=60)
    assert abs(seen["worker"] - seen["worker-2"]) <= 5
    open_since = datetime.now(UTC)
    recipients = await sending
    await integrator.all_ended(within=60)  # none of them is the probe
    await until(half_open, within=60)
    attempts = _attempts(hung)
    recipients += await _send(integrator, PROBING)
    await until(lambda: _attempted(hung, attempts + 1))
    open_until = datetime.now(UTC)
    hung.behaviour = Behaviour.PASS

    statuses = await _check(harness, integrator, accounts, recipients)
    # What the hanging account had read may be lost, and nothing proves that it is not.
    assert set(statuses) <= {"DELIVERED", "UNKNOWN"}
    assert statuses["DELIVERED"] > len(recipients) / 2
    assert await _together(harness, integrator, open_since, open_until) == []


async def test_lost_answers_and_a_killed_worker_double_nothing(
    harness: Harness, accounts: dict[str, Account]
) -> None:
    integrator = await live_integrator(harness)
    sending = asyncio.create_task(_send(integrator, MESSAGES))
    await until(lambda: _reached(accounts["first"].line, 20), within=60)
    accounts["first"].line.behaviour = Behaviour.LOST
    await asyncio.sleep(1)
    await asyncio.to_thread(harness.stack.kill, "worker-2")
    await asyncio.sleep(1)
    accounts["first"].line.behaviour = Behaviour.PASS
    recipients = await sending

    statuses = await _check(harness, integrator, accounts, recipients)
    assert set(statuses) <= {"DELIVERED", "UNKNOWN"}
    # Every message that an account has taken is found in its list or by its report.
    copies = sum((account.copies() for account in accounts.values()), Counter[str]())
    assert statuses["DELIVERED"] == len(copies)


async def _reached(line: CountingServer, most: int) -> bool:
    return len(line.requests) >= most


async def _attempted(line: CountingServer, most: int) -> bool:
    return _attempts(line) >= most


def _attempts(line: CountingServer) -> int:
    """Return how many messages it was asked to send; look-ups are no attempts."""
    return sum(request.method == "POST" for request in line.requests)


async def _together(
    harness: Harness, integrator: Integrator, since: datetime, until: datetime
) -> list[object]:
    """Return pairs of attempts with the first account that were under way at the same time."""
    return await harness.rows(
        """
        WITH probes AS (
            SELECT message_id, requested_at, COALESCE(finished_at, deadline) AS ended FROM attempt
             WHERE tenant_id = :tenant AND account = 'first'
               AND requested_at > :since AND requested_at < :until
        )
        SELECT one.message_id, other.message_id FROM probes one
          JOIN probes other ON one.message_id < other.message_id
               AND one.requested_at < other.ended AND other.requested_at < one.ended
        """,
        tenant=integrator.owner.tenant_id,
        since=since,
        until=until,
    )
