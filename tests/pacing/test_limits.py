"""Rate limits of senders, with real workers; the provider records the times of its calls."""

from datetime import UTC, datetime, timedelta

import pytest

from models.enums import MessageType
from tests.pacing.harness import SenderHarness, most_in_a_second, until

pytestmark = pytest.mark.xdist_group("pacing")

MARKETING, OTP = MessageType.MARKETING, MessageType.OTP


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_limit_holds_across_all_workers_and_is_used(
    harness: SenderHarness, workers: int
) -> None:
    await harness.limit("20")
    async with harness.opened(workers_count=workers):
        messages = await harness.send(60)
        calls = await harness.sent(messages)
    assert len(calls) == 60
    assert most_in_a_second(calls) <= 21
    assert calls[-1].at - calls[0].at < 60 / 18 * 3
    assert await harness.queued() == []


async def test_a_number_without_a_limit_never_waits(harness: SenderHarness) -> None:
    async with harness.opened():
        messages = await harness.send(60)
        calls = await harness.sent(messages)
        assert await harness.queued() == []
    assert len(calls) == 60


async def test_an_otp_is_not_queued(harness: SenderHarness) -> None:
    await harness.limit("1")
    async with harness.opened():
        crowd = await harness.send(300, type=MARKETING)
        await until(lambda: _has_long_queue(harness), seconds=20)
        before = len(harness.provider.of(crowd))
        [otp] = await harness.send(1, type=OTP)
        [call] = await harness.sent([otp])
        between = [c for c in harness.provider.of(crowd)[before:] if c.at < call.at]
    # One may have had its slot already, and another while the OTP was in its task queue.
    assert len(between) <= 2


async def _has_long_queue(harness: SenderHarness) -> bool:
    return len(await harness.queued()) >= 290


async def test_several_otps_are_paced_too_and_none_is_lost(harness: SenderHarness) -> None:
    await harness.limit("2")
    async with harness.opened():
        calls = await harness.sent(await harness.send(6, type=OTP))
    assert len(calls) == 6
    assert most_in_a_second(calls) <= 2


async def test_merchants_take_turns_and_what_matters_more_goes_first(
    harness: SenderHarness,
) -> None:
    other = await harness.another_merchant()
    await harness.limit("0.1")
    async with harness.opened():
        many = await harness.send(12)
        await harness.wait_for_queue_length(11)
        few = await harness.send(3, other)
        reminder = await harness.send(1, other, type=MessageType.REMINDER)
        await harness.wait_for_queue_length(15)
        line = await harness.queued()
        await harness.limit("20")
        calls = await harness.sent([*many, *few, *reminder])
    turns = ["B" if message in few else "A" for message in line]
    assert "".join(turns[:7]) == "ABABABA"
    assert line[-1:] == reminder
    assert {call.message_id for call in calls} == {*many, *few, *reminder}
    assert len(calls) == 16


async def _queued_at_least(harness: SenderHarness, at_least: int) -> bool:
    return len(await harness.queued()) >= at_least - 1


async def test_a_queued_message_that_is_canceled_is_dequeued(harness: SenderHarness) -> None:
    await harness.limit("0.2")
    async with harness.opened():
        messages = await harness.send(4)
        await until(lambda: _queued_at_least(harness, 3), seconds=10)
        canceled = (await harness.queued())[-1]
        await harness.write(
            "UPDATE message SET status = 'CANCELED', completed_at = now()"
            " WHERE tenant_id = :t AND id = :m",
            t=harness.owner.tenant_id,
            m=canceled,
        )
        await harness.wake(canceled)
        await until(lambda: _is_dequeued(harness, canceled), seconds=5)
        await harness.limit("20")
        others = [message for message in messages if message != canceled]
        assert len(await harness.sent(others)) == 3
    assert harness.provider.of([canceled]) == []


async def _is_dequeued(harness: SenderHarness, message_id: int) -> bool:
    return message_id not in await harness.queued()


