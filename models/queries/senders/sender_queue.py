"""Booking a sender's moments, and the line of those who wait for one.

Rows are locked in the order: message, sender, place. Who gives up a place needs no sender for it,
and the pump, which begins with the sender, needs no message.
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
from models.rules.senders.pacing import Lane, Place, Way
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One sender's lane on one channel; no phone number, so that it may be shown."""

    tenant_id: int
    sender_id: int
    sender_public_id: int
    channel: Channel

    def ids(self) -> dict[str, Any]:
        """What its statements are told."""
        return {
            "tenant_id": self.tenant_id,
            "sender_id": self.sender_id,
            "channel": self.channel,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A booked moment by this process's own clock (`time.monotonic`), whatever its time of day."""

    opens: float
    closes: float
    """After this it is missed: others' calls may fall together with a late one."""

    @property
    def wait(self) -> timedelta:
        """How long until it opens."""
        return timedelta(seconds=max(self.opens - time.monotonic(), 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The database's time, and between which times of our own clock it was read.

    It is one for all workers, while theirs may differ; and a worker that was stopped while it read
    knows.
    """

    now: datetime
    before: float
    after: float

    def moment(self, at: datetime) -> Moment:
        """Translate a moment: never early, and missed if it may be too late."""
        wait = (at - self.now).total_seconds()
        return Moment(
            opens=self.after + wait, closes=self.before + wait + pacing.LATE.total_seconds()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How a message is paced: only those of limited senders are, or who still stand in line."""

    line: Line
    units: int
    place: Place | None
    clock: Clock
    """When the message was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """A message's turn, and what the one who waits for it needs to know.

    `first`: nobody else stands in this line, so a pump may be needed. It is said as often as the
    message asks, lest a lost signal leaves it standing alone.
    """

    way: Way
    moment: Moment | None
    now: datetime
    queued_at: datetime
    first: bool = False


_LOCK = text(
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

# A statement of its own: it must see what was committed while the lock was waited for.
_LOOK = text(
    """
    SELECT clock_timestamp() AS now,
           EXISTS (SELECT 1 FROM sender_queue
                    WHERE tenant_id = :tenant_id AND sender_id = :sender_id AND channel = :channel
                      AND granted_at IS NULL
                      AND message_id IS DISTINCT FROM CAST(:besides AS bigint)) AS crowded
    """
)

_BOOK = text(
    """
    UPDATE sender_number
       SET next_segment_at = CASE booked.channel WHEN 'VOICE' THEN next_segment_at
                                  ELSE booked.free_at END,
           next_call_at = CASE booked.channel WHEN 'VOICE' THEN booked.free_at
                               ELSE next_call_at END
      FROM (SELECT CAST(:channel AS varchar) AS channel,
                   CAST(:free_at AS timestamptz) AS free_at) AS booked
     WHERE tenant_id = :tenant_id AND id = :sender_id
    """
)

_LEAVE = text("DELETE FROM sender_queue WHERE tenant_id = :tenant_id AND message_id = :message_id")

_JOIN = text(
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


async def take_turn(
    db: WriteSession,
    pace: Pace,
    *,
    message_id: int,
    merchant_id: int,
    type: MessageType,
    priority: int,
) -> Booking:
    """Book a moment, take the one that was granted, or stand in line.

    The caller holds the message's lock, and calls the provider only if the turn says CALL.
    """
    ids = pace.line.ids()
    lane, clock = Lane(now=pace.clock.now, limit=None, free_at=None), pace.clock
    if not pacing.fresh(pace.place, lane.now):
        lane, clock = await _lock_lane(db, pace.line, besides=message_id)
    turn = pacing.take_turn(lane, pace.place, type=type, units=pace.units)
    if turn.free_at is not None:
        await db.execute(_BOOK, {**ids, "free_at": turn.free_at})
    if turn.way is Way.CALL:
        await leave(db, pace, message_id=message_id)
    elif pace.place is None or turn.free_at is not None:
        place = {
            "message_id": message_id,
            "priority": priority,
            "merchant_id": merchant_id,
            "units": pace.units,
            "now": lane.now,
            "granted_at": turn.moment,
        }
        await db.execute(_JOIN, {**ids, **place})
    return Booking(
        way=turn.way,
        moment=None if turn.moment is None else clock.moment(turn.moment),
        now=lane.now,
        queued_at=lane.now if pace.place is None else pace.place.queued_at,
        first=turn.way is Way.STAND and not lane.crowded,
    )


async def book_another(db: WriteSession, pace: Pace) -> Moment:
    """Book the next moment for a message that missed its own."""
    lane, clock = await _lock_lane(db, pace.line)
    free_at = lane.next_moment + pacing.gap(pace.units, lane.limit)
    await db.execute(_BOOK, {**pace.line.ids(), "free_at": free_at})
    return clock.moment(lane.next_moment)


async def leave(db: WriteSession, pace: Pace | None, *, message_id: int) -> None:
    """Give up a message's place, if it has one."""
    if pace is not None and pace.place is not None:
        await db.execute(_LEAVE, {"tenant_id": pace.line.tenant_id, "message_id": message_id})


async def _lock_lane(
    db: WriteSession, line: Line, *, besides: int | None = None
) -> tuple[Lane, Clock]:
    """Lock a lane and read it; `besides` is a message that does not count as a crowd.

    Raises NoResultFound if the sender is gone; a message that is dispatched again gets another.
    """
    locked = (await db.execute(_LOCK, line.ids())).one()
    before = time.monotonic()
    seen = (await db.execute(_LOOK, {**line.ids(), "besides": besides})).one()
    lane = Lane(now=seen.now, limit=locked.per_second, free_at=locked.free_at, crowded=seen.crowded)
    return lane, Clock(now=seen.now, before=before, after=time.monotonic())


_WITHDRAW = text(
    """
    UPDATE sender_queue SET granted_at = NULL
     WHERE tenant_id = :tenant_id AND sender_id = :sender_id AND channel = :channel
       AND granted_at < :before
    """
)

_NEXT = text(
    f"""
    SELECT {IDENTITY}, place.units, m.completed_at IS NOT NULL AS completed
      FROM (SELECT tenant_id, message_id, units, priority, turn, seq FROM sender_queue
             WHERE tenant_id = :tenant_id AND sender_id = :sender_id AND channel = :channel
               AND granted_at IS NULL
             ORDER BY priority, turn, seq LIMIT :most) AS place
      JOIN message m ON m.tenant_id = place.tenant_id AND m.id = place.message_id
     ORDER BY place.priority, place.turn, place.seq
    """  # noqa: S608 - every value is a parameter
)

_GRANT = text(
    """
    UPDATE sender_queue SET granted_at = given.moment
      FROM unnest(CAST(:message_ids AS bigint[]), CAST(:moments AS timestamptz[]))
           AS given (message_id, moment)
     WHERE sender_queue.tenant_id = :tenant_id AND sender_queue.message_id = given.message_id
    """
)

_DROP = text(
    """
    DELETE FROM sender_queue
     WHERE tenant_id = :tenant_id AND message_id = ANY(CAST(:message_ids AS bigint[]))
    """
)

_LEFT = text(
    """
    SELECT EXISTS (SELECT 1 FROM sender_queue
                    WHERE tenant_id = :tenant_id AND sender_id = :sender_id AND channel = :channel
                      AND granted_at IS NULL) AS crowded,
           (SELECT min(granted_at) FROM sender_queue
             WHERE tenant_id = :tenant_id AND sender_id = :sender_id AND channel = :channel
               AND granted_at IS NOT NULL) AS first_grant
    """
)


async def grant_slots(
    db: WriteSession, line: Line
) -> tuple[Sequence[MessageIdentity], timedelta | None]:
    """Let in what fits the near future; return whom, and how long until the next turn.

    The wait is None once nobody is left, as in the line of a sender that is gone. Moments nobody
    came for are offered anew, places of messages that have ended are given up.
    """
    ids = line.ids()
    try:
        lane, _ = await _lock_lane(db, line)
    except NoResultFound:
        return [], None
    await db.execute(_WITHDRAW, {**ids, "before": lane.now - pacing.UNCLAIMED})
    found = (await db.execute(_NEXT, {**ids, "most": pacing.most_to_let_in(lane.limit)})).all()
    over = [row.message_id for row in found if row.completed]
    if over:
        await db.execute(_DROP, {"tenant_id": line.tenant_id, "message_ids": over})
    waiting = [row for row in found if not row.completed]
    moments, free_at = pacing.let_in(lane, [row.units for row in waiting])
    let_in = waiting[: len(moments)]
    if let_in:
        granted = {"message_ids": [row.message_id for row in let_in], "moments": moments}
        await db.execute(_GRANT, {"tenant_id": line.tenant_id, **granted})
        await db.execute(_BOOK, {**ids, "free_at": free_at})
    left = (await db.execute(_LEFT, ids)).one()
    wait = pacing.next_turn(lane, free_at, crowded=left.crowded, first_grant=left.first_grant)
    return [identity_of(row) for row in let_in], wait


# Steps from line to line by index, so that its cost grows with their number, not their length.
_BUSY = text(
    """
    WITH RECURSIVE line AS (
        (SELECT tenant_id, sender_id, channel FROM sender_queue
          ORDER BY tenant_id, sender_id, channel LIMIT 1)
        UNION ALL
        SELECT following.* FROM line, LATERAL (
            SELECT tenant_id, sender_id, channel FROM sender_queue s
             WHERE (s.tenant_id, s.sender_id, s.channel)
                   > (line.tenant_id, line.sender_id, line.channel)
             ORDER BY tenant_id, sender_id, channel LIMIT 1) AS following
    )
    SELECT line.tenant_id, line.sender_id, line.channel, sender.public_id
      FROM line JOIN sender_number sender ON sender.tenant_id = line.tenant_id
                                         AND sender.id = line.sender_id
    """
)


async def find_lines(db: ReadSession) -> Sequence[Line]:
    """Return every line of all tenants that somebody stands in."""
    return [
        Line(
            tenant_id=row.tenant_id,
            sender_id=row.sender_id,
            sender_public_id=row.public_id,
            channel=Channel(row.channel),
        )
        for row in await db.execute(_BUSY)
    ]


def pace_of(row: Row[Any], *, tenant_id: int, channel: Channel, read_since: float) -> Pace | None:
    """Read how a message is paced from what a dispatch reads of it; None if it is not."""
    if row.sender_id is None or (row.per_second is None and row.queued_at is None):
        return None
    place = None
    if row.queued_at is not None:
        place = Place(queued_at=row.queued_at, granted_at=row.granted_at)
    return Pace(
        line=Line(
            tenant_id=tenant_id,
            sender_id=row.sender_id,
            sender_public_id=row.sender_public_id,
            channel=channel,
        ),
        units=pacing.paced_units(channel, row.units),
        place=place,
        clock=Clock(now=row.now, before=read_since, after=time.monotonic()),
    )


def fresh_pace(line: Line, per_second: Decimal | None, *, units: int, clock: Clock) -> Pace | None:
    """Return how a message is paced that was just given another sender; None if it is not."""
    if per_second is None:
        return None
    return Pace(
        line=line,
        units=pacing.paced_units(line.channel, units),
        place=None,
        clock=clock,
    )
