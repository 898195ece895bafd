"""Queue entries and limits of a sender, on a real database."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from models.enums import Channel, MessageType
from models.queries.senders import number_limits, sender_queue
from models.queries.senders.sender_queue import Clock, Pace, Reservation, SenderQueueKey
from models.rules.senders.pacing import QueueEntry, SlotAction, gap
from models.session import Database
from tests.factories import Owner, make_message, new_message

SMS = Channel.SMS
SECOND = timedelta(seconds=1)


class Sender:
    """A number of a tenant with a limit, whose sender_state is occupy for a minute."""

    def __init__(self, database: Database, owner: Owner) -> None:
        self._database = database
        self._owner = owner

    async def occupy(self) -> None:
        await self.write(
            "UPDATE sender_number SET segments_per_second = 1,"
            " next_segment_at = now() + interval '1 minute' WHERE number = :number"
        )

    async def pace(self, entry: QueueEntry | None = None) -> Pace:
        """Return what pacing needs of a message of one segment."""
        row = (await self.read("SELECT id, public_id FROM sender_number WHERE number = :number"))[0]
        queue = SenderQueueKey(
            tenant_id=self._owner.tenant_id,
            sender_id=row.id,
            sender_public_id=row.public_id,
            channel=SMS,
        )
        clock = Clock(now=datetime.now(UTC), before=0, after=0)
        return Pace(queue=queue, units=1, entry=entry, clock=clock)

    async def asks(self, message_id: int, entry: QueueEntry | None) -> Reservation:
        """Reserve a slot for a message, or queue it."""
        pace = await self.pace(entry)
        async with self._database.transaction() as db:
            return await sender_queue.reserve_slot(
                db,
                pace,
                message_id=message_id,
                merchant_id=self._owner.merchant_id,
                type=MessageType.TRANSACTIONAL,
                priority=2,
            )

    async def limit(self, rate: str | None) -> datetime | None:
        """Set its limit; return its next free slot."""
        async with self._database.transaction() as db:
            per_second = None if rate is None else Decimal(rate)
            assert await number_limits.limit(db, self._owner.sender, {SMS: per_second})
        row = (await self.read("SELECT next_segment_at FROM sender_number WHERE number = :number"))[
            0
        ]
        free_at: datetime | None = row.next_segment_at
        return free_at

    async def grant(self, message_id: int, at: datetime) -> None:
        await self.write(
            "UPDATE sender_queue SET granted_at = :at WHERE message_id = :m"
            " AND tenant_id = (SELECT tenant_id FROM sender_number WHERE number = :number)",
            at=at,
            m=message_id,
        )

    async def write(self, sql: str, **values: Any) -> None:
        async with self._database.transaction() as db:
            await db.execute(text(sql), {"number": self._owner.sender, **values})

    async def read(self, sql: str) -> list[Any]:
        async with self._database.read() as db:
            return list((await db.execute(text(sql), {"number": self._owner.sender})).all())


@pytest.fixture
async def sender(database: Database, owner: Owner) -> Sender:
    sender = Sender(database, owner)
    await sender.occupy()
    return sender


async def test_the_first_in_the_queue_is_reported_each_time(
    sender: Sender, database: Database, owner: Owner
) -> None:
    message, other = [await make_message(database, new_message(owner)) for _ in range(2)]
    reservation = await sender.asks(message, None)
    assert (reservation.action, reservation.first) == (SlotAction.QUEUE, True)
    entry = QueueEntry(queued_at=reservation.queued_at, granted_at=None)
    assert (await sender.asks(message, entry)).first  # the signal of the first time may be lost
    assert not (await sender.asks(other, None)).first
    assert not (await sender.asks(message, entry)).first


async def test_a_new_limit_keeps_granted_slots(
    sender: Sender, database: Database, owner: Owner
) -> None:
    message = await make_message(database, new_message(owner))
    await sender.asks(message, None)
    soon = datetime.now(UTC) + 20 * SECOND
    await sender.grant(message, soon)
    assert await sender.limit("2") == soon + gap(1, Decimal(2))


async def test_a_new_limit_ignores_slots_in_the_past(
    sender: Sender, database: Database, owner: Owner
) -> None:
    message = await make_message(database, new_message(owner))
    await sender.asks(message, None)
    await sender.grant(message, datetime.now(UTC) - SECOND)
    assert await sender.limit("2") is None


async def test_the_same_limit_once_more_changes_nothing(sender: Sender) -> None:
    [before] = await sender.read("SELECT next_segment_at FROM sender_number WHERE number = :number")
    assert await sender.limit("1.000") == before.next_segment_at


@pytest.mark.parametrize("at_once", [True, False])
async def test_two_missed_slots_are_not_replaced_by_the_same_one(
    sender: Sender, database: Database, at_once: bool
) -> None:
    """Workers were stopped, and resume with late messages of one sender."""
    pace = await sender.pace()

    async def another() -> float:
        async with database.transaction() as db:
            return (await sender_queue.reserve_next_slot(db, pace)).opens

    if at_once:
        opens = sorted(await asyncio.gather(*(another() for _ in range(5))))
    else:
        opens = [await another() for _ in range(5)]
    between = gap(1, Decimal(1))
    gaps = [after - before for before, after in itertools.pairwise(opens)]
    assert min(gaps) > between.total_seconds() - 0.05
    # The next slot to be reserved comes after all of them.
    [free] = await sender.read(
        "SELECT next_segment_at - now() AS wait FROM sender_number WHERE number = :number"
    )
    assert 59 * SECOND < free.wait - 5 * between <= 60 * SECOND


async def test_an_unknown_number_is_not_limited(database: Database) -> None:
    async with database.transaction() as db:
        assert not await number_limits.limit(db, "+19999999999", {SMS: None})


async def test_the_queue_of_a_deleted_number_ends(database: Database, owner: Owner) -> None:
    queue = SenderQueueKey(
        tenant_id=owner.tenant_id, sender_id=10**12, sender_public_id=1, channel=SMS
    )
    async with database.transaction() as db:
        assert await sender_queue.grant_slots(db, queue) == ([], None)
