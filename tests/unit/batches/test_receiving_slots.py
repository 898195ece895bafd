"""Slots for receiving batches: two per tenant, a bounded wait, and nothing left in memory."""

import asyncio
from datetime import timedelta

import pytest

from api.services.messages.batches.receiving_slots import AT_ONCE, ReceivingSlots
from models.batch_errors import TooManyBatches


async def test_a_tenant_holds_two_and_further_ones_wait() -> None:
    slots, held, most = ReceivingSlots(), 0, 0

    async def receive(tenant_id: int) -> None:
        nonlocal held, most
        async with slots.hold(tenant_id):
            held += 1
            most = max(most, held)
            await asyncio.sleep(0)
            held -= 1

    await asyncio.gather(*(receive(7) for _ in range(20)))
    assert (most, slots.remembered) == (AT_ONCE, 0)


async def test_whoever_waits_too_long_is_refused_but_no_other_tenant() -> None:
    slots = ReceivingSlots(timedelta(milliseconds=10))
    async with slots.hold(7), slots.hold(7):
        with pytest.raises(TooManyBatches):
            async with slots.hold(7):
                pass
        async with slots.hold(8):
            assert slots.remembered == 2
    assert slots.remembered == 0
    async with slots.hold(7):
        pass


async def test_a_waiter_that_is_canceled_and_a_failure_give_their_slots_back() -> None:
    slots = ReceivingSlots()
    async with slots.hold(7), slots.hold(7):
        waiting = asyncio.create_task(slots.hold(7).__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    with pytest.raises(ValueError, match="x"):
        async with slots.hold(7):
            raise ValueError("x")
    assert slots.remembered == 0
