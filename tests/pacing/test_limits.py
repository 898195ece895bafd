"""What a limit promises, shown by workers on real parts and the times their provider was called."""

from datetime import UTC, datetime, timedelta

import pytest

from models.enums import MessageType
from tests.pacing.harness import PostOffice, most_in_a_second, until

pytestmark = pytest.mark.xdist_group("pacing")

MARKETING, OTP = MessageType.MARKETING, MessageType.OTP


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_limit_holds_across_all_workers_and_is_used(
    office: PostOffice, workers: int
) -> None:
    await office.limit("20")
    async with office.opened(workers_count=workers):
        messages = await office.send(60)
        calls = await office.sent(messages)
    assert len(calls) == 60
    assert most_in_a_second(calls) <= 21
    assert calls[-1].at - calls[0].at < 60 / 18 * 3
    assert await office.in_line() == []


async def test_a_number_without_a_limit_waits_for_nobody(office: PostOffice) -> None:
    async with office.opened():
        messages = await office.send(60)
        calls = await office.sent(messages)
        assert await office.in_line() == []
    assert len(calls) == 60


async def test_an_otp_goes_out_next_whoever_waits(office: PostOffice) -> None:
    await office.limit("1")
    async with office.opened():
        crowd = await office.send(300, type=MARKETING)
        await until(lambda: _long_line(office), seconds=20)
        before = len(office.provider.of(crowd))
        [otp] = await office.send(1, type=OTP)
        [call] = await office.sent([otp])
        between = [c for c in office.provider.of(crowd)[before:] if c.at < call.at]
    # One may have had its moment already, and one more while the OTP was on its way to the worker.
    assert len(between) <= 2


async def _long_line(office: PostOffice) -> bool:
    return len(await office.in_line()) >= 290


async def test_several_otps_are_paced_too_and_none_is_lost(office: PostOffice) -> None:
    await office.limit("2")
    async with office.opened():
        calls = await office.sent(await office.send(6, type=OTP))
    assert len(calls) == 6
    assert most_in_a_second(calls) <= 2


async def test_merchants_take_turns_and_what_matters_more_goes_first(office: PostOffice) -> None:
    other = await office.another_merchant()
    await office.limit("0.1")
    async with office.opened():
        many = await office.send(12)
        await office.line_is(11)
        few = await office.send(3, other)
        reminder = await office.send(1, other, type=MessageType.REMINDER)
        await office.line_is(15)
        line = await office.in_line()
        await office.limit("20")
        calls = await office.sent([*many, *few, *reminder])
    turns = ["B" if message in few else "A" for message in line]
    assert "".join(turns[:7]) == "ABABABA"
    assert line[-1:] == reminder
    assert {call.message_id for call in calls} == {*many, *few, *reminder}
    assert len(calls) == 16


async def _in_line(office: PostOffice, at_least: int) -> bool:
    return len(await office.in_line()) >= at_least - 1


async def test_what_is_canceled_in_line_leaves_it(office: PostOffice) -> None:
    await office.limit("0.2")
    async with office.opened():
        messages = await office.send(4)
        await until(lambda: _in_line(office, 3), seconds=10)
        canceled = (await office.in_line())[-1]
        await office.write(
            "UPDATE message SET status = 'CANCELED', completed_at = now()"
            " WHERE tenant_id = :t AND id = :m",
            t=office.owner.tenant_id,
            m=canceled,
        )
        await office.wake(canceled)
        await until(lambda: _left(office, canceled), seconds=5)
        await office.limit("20")
        others = [message for message in messages if message != canceled]
        assert len(await office.sent(others)) == 3
    assert office.provider.of([canceled]) == []


async def _left(office: PostOffice, message_id: int) -> bool:
    return message_id not in await office.in_line()


async def test_what_has_ended_unseen_is_dropped_by_the_pump(office: PostOffice) -> None:
    await office.limit("0.2")
    async with office.opened():
        messages = await office.send(3)
        await until(lambda: _in_line(office, 2), seconds=10)
        [gone] = (await office.in_line())[:1]
        await office.write(
            "UPDATE message SET status = 'CANCELED', completed_at = now()"
            " WHERE tenant_id = :t AND id = :m",
            t=office.owner.tenant_id,
            m=gone,
        )
        await office.limit("20")
        assert len(await office.sent([m for m in messages if m != gone])) == 2
        await office.line_is(0)
    assert office.provider.of([gone]) == []


async def test_a_pump_that_died_is_restarted_by_the_sweeper(office: PostOffice) -> None:
    await office.limit("0.2")
    async with office.opened():
        messages = await office.send(5)
        await until(lambda: _in_line(office, 4), seconds=10)
        pump = await office.pump()
        dead = (await pump.describe()).run_id
        await pump.terminate()
        await office.limit("20")
        assert len(await office.sent(messages)) == 5
        assert (await pump.describe()).run_id != dead


async def test_a_limit_taken_away_lets_everybody_go(office: PostOffice) -> None:
    await office.limit("0.2")
    async with office.opened():
        messages = await office.send(30)
        await until(lambda: _in_line(office, 28), seconds=10)
        await office.limit(None)
        assert len(await office.sent(messages)) == 30


async def test_neither_number_nor_recipient_is_in_a_pumps_history(office: PostOffice) -> None:
    await office.limit("5")  # slower than any machine hands over, so that there is a line
    async with office.opened():
        await office.sent(await office.send(12))
        pump = await office.pump()
        shown = (await pump.fetch_history()).to_json() + pump.id
    assert office.owner.sender[1:] not in shown
    assert "5551234" not in shown


async def test_a_moment_nobody_came_for_is_given_up_for_the_others(office: PostOffice) -> None:
    await office.limit("20")
    lost = await office.accept()
    await office.write(
        "INSERT INTO sender_line (tenant_id, message_id, sender_id, channel, priority, merchant_id,"
        " turn, units, joined_at, granted_at) VALUES (:t, :m, :s, 'SMS', 2, :merchant, 0, 1,"
        " now() - interval '1 minute', now() - interval '20 seconds')",
        t=office.owner.tenant_id,
        m=lost,
        s=await office.sender_id(),
        merchant=office.owner.merchant_id,
    )
    async with office.opened():
        await until(lambda: _offered_anew(office, lost), seconds=5)
        assert len(await office.sent(await office.send(5))) == 5


async def _offered_anew(office: PostOffice, message_id: int) -> bool:
    moment = await office.granted(message_id)
    return moment is not None and datetime.now(UTC) - moment < timedelta(seconds=10)


async def test_behind_300_marketing_sends_another_merchants_otp_is_among_the_first(
    office: PostOffice,
) -> None:
    """Priority and fairness on the task queue: nobody is limited here."""
    other = await office.another_merchant()
    bulk = await office.send(300, type=MARKETING)
    [otp] = await office.send(1, other, type=OTP)
    plain = await office.send(5, other, type=MARKETING)
    async with office.opened():
        await office.sent([*bulk, otp, *plain])
    order = [call.message_id for call in office.provider.calls]
    behind = len(order) - 1 - order.index(otp)
    assert behind >= 0.9 * len(bulk)
    assert max(order.index(message) for message in plain) <= 0.5 * len(bulk)
