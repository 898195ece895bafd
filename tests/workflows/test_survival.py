"""A send continues when workers are replaced.

No workflow is cached: the test server does not pass a task of a vanished worker to the next one.
"""

import asyncio

from models.enums import MessageStatus
from tests.fakes import (
    ACCEPTED,
    ACCEPTED_AND_REPORTED,
    AMBIGUOUS,
    DELIVERED,
    FOUND_AND_REPORTED,
    fake,
)
from tests.workflows.harness import HarnessFactory
from workflows import steps
from workflows.messages.types import DispatchResult, DispatchStep


async def test_another_worker_takes_over_a_waiting_send(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, ACCEPTED)
    settle, _ = fake(steps.settle, DELIVERED)
    send = harness(dispatch, settle, cached=0)
    async with send:
        handle = await send.start()
        await send.until_it_waits()
    async with send:
        await send.report()
        assert await send.end_of(handle) is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "settle"]


async def test_a_report_that_finds_no_worker_is_settled_by_the_next(
    harness: HarnessFactory,
) -> None:
    dispatch, _ = fake(steps.dispatch, ACCEPTED)
    settle, _ = fake(steps.settle, DELIVERED)
    send = harness(dispatch, settle, cached=0)
    async with send:
        handle = await send.start()
        await send.until_it_waits()
    await send.report()
    async with send:
        assert await send.end_of(handle) is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "settle"]


async def test_a_hand_over_that_hangs_while_its_worker_stops_is_reconciled(
    harness: HarnessFactory,
) -> None:
    calling = asyncio.Event()

    async def hang(_: DispatchStep) -> DispatchResult:
        calling.set()
        await asyncio.sleep(60)
        return ACCEPTED_AND_REPORTED

    dispatch, handed = fake(steps.dispatch, hang, AMBIGUOUS)
    reconcile, _ = fake(steps.reconcile, FOUND_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    send = harness(dispatch, reconcile, settle, cached=0)
    async with send:
        handle = await send.start()
        await calling.wait()
    async with send:
        assert await send.end_of(handle) is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "dispatch", "reconcile", "settle"]
    assert handed == [DispatchStep(tenant_id=3, message_id=7)] * 2
