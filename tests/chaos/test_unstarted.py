"""The API is killed between commit and start: the sweeper starts the message within seconds."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number, until

pytestmark = pytest.mark.xdist_group("chaos")

WITHIN = timedelta(seconds=4)


@contextmanager
def black_hole() -> Iterator[str]:
    """Return an address that accepts connections and never responds."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        yield f"127.0.0.1:{listener.getsockname()[1]}"


async def test_an_otp_whose_api_dies_before_its_start_goes_out_within_seconds(
    harness: Harness, integrator: Integrator
) -> None:
    stack, temporal, to = harness.stack, harness.stack.temporal_address, number()
    await asyncio.to_thread(stack.stop, "api")
    with black_hole() as nowhere:
        stack.temporal_address = nowhere
        await asyncio.to_thread(stack.start, "api")
        stack.temporal_address = temporal
        asking = asyncio.create_task(integrator.send(to, type="OTP"))
        await until(partial(_accepted, integrator), every=0.005)
        stack.kill("api")
        await asyncio.gather(asking, return_exceptions=True)
    await until(partial(_attempted, integrator), 10)
    await asyncio.to_thread(stack.start, "api")  # the API receives the reports
    await integrator.all_ended()
    assert await harness.copies([to]) == [1]
    waited = await _waited(integrator)
    assert waited is not None
    assert waited < WITHIN
    assert await violations(integrator) == []


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
