"""The last step: a settled message is complete, and an unusual end is a search attribute."""

import pytest
from temporalio.api.enums.v1 import EventType

from models.enums import TERMINAL, MessageStatus
from tests.fakes import (
    ACCEPTED,
    ACCEPTED_AND_REPORTED,
    DELIVERED,
    FAILED,
    NOT_YET,
    OVER,
    REFUSED,
    TOLD,
    fake,
)
from tests.workflows.harness import WAITS, HarnessFactory
from workflows import names, steps
from workflows.messages.types import Ending, SettleResult, SettleStep


@pytest.mark.parametrize("status", sorted(TERMINAL - {MessageStatus.DELIVERED}))
async def test_an_outcome_but_delivered_is_a_search_attribute(
    harness: HarnessFactory, status: MessageStatus
) -> None:
    dispatch, _ = fake(steps.dispatch, REFUSED)
    settle, _ = fake(steps.settle, SettleResult(status=status, completed=True))
    async with harness(dispatch, settle) as send:
        assert await send.play() is status
        described = await send.send.describe()
    assert described.typed_search_attributes[names.OUTCOME] == status


async def test_a_delivered_message_leaves_no_event_but_its_steps(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, ACCEPTED_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
        described = await send.send.describe()
        left = [EventType.Name(event.event_type) for event in await send.events()]
    assert described.typed_search_attributes.get(names.OUTCOME) is None
    assert [name.removeprefix("EVENT_TYPE_") for name in left] == [
        "WORKFLOW_EXECUTION_STARTED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "MARKER_RECORDED",
        "MARKER_RECORDED",
        "WORKFLOW_EXECUTION_COMPLETED",
    ]


async def test_an_unsettled_message_waits_for_the_next_report(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, ACCEPTED_AND_REPORTED)
    settle, _ = fake(steps.settle, NOT_YET, DELIVERED)
    async with harness(dispatch, settle) as send:
        handle = await send.start()
        await send.until_it_waits()
        await send.report()
        assert await send.end_of(handle) is MessageStatus.DELIVERED
        assert await send.took() < WAITS.report_wait
    assert send.asked == ["dispatch", "settle", "settle"]


async def test_an_ended_but_unsettled_message_is_polled(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, OVER)
    settle, settled = fake(steps.settle, NOT_YET, DELIVERED)
    poll, _ = fake(steps.poll, TOLD)
    async with harness(dispatch, poll, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "settle", "poll", "settle"]
    assert [step.ending for step in settled] == [Ending.OVER, Ending.REPORTED]


async def test_a_report_during_settle_that_did_not_end_it_is_settled_next(
    harness: HarnessFactory,
) -> None:
    async def reported_meanwhile(_: SettleStep) -> SettleResult:
        await send.report()
        return NOT_YET

    dispatch, _ = fake(steps.dispatch, ACCEPTED_AND_REPORTED)
    settle, _ = fake(steps.settle, reported_meanwhile, DELIVERED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
        assert await send.took() < WAITS.report_wait
    assert send.asked == ["dispatch", "settle", "settle"]


async def test_a_report_during_the_last_settle_makes_it_run_twice_and_ends_once(
    harness: HarnessFactory,
) -> None:
    async def reported_meanwhile(_: SettleStep) -> SettleResult:
        await send.report()
        return DELIVERED

    dispatch, _ = fake(steps.dispatch, ACCEPTED)
    poll, _ = fake(steps.poll, TOLD)
    settle, settled = fake(steps.settle, reported_meanwhile, DELIVERED)
    async with harness(dispatch, poll, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
        ends = await send.events(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)
    assert send.asked == ["dispatch", "poll", "settle", "settle"]
    assert settled[0] == settled[1]
    assert len(ends) == 1


async def test_a_settle_that_raises_is_tried_again(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, REFUSED)
    settle, settled = fake(steps.settle, ConnectionError("no database"), FAILED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.FAILED
    assert send.asked == ["dispatch", "settle", "settle"]
    assert settled[0] == settled[1]
