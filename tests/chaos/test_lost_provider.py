"""The provider is down, flaky or frozen: each message arrives once, however often it is tried."""

import asyncio

import pytest

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number

pytestmark = pytest.mark.xdist_group("chaos")


async def test_messages_for_a_provider_that_is_down_are_delivered_once_it_is_up(
    harness: Harness, integrator: Integrator
) -> None:
    await harness.faults(down=True)
    numbers = [number() for _ in range(10)]
    messages = [await integrator.accepted(to) for to in numbers]
    await asyncio.sleep(2.5)
    assert await integrator.open_messages()
    await harness.faults(down=False)

    views = [await integrator.ended(message) for message in messages]
    assert {view["status"] for view in views} == {"DELIVERED"}
    assert all(view["attempts"] > 1 for view in views)
    assert set(await harness.copies(numbers)) == {1}
    assert (await integrator.balances())["used"] == 10
    assert await violations(integrator) == []


async def test_a_provider_that_fails_every_other_call_gets_each_message_once(
    harness: Harness, integrator: Integrator
) -> None:
    await harness.faults(errorRate=0.5)
    numbers = [number(last_four) for last_four in ("1234", "9004", "9007", "9010") * 5]
    messages = [await integrator.accepted(to) for to in numbers]
    await asyncio.sleep(5)
    await harness.faults()

    views = [await integrator.ended(message) for message in messages]
    assert {view["status"] for view in views} <= {"DELIVERED", "UNKNOWN"}
    assert max(view["attempts"] for view in views) > 1
    assert max(await harness.copies(numbers)) <= 1
    await integrator.all_ended()
    assert await violations(integrator) == []


async def test_a_provider_frozen_with_requests_in_hand_refuses_them_when_it_wakes(
    harness: Harness, integrator: Integrator
) -> None:
    harness.stack.freeze("simulator")
    numbers = [number() for _ in range(5)]
    messages = [await integrator.accepted(to) for to in numbers]
    await asyncio.sleep(4)  # past the deadline of the first attempts, short of the horizon
    harness.stack.thaw("simulator")

    views = [await integrator.ended(message) for message in messages]
    assert {view["status"] for view in views} == {"DELIVERED"}
    assert set(await harness.copies(numbers)) == {1}
    assert await violations(integrator) == []


async def test_a_provider_that_crashes_amid_sends_gets_no_message_twice(
    harness: Harness, integrator: Integrator
) -> None:
    numbers = [number() for _ in range(10)]
    await asyncio.gather(*(integrator.accepted(to) for to in numbers))
    harness.stack.kill("simulator")
    await asyncio.to_thread(harness.stack.start, "simulator")

    await integrator.all_ended(within=60)
    assert max(await harness.copies(numbers)) <= 1
    # A crashed vendor may have lost what it accepted last.
    assert [law for law in await violations(integrator) if " copies" not in law] == []
