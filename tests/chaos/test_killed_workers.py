"""Workers are killed or frozen at critical moments: no second copy, and nothing is lost."""

import asyncio

import pytest

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number, until

pytestmark = pytest.mark.xdist_group("chaos")

MIXTURE = ("1234", "9004", "9005", "9006", "9007", "9013")


async def _called(integrator: Integrator, message_id: str) -> None:
    """Wait until the provider is called: the attempt is committed and has no outcome."""

    async def requested() -> bool:
        states = await integrator.harness.rows(
            "SELECT a.state FROM attempt a JOIN message m"
            "    ON m.tenant_id = a.tenant_id AND m.id = a.message_id"
            " WHERE a.tenant_id = :tenant AND m.public_id = :message",
            tenant=integrator.owner.tenant_id,
            message=int(message_id),
        )
        return states == [("REQUESTED",)]

    await until(requested, every=0.02)


async def _restart_worker(harness: Harness) -> None:
    harness.stack.kill("worker")
    await asyncio.to_thread(harness.stack.start, "worker")


@pytest.mark.parametrize("last_four", ["9012", "9004"], ids=["slow answer", "no answer"])
async def test_a_worker_killed_during_the_call_costs_no_second_copy(
    harness: Harness, integrator: Integrator, last_four: str
) -> None:
    to = number(last_four)
    message_id = await integrator.accepted(to)
    await _called(integrator, message_id)
    await asyncio.sleep(0.2)  # the request is surely on its way
    await _restart_worker(harness)

    view = await integrator.ended(message_id)
    assert (view["status"], view["attempts"], view["billedUnits"]) == ("DELIVERED", 1, 1)
    assert len(await harness.deliveries(to)) == 1
    assert await integrator.movements(message_id) == {"HOLD": (1, 0), "CAPTURE": (1, 0)}
    assert await violations(integrator) == []


async def test_a_worker_killed_between_delivery_and_settling_still_settles_once(
    harness: Harness, integrator: Integrator
) -> None:
    to = number()
    message_id = await integrator.accepted(to)

    async def arrived() -> bool:
        return bool(await harness.deliveries(to))

    await until(arrived, every=0.005)
    await _restart_worker(harness)
    view = await integrator.ended(message_id)
    assert (view["status"], view["attempts"], view["billedUnits"]) == ("DELIVERED", 1, 1)
    assert await violations(integrator) == []


async def test_workers_killed_twice_amid_mixed_sends_leave_every_message_with_one_end(
    harness: Harness, integrator: Integrator
) -> None:
    numbers = [number(last_four) for last_four in MIXTURE * 5]
    sends = asyncio.gather(*(integrator.accepted(to) for to in numbers))
    await asyncio.sleep(0.3)
    await _restart_worker(harness)
    await asyncio.sleep(0.5)
    await _restart_worker(harness)
    await sends

    await integrator.all_ended()
    assert set(await harness.copies(numbers)) == {1}
    assert (await integrator.balances())["used"] == len(numbers)
    assert await violations(integrator) == []


async def test_a_frozen_worker_that_wakes_after_its_successor_finished_sends_no_second_copy(
    harness: Harness, integrator: Integrator
) -> None:
    to = number("9012")
    message_id = await integrator.accepted(to)
    await _called(integrator, message_id)
    await asyncio.sleep(0.1)
    harness.stack.freeze("worker")
    await asyncio.to_thread(harness.stack.start, "worker-2")

    view = await integrator.ended(message_id)
    harness.stack.thaw("worker")
    await asyncio.sleep(1.5)  # time for actions of the resumed worker

    assert (view["status"], view["attempts"]) == ("DELIVERED", 1)
    assert len(await harness.deliveries(to)) == 1
    assert (await integrator.view(message_id))["status"] == "DELIVERED"
    assert await violations(integrator) == []


async def test_a_worker_frozen_amid_many_sends_sends_nothing_after_its_deadlines(
    harness: Harness, integrator: Integrator
) -> None:
    numbers = [number() for _ in range(40)]
    sends = asyncio.gather(*(integrator.accepted(to) for to in numbers))
    await asyncio.sleep(0.15)
    harness.stack.freeze("worker")  # some are claimed and not sent yet
    await sends
    await asyncio.to_thread(harness.stack.start, "worker-2")
    await asyncio.sleep(4)  # deadlines and absence windows have passed
    harness.stack.thaw("worker")

    await integrator.all_ended()
    assert set(await harness.copies(numbers)) == {1}
    assert await violations(integrator) == []
