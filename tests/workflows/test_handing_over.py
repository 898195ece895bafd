"""From acceptance until a provider has the message, or it must not be sent."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.testing import WorkflowEnvironment

from models.enums import ErrorCode, MessageStatus
from tests.fakes import (
    ACCEPTED,
    ACCEPTED_AND_REPORTED,
    AMBIGUOUS,
    BLOCKED,
    CANCELED,
    DELIVERED,
    FAILED,
    FOUND_AND_REPORTED,
    LATER,
    NOT_YET,
    OVER,
    REFUSED,
    TOLD,
    fake,
)
from tests.workflows.harness import HarnessFactory
from workflows import steps
from workflows.messages.types import (
    DispatchResult,
    DispatchStep,
    Ending,
    SettleResult,
    SettleStep,
    Verdict,
)


async def test_a_message_whose_report_is_stored_already_is_settled_at_once(
    harness: HarnessFactory,
) -> None:
    dispatch, handed = fake(steps.dispatch, ACCEPTED_AND_REPORTED)
    settle, settled = fake(steps.settle, DELIVERED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "settle"]
    assert handed == [DispatchStep(tenant_id=3, message_id=7)]
    assert settled == [SettleStep(tenant_id=3, message_id=7, ending=Ending.REPORTED)]


async def test_a_message_that_its_dispatch_has_settled_needs_no_further_step(
    harness: HarnessFactory,
) -> None:
    dispatch, _ = fake(steps.dispatch, replace(ACCEPTED_AND_REPORTED, settled=DELIVERED))
    async with harness(dispatch) as send:
        assert await send.play() is MessageStatus.DELIVERED
        events = await send.events()
    assert send.asked == ["dispatch"]
    assert len(events) == 6


async def test_the_status_that_its_dispatch_settled_is_the_messages(
    harness: HarnessFactory,
) -> None:
    undelivered = SettleResult(status=MessageStatus.UNDELIVERED, completed=True)
    dispatch, _ = fake(steps.dispatch, replace(ACCEPTED_AND_REPORTED, settled=undelivered))
    async with harness(dispatch) as send:
        assert await send.play() is MessageStatus.UNDELIVERED


@pytest.mark.parametrize(
    ("verdict", "ending", "word"),
    [
        (REFUSED, Ending.REFUSED, ErrorCode.BAD_DESTINATION),
        (BLOCKED, Ending.BLOCKED, ErrorCode.CONSENT_OPTED_OUT),
    ],
)
async def test_a_message_that_may_not_be_sent_is_settled_with_the_reason(
    harness: HarnessFactory, verdict: DispatchResult, ending: Ending, word: ErrorCode
) -> None:
    dispatch, _ = fake(steps.dispatch, verdict)
    settle, settled = fake(steps.settle, FAILED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.FAILED
    assert send.asked == ["dispatch", "settle"]
    assert settled == [SettleStep(tenant_id=3, message_id=7, ending=ending, error_code=word)]


async def test_a_message_that_is_over_takes_its_status_from_the_row(
    harness: HarnessFactory,
) -> None:
    dispatch, _ = fake(steps.dispatch, OVER)
    settle, settled = fake(steps.settle, CANCELED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.CANCELED
    assert send.asked == ["dispatch", "settle"]
    assert settled == [SettleStep(tenant_id=3, message_id=7, ending=Ending.OVER)]


async def test_a_message_for_a_later_day_waits_for_that_day(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    due = await skipping.get_current_time() + timedelta(days=30)
    dispatch, _ = fake(
        steps.dispatch, DispatchResult(verdict=Verdict.LATER, until=due), ACCEPTED_AND_REPORTED
    )
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "dispatch", "settle"]
    assert timedelta(0) <= await skipping.get_current_time() - due < timedelta(minutes=1)


async def test_a_waiting_message_that_is_canceled_is_over_at_once(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    due = await skipping.get_current_time() + timedelta(days=30)
    dispatch, _ = fake(steps.dispatch, DispatchResult(verdict=Verdict.LATER, until=due), OVER)
    settle, _ = fake(steps.settle, CANCELED)
    async with harness(dispatch, settle) as send:
        handle = await send.start()
        await send.until_it_waits()
        await send.wake()
        assert await send.end_of(handle) is MessageStatus.CANCELED
        assert await send.took() < timedelta(minutes=1)
    assert send.asked == ["dispatch", "dispatch", "settle"]


async def test_a_cancel_that_comes_before_dispatch_returns_is_not_slept_over(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    due = await skipping.get_current_time() + timedelta(days=30)

    async def canceled_meanwhile(_: DispatchStep) -> DispatchResult:
        await send.wake()
        return DispatchResult(verdict=Verdict.LATER, until=due)

    dispatch, _ = fake(steps.dispatch, canceled_meanwhile, OVER)
    settle, _ = fake(steps.settle, CANCELED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.CANCELED
        assert await send.took() < timedelta(minutes=1)
    assert send.asked == ["dispatch", "dispatch", "settle"]


async def test_being_woken_once_does_not_shorten_the_waits_that_follow(
    harness: HarnessFactory, skipping: WorkflowEnvironment
) -> None:
    due = await skipping.get_current_time() + timedelta(days=1)
    later = DispatchResult(verdict=Verdict.LATER, until=due)
    dispatch, _ = fake(steps.dispatch, later, later, ACCEPTED_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, settle) as send:
        handle = await send.start()
        await send.until_it_waits()
        await send.wake()
        assert await send.end_of(handle) is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "dispatch", "dispatch", "settle"]
    assert await skipping.get_current_time() >= due


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(hours=1)], ids=["no date", "past date"])
async def test_a_message_that_may_go_on_at_once_waits_a_moment_only(
    harness: HarnessFactory, skipping: WorkflowEnvironment, ago: timedelta
) -> None:
    until = await skipping.get_current_time() - ago if ago else None
    dispatch, _ = fake(
        steps.dispatch, DispatchResult(verdict=Verdict.LATER, until=until), LATER, REFUSED
    )
    settle, _ = fake(steps.settle, FAILED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.FAILED
        waits = await send.events(EventType.EVENT_TYPE_TIMER_STARTED)
    assert send.asked == ["dispatch", "dispatch", "dispatch", "settle"]
    moment = timedelta(milliseconds=100)
    lengths = [w.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta() for w in waits]
    assert lengths == [moment, moment]


async def test_a_busy_provider_is_called_in_its_own_queue(harness: HarnessFactory) -> None:
    provider = f"slow-{uuid4()}"
    dispatch, handed = fake(steps.dispatch, DispatchResult(verdict=Verdict.BUSY, provider=provider))
    queued, in_line = fake(steps.dispatch_queued, ACCEPTED_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, queued, settle, provider=provider) as send:
        assert await send.play() is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "dispatch_queued", "settle"]
    assert in_line == handed


async def test_a_slow_account_gets_its_own_budget(harness: HarnessFactory) -> None:
    provider, budget = f"slow-{uuid4()}", timedelta(seconds=75)
    busy = DispatchResult(verdict=Verdict.BUSY, provider=provider, budget=budget)
    dispatch, _ = fake(steps.dispatch, busy)
    queued, handed = fake(steps.dispatch_queued, ACCEPTED_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, queued, settle, provider=provider) as send:
        assert await send.play() is MessageStatus.DELIVERED
        [scheduled] = await send.events(EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED)
    options = scheduled.activity_task_scheduled_event_attributes
    assert options.start_to_close_timeout.ToTimedelta() == budget
    assert handed == [DispatchStep(tenant_id=3, message_id=7, budget=budget)]


async def test_a_refusal_in_the_queue_of_a_busy_provider_counts_as_any_other(
    harness: HarnessFactory,
) -> None:
    provider = f"slow-{uuid4()}"
    dispatch, _ = fake(steps.dispatch, DispatchResult(verdict=Verdict.BUSY, provider=provider))
    queued, _ = fake(steps.dispatch_queued, REFUSED)
    settle, settled = fake(steps.settle, FAILED)
    async with harness(dispatch, queued, settle, provider=provider) as send:
        assert await send.play() is MessageStatus.FAILED
    assert [step.error_code for step in settled] == [ErrorCode.BAD_DESTINATION]


async def test_a_busy_provider_without_a_name_is_tried_again_after_a_moment(
    harness: HarnessFactory,
) -> None:
    dispatch, _ = fake(steps.dispatch, DispatchResult(verdict=Verdict.BUSY), ACCEPTED_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "dispatch", "settle"]


async def test_a_report_that_comes_before_dispatch_returns_is_not_waited_for(
    harness: HarnessFactory,
) -> None:
    async def reported_meanwhile(_: DispatchStep) -> DispatchResult:
        await send.report()
        return ACCEPTED

    dispatch, _ = fake(steps.dispatch, reported_meanwhile)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "settle"]


async def test_a_report_that_comes_before_a_lost_answer_is_read_by_reconcile(
    harness: HarnessFactory,
) -> None:
    async def reported_meanwhile(_: DispatchStep) -> DispatchResult:
        await send.report()
        return AMBIGUOUS

    dispatch, _ = fake(steps.dispatch, reported_meanwhile)
    reconcile, _ = fake(steps.reconcile, FOUND_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, reconcile, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "reconcile", "settle"]


async def test_a_signal_without_a_report_leads_to_waiting_again(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, LATER, ACCEPTED)
    settle, _ = fake(steps.settle, NOT_YET, DELIVERED)
    poll, _ = fake(steps.poll, TOLD)
    async with harness(dispatch, settle, poll) as send:
        handle = await send.start()
        await send.report()
        assert await send.end_of(handle) is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "dispatch", "settle", "poll", "settle"]


async def test_a_dispatch_that_raises_is_tried_again(harness: HarnessFactory) -> None:
    dispatch, handed = fake(steps.dispatch, RuntimeError("no database"), ACCEPTED_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "dispatch", "settle"]
    assert handed[0] == handed[1]


async def test_trouble_becomes_timers_that_operators_see(harness: HarnessFactory) -> None:
    """Retries are timers of the workflow, not of the SDK: see `workflows.policies`."""
    away = ConnectionError("no database")
    dispatch, _ = fake(steps.dispatch, away, away, away, away, ACCEPTED_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
        timers = await send.events(EventType.EVENT_TYPE_TIMER_STARTED)
    assert send.asked == [*["dispatch"] * 5, "settle"]
    waits = [
        timer.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta() for timer in timers
    ]
    assert waits == [timedelta(seconds=0.2 * 2**turn) for turn in range(4)]
