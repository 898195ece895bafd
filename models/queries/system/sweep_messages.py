"""Finds accepted messages that may have no running workflow."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import text

from models.enums import MessageType
from models.queries.messages.identity import START, start_of
from models.queries.system.waiting_pairs import WAITING_PAIRS
from models.rules.messages.identity import SendStart
from models.rules.messages.priorities import priority_of
from models.session import ReadSession, WriteSession

# The interval grows with the age, so that a message that waits days for its report is rarely swept;
# a message that is not due yet is skipped until it is.
_SWEEP = text(
    f"""
    WITH stalled AS (
        SELECT tenant_id, id, merchant_id FROM message
         WHERE completed_at IS NULL AND sweep_at <= :now AND chunk_id IS NULL
         ORDER BY sweep_at LIMIT :most FOR UPDATE SKIP LOCKED
    )
    UPDATE message m
       SET sweep_at = GREATEST(m.due_at, :now)
                    + LEAST(GREATEST(CAST(:grace AS interval), (:now - m.due_at) / 2),
                            CAST(:longest AS interval))
      FROM stalled
      LEFT JOIN merchant ON merchant.tenant_id = stalled.tenant_id
                        AND merchant.id = stalled.merchant_id
     WHERE m.tenant_id = stalled.tenant_id AND m.id = stalled.id
    RETURNING {START}
    """  # noqa: S608 - every value is a parameter
)


async def take_stalled(
    db: WriteSession, *, now: datetime, grace: timedelta, longest: timedelta, most: int
) -> Sequence[SendStart]:
    """Return messages of all tenants that are due for sweeping, and schedule their next sweep.

    Those that a chunk sends are left out, here and below: their chunk is swept.
    """
    rows = await db.execute(_SWEEP, {"now": now, "grace": grace, "longest": longest, "most": most})
    return [start_of(row) for row in rows]


# Due messages that no worker has processed in time, so probably not started: by priority, and
# within a priority one of each tenant in turn. It skips from tenant to tenant by index, so that
# many messages of one tenant do not slow down others.
_SWEEP_UNSTARTED = text(
    f"""
    WITH RECURSIVE {WAITING_PAIRS}, chosen AS (
        SELECT pair.tenant_id, first.id, urgency.priority, first.turn
          FROM pair
          JOIN unnest(CAST(:types AS varchar[]), CAST(:priorities AS int[]))
               AS urgency (type, priority) ON urgency.type = pair.type,
          LATERAL (
            SELECT id, row_number() OVER (ORDER BY ready_at, id) AS turn FROM message m
             WHERE completed_at IS NULL AND m.type = pair.type AND m.tenant_id = pair.tenant_id
               AND ready_at <= :now AND sweep_at <= :now AND chunk_id IS NULL
             ORDER BY ready_at, id LIMIT :most) AS first
         ORDER BY urgency.priority, first.turn LIMIT :most
    ), stalled AS (
        SELECT m.tenant_id, m.id, m.merchant_id, chosen.priority, chosen.turn
          FROM chosen JOIN message m ON m.tenant_id = chosen.tenant_id AND m.id = chosen.id
         WHERE m.completed_at IS NULL AND m.sweep_at <= :now
           FOR NO KEY UPDATE OF m SKIP LOCKED
    ), taken AS (
        UPDATE message m
           SET sweep_at = :now + LEAST(GREATEST(CAST(:grace AS interval), (:now - m.due_at) / 2),
                                       CAST(:longest AS interval))
          FROM stalled
          LEFT JOIN merchant ON merchant.tenant_id = stalled.tenant_id
                            AND merchant.id = stalled.merchant_id
         WHERE m.tenant_id = stalled.tenant_id AND m.id = stalled.id
        RETURNING {START}, stalled.priority, stalled.turn
    )
    SELECT * FROM taken ORDER BY priority, turn, message_id
    """  # noqa: S608 - every value is a parameter
)

_TYPES = tuple(MessageType)


async def take_unstarted(
    db: WriteSession, *, now: datetime, grace: timedelta, longest: timedelta, most: int
) -> Sequence[SendStart]:
    """Return messages of all tenants to start now, in order, and schedule their next sweep."""
    rows = await db.execute(
        _SWEEP_UNSTARTED,
        {
            "now": now,
            "grace": grace,
            "longest": longest,
            "most": most,
            "types": [str(kind) for kind in _TYPES],
            "priorities": [priority_of(kind) for kind in _TYPES],
        },
    )
    return [start_of(row) for row in rows]


_LOOK_AGAIN = text(
    """
    WITH quiet AS (
        SELECT m.tenant_id, m.id
          FROM message m
          JOIN unnest(CAST(:tenant_ids AS bigint[]), CAST(:message_ids AS bigint[]))
               AS named (tenant_id, id) ON named.tenant_id = m.tenant_id AND named.id = m.id
         WHERE m.completed_at IS NULL AND m.attempts = 0
           FOR NO KEY UPDATE OF m SKIP LOCKED
    )
    UPDATE message m
       SET sweep_at = CASE WHEN CAST(:later AS boolean) THEN GREATEST(m.sweep_at, :sweep_at)
                           ELSE CAST(:sweep_at AS timestamptz) END
      FROM quiet
     WHERE m.tenant_id = quiet.tenant_id AND m.id = quiet.id AND m.attempts = 0
    """
)


async def reschedule(
    db: WriteSession, messages: Collection[tuple[int, int]], sweep_at: datetime, *, later: bool
) -> None:
    """Set when messages without an attempt are swept next.

    Args:
        messages: ids of tenant and message.
        sweep_at: soon for a message that could not be started, later for one that was.
        later: only postpone, never advance.

    Messages that are locked by others are skipped: their next sweep is set there.
    """
    ids = {
        "tenant_ids": [tenant_id for tenant_id, _ in messages],
        "message_ids": [message_id for _, message_id in messages],
    }
    if messages:
        await db.execute(_LOOK_AGAIN, {**ids, "sweep_at": sweep_at, "later": later})


_IS_OPEN = text(
    """
    SELECT completed_at IS NULL FROM message WHERE tenant_id = :tenant_id AND id = :message_id
    """
)


async def is_open(db: ReadSession, *, tenant_id: int, message_id: int) -> bool:
    """Return whether a message is not completed."""
    found = await db.scalar(_IS_OPEN, {"tenant_id": tenant_id, "message_id": message_id})
    return bool(found)
