"""Reserves slots of rate-limited senders, and keeps the queue of messages that wait for one.

Lock order: message, sender, queue entry. Deleting an entry needs no lock on the sender. Granting
slots starts with the sender and needs no lock on a message.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import NoResultFound

from models.enums import Channel, MessageType
from models.queries.messages.identity import IDENTITY, identity_of
from models.rules.messages.identity import MessageIdentity
from models.rules.senders import pacing
from models.rules.senders.pacing import QueueEntry, SenderState, SlotAction
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderQueueKey:
    """A sender on one channel. Holds the row id, because phone numbers must not be logged."""

    tenant_id: int
    sender_id: int
    sender_public_id: int
    channel: Channel

    def ids(self) -> dict[str, Any]:
        """Return the parameters of its SQL statements."""
        return {
            "tenant_id": self.tenant_id,
            "sender_id": self.sender_id,
            "channel": self.channel,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A reserved slot in `time.monotonic` seconds of this process, not of its wall clock."""

    opens: float
    closes: float
    """A call after this may coincide with the call of the next slot: the slot is missed."""

    @property
    def wait(self) -> timedelta:
        """Return how long until it opens."""
        return timedelta(seconds=max(self.opens - time.monotonic(), 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The database's time, and this process's monotonic times before and after it was read.

    All workers share the database's clock, while their own may differ. The difference of the
    monotonic times shows whether the worker was stopped during the read.
    """

    now: datetime
    before: float
    after: float

    def slot(self, at: datetime) -> Slot:
        """Convert a slot's time: it never opens early, and is missed if it may be too late."""
        wait = (at - self.now).total_seconds()
        return Slot(
            opens=self.after + wait,
            closes=self.before + wait + pacing.SLOT_TOLERANCE.total_seconds(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Pacing data of a message; present only if its sender has a limit or it is still queued."""

    queue: SenderQueueKey
    units: int
    entry: QueueEntry | None
    clock: Clock
    """When the message was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The message's next action, and its slot if it has one.

    `first`: no other message is queued, so the queue's workflow may not be running. It is repeated
    on each dispatch, because the first signal may be lost.
    """

    action: SlotAction
    slot: Slot | None
    now: datetime
    queued_at: datetime
    first: bool = False


_LOCK_SENDER = text(
    """
    SELECT CASE CAST(:channel AS varchar)
                WHEN 'VOICE' THEN calls_per_second ELSE segments_per_second END AS per_second,
           CASE CAST(:channel AS varchar)
                WHEN 'VOICE' THEN next_call_at ELSE next_segment_at END AS free_at
      FROM sender_number
     WHERE tenant_id = :tenant_id AND id = :sender_id
       FOR NO KEY UPDATE
    """
)

# A separate statement, so that it sees what was committed while the lock was waited for.
_READ_STATE = text(
    """
    SELECT clock_timestamp() AS now,
           EXISTS (SELECT 1 FROM sender_queue
                    WHERE tenant_id = :tenant_id AND sender_id = :sender_id AND channel = :channel
                      AND granted_at IS NULL
                      AND message_id IS DISTINCT FROM CAST(:besides AS bigint)) AS has_queue
    """
)

_RESERVE = text(
    """
    UPDATE sender_number
       SET next_segment_at = CASE reserved.channel WHEN 'VOICE' THEN next_segment_at
                                  ELSE reserved.free_at END,
           next_call_at = CASE reserved.channel WHEN 'VOICE' THEN reserved.free_at
                               ELSE next_call_at END
      FROM (SELECT CAST(:channel AS varchar) AS channel,
                   CAST(:free_at AS timestamptz) AS free_at) AS reserved
     WHERE tenant_id = :tenant_id AND id = :sender_id
    """
)

_DEQUEUE = text(
    "DELETE FROM sender_queue WHERE tenant_id = :tenant_id AND message_id = :message_id"
)

_ENQUEUE = text(
    """
    WITH new AS (
        SELECT CAST(:tenant_id AS bigint) AS tenant_id, CAST(:message_id AS bigint) AS message_id,
               CAST(:sender_id AS bigint) AS sender_id, CAST(:channel AS varchar) AS channel,
               CAST(:priority AS smallint) AS priority,
               CAST(:merchant_id AS bigint) AS merchant_id, CAST(:units AS integer) AS units,
               CAST(:now AS timestamptz) AS queued_at,
               CAST(:granted_at AS timestamptz) AS granted_at
    ), head AS (
        SELECT turn FROM sender_queue JOIN new USING (tenant_id, sender_id, channel, priority)
         WHERE sender_queue.granted_at IS NULL
         ORDER BY turn, seq LIMIT 1
    ), own AS (
        SELECT turn + sender_queue.units AS turn
          FROM sender_queue JOIN new USING (tenant_id, sender_id, channel, priority, merchant_id)
         WHERE sender_queue.granted_at IS NULL
         ORDER BY turn DESC LIMIT 1
    )
    INSERT INTO sender_queue
           (tenant_id, message_id, sender_id, channel, priority, merchant_id, units, queued_at,
            granted_at, turn)
    SELECT new.*, GREATEST(0, (SELECT turn FROM head), (SELECT turn FROM own)) FROM new
    ON CONFLICT (tenant_id, message_id) DO UPDATE SET granted_at = excluded.granted_at
    """
)


async def reserve_slot(
    db: WriteSession,
    pace: Pace,
    *,
    message_id: int,
    merchant_id: int,
    type: MessageType,
    priority: int,
) -> Reservation:
    """Reserve a slot, use a granted one, or queue the message.

    The caller holds the message's lock, and calls the provider only if the action is CALL.
    """
    ids = pace.queue.ids()
    sender, clock = SenderState(now=pace.clock.now, limit=None, free_at=None), pace.clock
    if not pacing.has_usable_slot(pace.entry, sender.now):
        sender, clock = await _lock_sender(db, pace.queue, besides=message_id)
    decision = pacing.decide_slot(sender, pace.entry, type=type, units=pace.units)
    if decision.free_at is not None:
        await db.execute(_RESERVE, {**ids, "free_at": decision.free_at})
    if decision.action is SlotAction.CALL:
        await leave(db, pace, message_id=message_id)
    elif pace.entry is None or decision.free_at is not None:
        entry = {
            "message_id": message_id,
            "priority": priority,
            "merchant_id": merchant_id,
            "units": pace.units,
            "now": sender.now,
            "granted_at": decision.slot,
        }
        await db.execute(_ENQUEUE, {**ids, **entry})
    return Reservation(
        action=decision.action,
        slot=None if decision.slot is None else clock.slot(decision.slot),
        now=sender.now,
        queued_at=sender.now if pace.entry is None else pace.entry.queued_at,
        first=decision.action is SlotAction.QUEUE and not sender.has_queue,
    )


async def reserve_next_slot(db: WriteSession, pace: Pace) -> Slot:
    """Reserve the next slot for a message that missed its slot."""
    sender, clock = await _lock_sender(db, pace.queue)
    free_at = sender.next_slot + pacing.gap(pace.units, sender.limit)
    await db.execute(_RESERVE, {**pace.queue.ids(), "free_at": free_at})
    return clock.slot(sender.next_slot)


async def leave(db: WriteSession, pace: Pace | None, *, message_id: int) -> None:
    """Delete a message's queue entry, if it has one."""
    if pace is not None and pace.entry is not None:
        await db.execute(_DEQUEUE, {"tenant_id": pace.queue.tenant_id, "message_id": message_id})


async def _lock_sender(
    db: WriteSession, queue: SenderQueueKey, *, besides: int | None = None
) -> tuple[SenderState, Clock]:
    """Lock a sender and read its state; the message `besides` does not count as queued.

    Raises NoResultFound if the sender was removed; the message gets another one on its next
    dispatch.
    """
    locked = (await db.execute(_LOCK_SENDER, queue.ids())).one()
    before = time.monotonic()
    seen = (await db.execute(_READ_STATE, {**queue.ids(), "besides": besides})).one()
    sender = SenderState(
        now=seen.now, limit=locked.per_second, free_at=locked.free_at, has_queue=seen.has_queue
    )
    return sender, Clock(now=seen.now, before=before, after=time.monotonic())


_EXPIRE_GRANTS = text(
    """
    UPDATE sender_queue SET granted_at = NULL
     WHERE tenant_id = :tenant_id AND sender_id = :sender_id AND channel = :channel
       AND granted_at < :before
    """
)

_NEXT_QUEUED = text(
    f"""
    SELECT {IDENTITY}, entry.units, m.completed_at IS NOT NULL AS completed
      FROM (SELECT tenant_id, message_id, units, priority, turn, seq FROM sender_queue
             WHERE tenant_id = :tenant_id AND sender_id = :sender_id AND channel = :channel
               AND granted_at IS NULL
             ORDER BY priority, turn, seq LIMIT :most) AS entry
      JOIN message m ON m.tenant_id = entry.tenant_id AND m.id = entry.message_id
     ORDER BY entry.priority, entry.turn, entry.seq
    """  # noqa: S608 - every value is a parameter
)

_GRANT = text(
    """
    UPDATE sender_queue SET granted_at = given.slot
      FROM unnest(CAST(:message_ids AS bigint[]), CAST(:slots AS timestamptz[]))
           AS given (message_id, slot)
     WHERE sender_queue.tenant_id = :tenant_id AND sender_queue.message_id = given.message_id
    """
)

_DELETE = text(
    """
    DELETE FROM sender_queue
     WHERE tenant_id = :tenant_id AND message_id = ANY(CAST(:message_ids AS bigint[]))
    """
)

_REMAINING = text(
    """
    SELECT EXISTS (SELECT 1 FROM sender_queue
                    WHERE tenant_id = :tenant_id AND sender_id = :sender_id AND channel = :channel
                      AND granted_at IS NULL) AS has_queue,
           (SELECT min(granted_at) FROM sender_queue
             WHERE tenant_id = :tenant_id AND sender_id = :sender_id AND channel = :channel
               AND granted_at IS NOT NULL) AS first_grant
    """
)


async def grant_slots(
    db: WriteSession, queue: SenderQueueKey
) -> tuple[Sequence[MessageIdentity], timedelta | None]:
    """Grant the slots of the next half second; return the messages and the wait until the next.

    The wait is None once no message is left, or if the sender was removed. Unused slots are granted
    again; entries of messages that have ended are deleted.
    """
    ids = queue.ids()
    try:
        sender, _ = await _lock_sender(db, queue)
    except NoResultFound:
        return [], None
    await db.execute(_EXPIRE_GRANTS, {**ids, "before": sender.now - pacing.UNUSED_AFTER})
    found = (await db.execute(_NEXT_QUEUED, {**ids, "most": pacing.max_grants(sender.limit)})).all()
    ended = [row.message_id for row in found if row.completed]
    if ended:
        await db.execute(_DELETE, {"tenant_id": queue.tenant_id, "message_ids": ended})
    waiting = [row for row in found if not row.completed]
    slots, free_at = pacing.grant_slots(sender, [row.units for row in waiting])
    granted = waiting[: len(slots)]
    if granted:
        ids_and_slots = {"message_ids": [row.message_id for row in granted], "slots": slots}
        await db.execute(_GRANT, {"tenant_id": queue.tenant_id, **ids_and_slots})
        await db.execute(_RESERVE, {**ids, "free_at": free_at})
    left = (await db.execute(_REMAINING, ids)).one()
    wait = pacing.next_grant_in(
        sender, free_at, has_queue=left.has_queue, first_grant=left.first_grant
    )
    return [identity_of(row) for row in granted], wait


# Skips from queue to queue by index, so its cost depends on the number of queues, not on their
# length.
_NONEMPTY_QUEUES = text(
    """
    WITH RECURSIVE queue AS (
        (SELECT tenant_id, sender_id, channel FROM sender_queue
          ORDER BY tenant_id, sender_id, channel LIMIT 1)
        UNION ALL
        SELECT following.* FROM queue, LATERAL (
            SELECT tenant_id, sender_id, channel FROM sender_queue s
             WHERE (s.tenant_id, s.sender_id, s.channel)
                   > (queue.tenant_id, queue.sender_id, queue.channel)
             ORDER BY tenant_id, sender_id, channel LIMIT 1) AS following
    )
    SELECT queue.tenant_id, queue.sender_id, queue.channel, sender.public_id
      FROM queue JOIN sender_number sender ON sender.tenant_id = queue.tenant_id
                                         AND sender.id = queue.sender_id
    """
)


async def nonempty_queues(db: ReadSession) -> Sequence[SenderQueueKey]:
    """Return every nonempty sender queue of all tenants."""
    return [
        SenderQueueKey(
            tenant_id=row.tenant_id,
            sender_id=row.sender_id,
            sender_public_id=row.public_id,
            channel=Channel(row.channel),
        )
        for row in await db.execute(_NONEMPTY_QUEUES)
    ]


def pace_of(row: Row[Any], *, tenant_id: int, channel: Channel, read_since: float) -> Pace | None:
    """Return a message's pacing from the row that a dispatch reads; None if it is not paced."""
    if row.sender_id is None or (row.per_second is None and row.queued_at is None):
        return None
    entry = None
    if row.queued_at is not None:
        entry = QueueEntry(queued_at=row.queued_at, granted_at=row.granted_at)
    return Pace(
        queue=SenderQueueKey(
            tenant_id=tenant_id,
            sender_id=row.sender_id,
            sender_public_id=row.sender_public_id,
            channel=channel,
        ),
        units=pacing.paced_units(channel, row.units),
        entry=entry,
        clock=Clock(now=row.now, before=read_since, after=time.monotonic()),
    )


def fresh_pace(
    queue: SenderQueueKey, per_second: Decimal | None, *, units: int, clock: Clock
) -> Pace | None:
    """Return the pacing of a message with a new sender; None if it is not paced."""
    if per_second is None:
        return None
    return Pace(
        queue=queue,
        units=pacing.paced_units(queue.channel, units),
        entry=None,
        clock=clock,
    )
