"""The result of an accepted message: by a signal, or by a look-up without one."""

from datetime import timedelta

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from models.enums import MessageStatus
from tests.fakes import ACCEPTED, DELIVERED, NOT_YET, SILENT, TOLD, UNKNOWN, fake
from tests.workflows.harness import WAITS, HarnessFactory
from workflows import steps
from workflows.messages.types import Ending, PollResult, PollStep, SettleStep


async def test_a_report_ends_the_wait_and_settles(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, ACCEPTED)
    settle, settled = fake(steps.settle, DELIVERED)
    async with harness(dispatch, settle) as send:
        handle = await send.start()
        await send.until_it_waits()
        await send.report()
        assert await send.end_of(handle) is MessageStatus.DELIVERED
        assert await send.took() < WAITS.report_wait
    assert send.asked == ["dispatch", "settle"]
    assert settled == [SettleStep(tenant_id=3, message_id=7, ending=Ending.REPORTED)]


async def test_without_a_report_the_provider_is_polled(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, ACCEPTED)
    poll, asked = fake(steps.poll, SILENT, SILENT, TOLD)
    settle, settled = fake(steps.settle, DELIVERED)
    async with harness(dispatch, poll, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
        assert _gaps(await send.events(EventType.EVENT_TYPE_TIMER_STARTED)) == [
            WAITS.report_wait,
            WAITS.poll_first,
            WAITS.poll_first,
        ]
    assert send.asked == ["dispatch", "poll", "poll", "poll", "settle"]
    assert asked == [PollStep(tenant_id=3, message_id=7)] * 3
    assert settled == [SettleStep(tenant_id=3, message_id=7, ending=Ending.REPORTED)]


async def test_silence_until_the_horizon_is_given_up_after_few_questions(
    harness: HarnessFactory,
) -> None:
    dispatch, _ = fake(steps.dispatch, ACCEPTED)
    poll, asked = fake(steps.poll, SILENT, repeat_last=True)
    settle, settled = fake(steps.settle, UNKNOWN)
    async with harness(dispatch, poll, settle) as send:
        assert await send.play() is MessageStatus.UNKNOWN
        horizon = WAITS.reconcile_horizon
        assert horizon <= await send.took() <= horizon + WAITS.poll_longest
        assert len(await send.events()) < 1000
        gaps = _gaps(await send.events(EventType.EVENT_TYPE_TIMER_STARTED))
    assert send.asked == ["dispatch", *["poll"] * len(asked), "settle"]
    assert settled == [SettleStep(tenant_id=3, message_id=7, ending=Ending.GIVEN_UP)]
    assert gaps[0] == WAITS.report_wait
    assert gaps[1:] == sorted(gaps[1:])
    assert (gaps[1], gaps[-1]) == (WAITS.poll_first, WAITS.poll_longest)
    assert len(asked) == len(gaps) < 60


async def test_a_report_during_a_question_is_not_lost(harness: HarnessFactory) -> None:
    async def reported_meanwhile(_: PollStep) -> PollResult:
        await send.report()
        return SILENT

    dispatch, _ = fake(steps.dispatch, ACCEPTED)
    poll, _ = fake(steps.poll, reported_meanwhile)
    settle, settled = fake(steps.settle, DELIVERED)
    async with harness(dispatch, poll, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "poll", "settle"]
    assert [step.ending for step in settled] == [Ending.REPORTED]


async def test_a_look_up_that_raises_is_retried(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, ACCEPTED)
    poll, _ = fake(steps.poll, ConnectionError("no database"), TOLD)
    settle, _ = fake(steps.settle, DELIVERED)
    async with harness(dispatch, poll, settle) as send:
        assert await send.play() is MessageStatus.DELIVERED
        assert await send.took() < WAITS.report_wait + timedelta(minutes=1)
    assert send.asked == ["dispatch", "poll", "poll", "settle"]


async def test_several_reports_are_settled_one_after_the_other(harness: HarnessFactory) -> None:
    dispatch, _ = fake(steps.dispatch, ACCEPTED)
    settle, settled = fake(steps.settle, NOT_YET, NOT_YET, DELIVERED)
    async with harness(dispatch, settle) as send:
        handle = await send.start()
        for number in (1, 2, 3):
            await send.until_it_waits(times=number)
            await send.report()
        assert await send.end_of(handle) is MessageStatus.DELIVERED
    assert send.asked == ["dispatch", "settle", "settle", "settle"]
    assert {step.ending for step in settled} == {Ending.REPORTED}


async def test_an_open_message_is_polled_until_the_horizon(
    harness: HarnessFactory,
) -> None:
    dispatch, _ = fake(steps.dispatch, ACCEPTED)
    poll, asked = fake(steps.poll, TOLD, SILENT, repeat_last=True)
    settle, settled = fake(steps.settle, NOT_YET, UNKNOWN)
    async with harness(dispatch, poll, settle) as send:
        assert await send.play() is MessageStatus.UNKNOWN
    assert send.asked == ["dispatch", "poll", "settle", *["poll"] * (len(asked) - 1), "settle"]
    assert [step.ending for step in settled] == [Ending.REPORTED, Ending.GIVEN_UP]


def _gaps(timers: list[HistoryEvent]) -> list[timedelta]:
    return [
        timer.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta() for timer in timers
    ]
