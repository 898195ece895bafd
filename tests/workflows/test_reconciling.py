"""A lost answer is reconciled before anything is sent again."""

from datetime import timedelta

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.exceptions import ApplicationError

from models.enums import MessageStatus
from tests.fakes import (
    ABSENT,
    ACCEPTED,
    ACCEPTED_AND_REPORTED,
    AMBIGUOUS,
    DELIVERED,
    FAILED,
    FOUND,
    FOUND_AND_REPORTED,
    NOT_YET,
    REFUSED,
    TOLD,
    UNCERTAIN,
    UNKNOWN,
    fake,
)
from tests.workflows.harness import WAITS, HarnessFactory
from workflows import steps
from workflows.messages.types import (
    DispatchStep,
    Ending,
    ReconcileResult,
    ReconcileStep,
    SettleStep,
)


async def test_a_message_that_is_found_waits_for_its_report(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, AMBIGUOUS)
    reconcile, looked = fake(steps.reconcile, FOUND)
    poll, _ = fake(steps.poll, TOLD)
    settle, settled = fake(steps.settle, DELIVERED)
    async with harness(dispatch, reconcile, poll, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
        assert await send.took() >= WAITS.report_wait
    assert send.asked == ["dispatch", "reconcile", "poll", "settle"]
    assert looked == [ReconcileStep(tenant_id=3, message_id=7)]
    assert settled == [SettleStep(tenant_id=3, message_id=7, ending=Ending.REPORTED)]


async def test_a_message_that_is_found_with_its_report_is_settled_at_once(
    harness: HarnessFactory,
) -> None:
    dispatch, _ = fake(steps.dispatch, AMBIGUOUS)
    reconcile, _ = fake(steps.reconcile, FOUND_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, reconcile, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
        assert await send.events(EventType.EVENT_TYPE_TIMER_STARTED) == []
    assert send.asked == ["dispatch", "reconcile", "settle"]


async def test_only_a_message_that_is_surely_absent_is_sent_again(harness: HarnessFactory) -> None:
    dispatch, handed = fake(steps.dispatch, AMBIGUOUS, ACCEPTED_AND_REPORTED)
    reconcile, _ = fake(steps.reconcile, UNCERTAIN, UNCERTAIN, ABSENT)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, reconcile, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", *["reconcile"] * 3, "dispatch", "settle"]
    assert len(handed) == 2


async def test_an_absent_message_may_lose_its_answer_again(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, AMBIGUOUS, AMBIGUOUS, REFUSED)
    reconcile, _ = fake(steps.reconcile, ABSENT, ABSENT)
    settle, _ = fake(steps.settle, FAILED)
    async with harness(dispatch, reconcile, settle) as send:
        assert await send.play() is MessageStatus.FAILED
    assert send.asked == ["dispatch", "reconcile"] * 2 + ["dispatch", "settle"]


async def test_without_truth_nothing_is_sent_again_and_after_the_horizon_it_is_given_up(
    harness: HarnessFactory,
) -> None:
    dispatch, handed = fake(steps.dispatch, AMBIGUOUS)
    reconcile, looked = fake(steps.reconcile, UNCERTAIN, repeat_last=True)
    settle, settled = fake(steps.settle, UNKNOWN)
    async with harness(dispatch, reconcile, settle) as send:
        assert await send.play() is MessageStatus.UNKNOWN
        horizon = WAITS.reconcile_horizon
        assert horizon <= await send.took() <= horizon + WAITS.poll_longest
        assert len(await send.events()) < 1000
    assert send.asked == ["dispatch", *["reconcile"] * len(looked), "settle"]
    assert (len(handed), len(looked) < 100) == (1, True)
    assert settled == [SettleStep(tenant_id=3, message_id=7, ending=Ending.GIVEN_UP)]


async def test_the_looks_into_a_lost_answer_grow_apart(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, AMBIGUOUS)
    reconcile, _ = fake(steps.reconcile, *[UNCERTAIN] * 80, FOUND_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, reconcile, settle) as send:
        await send.play()
        gaps = [
            timer.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
            for timer in await send.events(EventType.EVENT_TYPE_TIMER_STARTED)
        ]
    assert (gaps[0], gaps[-1]) == (WAITS.reconcile_every, WAITS.poll_longest)
    assert gaps == sorted(gaps)


async def test_a_look_that_can_never_be_done_ends_at_the_horizon(harness: HarnessFactory) -> None:
    broken = ApplicationError("a bug", non_retryable=True)
    dispatch, handed = fake(steps.dispatch, AMBIGUOUS)
    reconcile, looked = fake(steps.reconcile, broken, repeat_last=True)
    settle, settled = fake(steps.settle, UNKNOWN)
    async with harness(dispatch, reconcile, settle) as send:
        assert await send.play() is MessageStatus.UNKNOWN
        horizon = WAITS.reconcile_horizon
        assert horizon <= await send.took() <= horizon + WAITS.poll_longest
    assert len(handed) == 1
    assert len(looked) > 1
    assert settled == [SettleStep(tenant_id=3, message_id=7, ending=Ending.GIVEN_UP)]


@pytest.mark.parametrize("truth", [UNCERTAIN, FOUND], ids=["uncertain", "found"])
async def test_a_report_during_a_look_is_never_lost(
    harness: HarnessFactory, truth: ReconcileResult
) -> None:
    async def reported_meanwhile(_: ReconcileStep) -> ReconcileResult:
        await send.report()
        return truth

    dispatch, _ = fake(steps.dispatch, AMBIGUOUS)
    reconcile, looked = fake(steps.reconcile, reported_meanwhile, FOUND_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, reconcile, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
        assert await send.took() < WAITS.reconcile_every
    again = ["reconcile"] if truth is UNCERTAIN else []
    assert send.asked == ["dispatch", "reconcile", *again, "settle"]
    assert len(looked) == 1 + len(again)


async def test_a_report_between_two_looks_is_looked_at_at_once(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, AMBIGUOUS)
    reconcile, _ = fake(steps.reconcile, UNCERTAIN, FOUND_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, reconcile, settle) as send:
        handle = await send.start()
        await send.until_it_waits()
        await send.report()
        assert await send.end_of(handle) is MessageStatus.DELIVERED
        assert await send.took() < WAITS.reconcile_every
    assert send.asked == ["dispatch", "reconcile", "reconcile", "settle"]


async def test_a_report_about_an_absent_attempt_does_not_hide_the_next_ones(
    harness: HarnessFactory,
) -> None:
    async def reported_meanwhile(_: ReconcileStep) -> ReconcileResult:
        await send.report()
        return ABSENT

    dispatch, handed = fake(steps.dispatch, AMBIGUOUS, ACCEPTED)
    reconcile, _ = fake(steps.reconcile, reported_meanwhile)
    settle, _ = fake(steps.settle, NOT_YET, DELIVERED)
    poll, _ = fake(steps.poll, TOLD)
    async with harness(dispatch, reconcile, poll, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "reconcile", "dispatch", "settle", "poll", "settle"]
    assert handed == [DispatchStep(tenant_id=3, message_id=7)] * 2


async def test_a_look_that_raises_is_taken_again(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, AMBIGUOUS)
    reconcile, _ = fake(steps.reconcile, ConnectionError("no database"), FOUND_AND_REPORTED)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, reconcile, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
        assert await send.took() < timedelta(minutes=1)
    assert send.asked == ["dispatch", "reconcile", "reconcile", "settle"]
