"""The API is killed between commit and start: the sweeper starts what it accepted in seconds."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial

import pytest

from tests.chaos.invariants import violations
from tests.chaos.payments import Buyer, money_violations
from tests.e2e.harness import Harness, Integrator, number, until
from tests.factories import unique

pytestmark = pytest.mark.xdist_group("chaos")

WITHIN = timedelta(seconds=4)


@contextmanager
def black_hole() -> Iterator[str]:
    """Return an address that accepts connections and never responds."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@asynccontextmanager
async def starting_nothing(harness: Harness) -> AsyncIterator[None]:
    """Run an API whose Temporal never answers, with the grace of production, and kill it."""
    stack, temporal = harness.stack, harness.stack.temporal_address
    await asyncio.to_thread(stack.stop, "api")
    usual = dict(stack.waits)
    with black_hole() as nowhere:
        stack.temporal_address = nowhere
        stack.waits["HEXAVOX_SWEEP_GRACE"] = "PT60S"
        try:
            await asyncio.to_thread(stack.start, "api")
            yield
            stack.kill("api")
        finally:
            stack.temporal_address, stack.waits = temporal, usual


async def test_an_otp_whose_api_dies_before_its_start_goes_out_within_seconds(
    harness: Harness, integrator: Integrator
) -> None:
    to = number()
    async with starting_nothing(harness):
        asking = asyncio.create_task(integrator.send(to, type="OTP"))
        await until(partial(_accepted, integrator), every=0.005)
    await asyncio.gather(asking, return_exceptions=True)
    await _goes_out_in_time(harness, integrator, to)


async def test_an_otp_that_was_answered_before_its_start_goes_out_within_seconds(
    harness: Harness, integrator: Integrator
) -> None:
    to = number()
    async with starting_nothing(harness):
        began = time.monotonic()
        answer = await integrator.send(to, type="OTP")
        answered_in = time.monotonic() - began
    assert (answer.status_code, answer.json()["status"]) == (200, "QUEUED")
    assert answered_in < 1, "the answer does not wait for the start"
    await _goes_out_in_time(harness, integrator, to)


async def test_an_upgrade_that_was_answered_before_its_start_begins_within_seconds(
    harness: Harness,
) -> None:
    buyer = Buyer(await harness.integrator(sms_limit=0))
    async with starting_nothing(harness):
        payment_id = await buyer.bought(key=unique("key"))
    await until(partial(_charged, buyer), 10, every=0.02)
    [(waited,)] = await harness.rows(
        "SELECT clock_timestamp() - accepted_at FROM payment WHERE tenant_id = :tenant",
        tenant=buyer.integrator.owner.tenant_id,
    )
    assert waited < WITHIN
    await asyncio.to_thread(harness.stack.start, "api")
    assert (await buyer.ended(payment_id))["paymentStatus"] == "SUCCEEDED"
    assert await money_violations(buyer) == []


async def _goes_out_in_time(harness: Harness, integrator: Integrator, to: str) -> None:
    await until(partial(_attempted, integrator), 10)
    await asyncio.to_thread(harness.stack.start, "api")  # the API receives the reports
    await integrator.all_ended()
    assert await harness.copies([to]) == [1]
    waited = await _waited(integrator)
    assert waited is not None
    assert waited < WITHIN
    assert await violations(integrator) == []


async def _charged(buyer: Buyer) -> bool:
    return bool(
        await buyer.integrator.harness.rows(
            "SELECT 1 FROM payment WHERE tenant_id = :tenant AND charge_id IS NOT NULL",
            tenant=buyer.integrator.owner.tenant_id,
        )
    )


async def _accepted(integrator: Integrator) -> bool:
    return bool(await integrator.open_messages())


async def _attempted(integrator: Integrator) -> bool:
    return await _waited(integrator) is not None


async def _waited(integrator: Integrator) -> timedelta | None:
    """Return how long the only message waited for its first attempt."""
    found = await integrator.harness.rows(
        "SELECT min(a.requested_at) - m.accepted_at FROM message m"
        " JOIN attempt a ON a.tenant_id = m.tenant_id AND a.message_id = m.id"
        " WHERE m.tenant_id = :tenant GROUP BY m.accepted_at",
        tenant=integrator.owner.tenant_id,
    )
    return found[0][0] if found else None