async def test_a_message_that_ended_while_queued_is_dequeued_by_the_workflow(
    harness: SenderHarness,
) -> None:
    await harness.limit("0.2")
    async with harness.opened():
        messages = await harness.send(3)
        await until(lambda: _queued_at_least(harness, 2), seconds=10)
        [gone] = (await harness.queued())[:1]
        await harness.write(
            "UPDATE message SET status = 'CANCELED', completed_at = now()"
            " WHERE tenant_id = :t AND id = :m",
            t=harness.owner.tenant_id,
            m=gone,
        )
        await harness.limit("20")
        assert len(await harness.sent([m for m in messages if m != gone])) == 2
        await harness.wait_for_queue_length(0)
    assert harness.provider.of([gone]) == []


async def test_a_queue_workflow_that_died_is_restarted_by_the_sweeper(
    harness: SenderHarness,
) -> None:
    await harness.limit("0.2")
    async with harness.opened():
        messages = await harness.send(5)
        await until(lambda: _queued_at_least(harness, 4), seconds=10)
        queue_workflow = await harness.queue_workflow()
        dead = (await queue_workflow.describe()).run_id
        await queue_workflow.terminate()
        await harness.limit("20")
        assert len(await harness.sent(messages)) == 5
        assert (await queue_workflow.describe()).run_id != dead


async def test_a_limit_taken_away_lets_everybody_go(harness: SenderHarness) -> None:
    await harness.limit("0.2")
    async with harness.opened():
        messages = await harness.send(30)
        await until(lambda: _queued_at_least(harness, 28), seconds=10)
        await harness.limit(None)
        assert len(await harness.sent(messages)) == 30


async def test_neither_number_nor_recipient_is_in_the_workflows_history(
    harness: SenderHarness,
) -> None:
    await harness.limit("5")  # slower than any machine dispatches, so that messages are queued
    async with harness.opened():
        await harness.sent(await harness.send(12))
        queue_workflow = await harness.queue_workflow()
        shown = (await queue_workflow.fetch_history()).to_json() + queue_workflow.id
    assert harness.owner.sender[1:] not in shown
    assert "5551234" not in shown


async def test_a_slot_that_is_not_used_is_granted_again(harness: SenderHarness) -> None:
    await harness.limit("20")
    lost = await harness.accept()
    await harness.write(
        "INSERT INTO sender_queue (tenant_id, message_id, sender_id, channel, priority,"
        " merchant_id, turn, units, queued_at, granted_at)"
        " VALUES (:t, :m, :s, 'SMS', 2, :merchant, 0, 1,"
        " now() - interval '1 minute', now() - interval '20 seconds')",
        t=harness.owner.tenant_id,
        m=lost,
        s=await harness.sender_id(),
        merchant=harness.owner.merchant_id,
    )
    async with harness.opened():
        await until(lambda: _granted_again(harness, lost), seconds=5)
        assert len(await harness.sent(await harness.send(5))) == 5


async def _granted_again(harness: SenderHarness, message_id: int) -> bool:
    moment = await harness.granted(message_id)
    return moment is not None and datetime.now(UTC) - moment < timedelta(seconds=10)


async def test_behind_300_marketing_sends_another_merchants_otp_is_among_the_first(
    harness: SenderHarness,
) -> None:
    """Priority and fairness on the task queue: no sender is limited here."""
    other = await harness.another_merchant()
    bulk = await harness.send(300, type=MARKETING)
    [otp] = await harness.send(1, other, type=OTP)
    plain = await harness.send(5, other, type=MARKETING)
    async with harness.opened():
        await harness.sent([*bulk, otp, *plain])
    order = [call.message_id for call in harness.provider.calls]
    behind = len(order) - 1 - order.index(otp)
    assert behind >= 0.9 * len(bulk)
    assert max(order.index(message) for message in plain) <= 0.5 * len(bulk)
