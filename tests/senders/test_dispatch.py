"""A number is removed while messages wait: each is sent from another one, or not at all."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from models.enums import Channel, DeliveryMode, ErrorCode
from models.queries.senders.senders import choose_another_sender, forget_campaign
from models.rules.messages.operations import ANSWER_INBOUND, SEND_SMS
from models.rules.registration.vocabulary import NumberState, NumberType
from models.session import Database, WriteSession
from models.tables.messaging import MessagingNumber
from tests.activities.doubles import AMBIGUOUS, FOUND, NOT_PROCESSED, Scripted
from tests.activities.harness import TO, Harness
from tests.contacts import key_of
from tests.factories import Owner, make_message, new_message
from tests.senders.test_choice import LIVE, add, switch
from workflows.messages.types import Verdict


async def waiting(
    database: Database, owner: Owner, sender: str, *, operation: str = SEND_SMS
) -> int:
    message = replace(new_message(owner, to=TO), sender=sender, operation=operation)
    return await make_message(database, message)


async def read(database: Database, statement: str, **values: object) -> list[tuple[object, ...]]:
    async with database.transaction() as db:
        return [tuple(row) for row in await db.execute(text(statement), values)]


async def unassign(database: Database, owner: Owner, number: str) -> None:
    now = datetime.now(UTC)
    row = MessagingNumber(
        tenant_id=owner.tenant_id,
        merchant_id=owner.merchant_id,
        provider="twilio",
        number=number,
        type=NumberType.LOCAL,
        state=NumberState.ACTIVE,
        created_at=now,
        updated_at=now,
    )
    async with database.transaction() as db:
        assert await forget_campaign(db, row)


async def release(database: Database, number: str) -> None:
    async with database.transaction() as db:
        await db.execute(text("DELETE FROM sender_number WHERE number = :n"), {"n": number})


async def queue(database: Database, owner: Owner, number: str, message_id: int) -> None:
    await read(
        database,
        "INSERT INTO sender_queue (tenant_id, message_id, sender_id, channel, priority,"
        " merchant_id, turn, units, queued_at) SELECT tenant_id, :id, id, 'SMS', 2, :m, 0, 1, now()"
        " FROM sender_number WHERE number = :n RETURNING 1",
        id=message_id,
        m=owner.merchant_id,
        n=number,
    )


def stage_of(database: Database, owner: Owner, provider: Scripted) -> Harness:
    return Harness(database, owner, provider, mode=DeliveryMode.LIVE)


async def test_an_unassigned_numbers_message_goes_out_from_another(
    database: Database, owner: Owner
) -> None:
    await switch(database, owner, LIVE)
    gone = await add(database, owner, "+1212555", registered=True)
    other = await add(database, owner, "+1213555", registered=True)
    message_id = await waiting(database, owner, gone)
    await unassign(database, owner, gone)
    provider = Scripted()
    result = await stage_of(database, owner, provider).dispatch(message_id)
    assert result.verdict is Verdict.ACCEPTED
    assert [request.sender for request in provider.sent] == [other]
    stored = await read(database, "SELECT sender FROM message WHERE id = :id", id=message_id)
    assert stored == [(other,)]  # so that a STOP to it finds the sender


async def test_without_another_the_message_ends_and_says_why(
    database: Database, owner: Owner
) -> None:
    await switch(database, owner, LIVE)
    gone = await add(database, owner, "+1212555", registered=True)
    message_id = await waiting(database, owner, gone)
    await unassign(database, owner, gone)
    provider = Scripted()
    result = await stage_of(database, owner, provider).dispatch(message_id)
    assert (result.verdict, result.error_code) == (
        Verdict.BLOCKED,
        ErrorCode.SENDER_NOT_REGISTERED,
    )
    assert provider.sent == []


async def test_a_message_that_waits_for_later_is_not_ended_early(
    database: Database, owner: Owner
) -> None:
    await switch(database, owner, LIVE)
    gone = await add(database, owner, "+1212555", registered=True)
    message = new_message(owner, to=TO, due_in=timedelta(hours=1))
    message_id = await make_message(database, replace(message, sender=gone))
    await unassign(database, owner, gone)
    result = await stage_of(database, owner, Scripted()).dispatch(message_id)
    assert result.verdict is Verdict.LATER


async def test_a_released_numbers_message_goes_out_from_the_pool(
    database: Database, owner: Owner
) -> None:
    gone = await add(database, owner, "+1212555", registered=True)
    message_id = await waiting(database, owner, gone)
    await release(database, gone)
    provider = Scripted()
    await Harness(database, owner, provider).dispatch(message_id)
    assert [request.sender for request in provider.sent] == [owner.sender]


async def test_what_was_not_processed_may_move_what_may_be_out_may_not(
    database: Database, owner: Owner
) -> None:
    gone = await add(database, owner, "+1212555", registered=True)
    moves, stays = [await waiting(database, owner, gone) for _ in range(2)]
    provider = Scripted(NOT_PROCESSED, AMBIGUOUS, truths=[FOUND])
    harness = Harness(database, owner, provider)
    assert (await harness.dispatch(moves)).verdict is Verdict.LATER
    assert (await harness.dispatch(stays)).verdict is Verdict.AMBIGUOUS
    await release(database, gone)
    assert (await harness.dispatch(stays)).verdict is Verdict.AMBIGUOUS
    assert (await harness.dispatch(moves)).verdict is Verdict.AMBIGUOUS
    assert [request.sender for request in provider.sent] == [gone, gone, owner.sender]
    stored = await read(database, "SELECT sender FROM message WHERE id = :id", id=stays)
    assert stored == [(gone,)]


async def test_a_message_leaves_the_queue_of_the_old_number(
    database: Database, owner: Owner
) -> None:
    gone = await add(database, owner, "+1212555", registered=True)
    other = await add(database, owner, "+1213555", registered=True)
    await read(
        database,
        "UPDATE sender_number SET segments_per_second = 1,"
        " next_segment_at = now() + interval '1 hour' WHERE number = :n RETURNING 1",
        n=gone,
    )
    message_id = await waiting(database, owner, gone)
    await queue(database, owner, gone, message_id)
    await switch(database, owner, LIVE)
    await unassign(database, owner, gone)
    provider = Scripted()
    await stage_of(database, owner, provider).dispatch(message_id)
    assert [request.sender for request in provider.sent] == [other]
    left = await read(database, "SELECT 1 FROM sender_queue WHERE message_id = :id", id=message_id)
    assert left == []


async def test_an_answer_comes_from_the_number_that_was_texted_or_not_at_all(
    database: Database, owner: Owner
) -> None:
    await switch(database, owner, LIVE)
    texted = await add(database, owner, "+1212555", registered=True)
    await add(database, owner, "+1213555", registered=True)
    answers = [await waiting(database, owner, texted, operation=ANSWER_INBOUND) for _ in range(2)]
    await unassign(database, owner, texted)
    provider = Scripted()
    harness = stage_of(database, owner, provider)
    assert (await harness.dispatch(answers[0])).verdict is Verdict.ACCEPTED
    await release(database, texted)
    blocked = await harness.dispatch(answers[1])
    assert (blocked.verdict, blocked.error_code) == (
        Verdict.BLOCKED,
        ErrorCode.SENDER_NOT_REGISTERED,
    )
    assert [request.sender for request in provider.sent] == [texted]


async def test_a_number_that_became_another_merchants_is_not_used(
    database: Database, owner: Owner
) -> None:
    gone = await add(database, owner, "+1212555", registered=True)
    message_id = await waiting(database, owner, gone)
    await read(
        database,
        "WITH other AS (INSERT INTO merchant (tenant_id, external_id, display_name, active,"
        " sms_limit, voice_minutes_limit, email_limit, timezone, created_at, updated_at)"
        " VALUES (:t, 'other', 'Other', TRUE, 0, 0, 0, 'UTC', now(), now()) RETURNING id)"
        " UPDATE sender_number SET merchant_id = other.id FROM other WHERE number = :n RETURNING 1",
        t=owner.tenant_id,
        n=gone,
    )
    provider = Scripted()
    await Harness(database, owner, provider).dispatch(message_id)
    assert [request.sender for request in provider.sent] == [owner.sender]


async def test_after_going_live_nothing_leaves_a_number_of_the_simulator(
    database: Database, owner: Owner
) -> None:
    sandboxed = await add(database, owner, "+1212555", registered=True, provider="simulator")
    moves = await waiting(database, owner, sandboxed)
    answer = await waiting(database, owner, sandboxed, operation=ANSWER_INBOUND)
    await switch(database, owner, LIVE)
    provider = Scripted()
    harness = stage_of(database, owner, provider)
    await harness.dispatch(moves)
    assert [request.sender for request in provider.sent] == [owner.sender]
    blocked = await harness.dispatch(answer)
    assert blocked.error_code is ErrorCode.SENDER_NOT_REGISTERED
    assert len(provider.sent) == 1


async def test_nothing_leaves_a_number_that_is_being_bought_again(
    database: Database, owner: Owner
) -> None:
    number = await add(database, owner, "+1212555", provider="simulator", claimed=True)
    message_id = await waiting(database, owner, number)
    provider = Scripted()
    await Harness(database, owner, provider).dispatch(message_id)
    assert [request.sender for request in provider.sent] == [owner.sender]


class Interrupted:
    """A session in which something happens elsewhere after its first statement."""

    def __init__(self, db: WriteSession, meanwhile: Callable[[], Awaitable[object]]) -> None:
        self._db = db
        self._meanwhile = [meanwhile]

    async def execute(self, *args: Any, **options: Any) -> Any:
        found = await self._db.execute(*args, **options)
        while self._meanwhile:
            await self._meanwhile.pop()()
        return found


async def test_a_number_that_is_released_while_it_is_chosen_changes_nothing(
    database: Database, owner: Owner
) -> None:
    old = await add(database, owner, "+1212555", registered=True)
    message_id = await waiting(database, owner, old)
    await queue(database, owner, old, message_id)
    await read(
        database,
        "UPDATE sender_number SET claimed_at = now(), provider = 'simulator'"
        " WHERE number = :n RETURNING 1",
        n=old,
    )
    async with database.transaction() as db:
        session: Any = Interrupted(db, lambda: release(database, owner.sender))
        other = await choose_another_sender(
            session,
            tenant_id=owner.tenant_id,
            message_id=message_id,
            merchant=owner.merchant,
            channel=Channel.SMS,
            key=key_of(TO),
        )
    assert other is None
    stored = await read(database, "SELECT sender FROM message WHERE id = :id", id=message_id)
    left = await read(database, "SELECT 1 FROM sender_queue WHERE message_id = :id", id=message_id)
    assert (stored, left) == ([(old,)], [(1,)])
