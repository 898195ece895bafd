"""Closes the days of a tenant: due days, reasons that keep one open, and the row that closes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import text

from models.enums import UnpricedReason
from models.queries.billing.usage_days import lock_day, wait_briefly
from models.session import ReadSession, WriteSession

_TENANTS: Final = text("SELECT id FROM tenant WHERE id > :after ORDER BY id LIMIT :most")

SINCE: Final = """
    SELECT CAST(created_at AT TIME ZONE 'UTC' AS date) - 1 AS day
      FROM tenant WHERE id = :tenant_id
"""
"""SQL of the first day a tenant can use: the day before its creation, to allow for a clock that is
up to a day slow. An earlier day written by a slower clock is closed when it is found.
"""


def unsettled(first: str, last: str) -> str:
    """Return the SQL of messages that keep the days from first to last open.

    They are not terminal, and a provider accepted them on such a day, or may have. An attempt that
    was certainly not accepted keeps no day open: its message waits again. The query uses
    `ix_message_tried`; a message is accepted before its attempts, but clocks may differ.
    """
    return f"""
        SELECT 1 FROM message m
          JOIN attempt a ON a.tenant_id = m.tenant_id AND a.message_id = m.id
         WHERE m.tenant_id = :tenant_id AND m.completed_at IS NULL AND m.attempts > 0
           AND m.accepted_at < CAST({last} + 2 AS timestamp) AT TIME ZONE 'UTC'
           AND a.state IN ('REQUESTED', 'AMBIGUOUS', 'ACCEPTED')
           AND a.requested_at >= CAST({first} AS timestamp) AT TIME ZONE 'UTC'
           AND a.requested_at < CAST({last} + 1 AS timestamp) AT TIME ZONE 'UTC'
    """  # noqa: S608 - no input in it


def _held(day: str) -> str:
    """Return the SQL of the reason that keeps a day open."""
    return f"""
        CASE WHEN EXISTS ({unsettled(day, day)}) THEN 'UNSETTLED'
             ELSE COALESCE({", ".join(f"({_gap(day, gap)})" for gap in (*UnpricedReason, None))})
        END
    """


def _gap(day: str, gap: UnpricedReason | None) -> str:
    """Return the SQL of a gap's name, if a record of the day has it; one index probe."""
    told, which = ("PROVISIONAL", "IS NULL") if gap is None else (gap, f"= '{gap}'")
    return f"""
        SELECT '{told}' FROM usage_record record
         WHERE record.tenant_id = :tenant_id AND record.state = 'PROVISIONAL'
           AND record.gap {which} AND record.day = {day} LIMIT 1
    """  # noqa: S608 - no input in it


_HELD: Final = text(f"SELECT {_held('CAST(:day AS date)')}")

# Empty days get a row too, so that no code has to decide without a lock whether an empty day may
# still be written to.
_DUE: Final = text(
    f"""
    WITH since AS ({SINCE}), days AS (
        SELECT CAST(midnight AS date) AS day
          FROM since, generate_series(CAST(since.day AS timestamp), CAST(:last AS timestamp),
                                      interval '1 day') AS midnight
         UNION
        SELECT usage.day FROM usage_day usage, since
         WHERE usage.tenant_id = :tenant_id AND usage.day < since.day
           AND usage.day <= CAST(:last AS date)
    )
    SELECT day, {_held("days.day")} AS held FROM days
     WHERE NOT EXISTS (SELECT 1 FROM usage_closing closing
                        WHERE closing.tenant_id = :tenant_id AND closing.day = days.day)
     ORDER BY day
    """  # noqa: S608 - no input in it
)


_CLOSE: Final = text(
    """
    INSERT INTO usage_closing (tenant_id, day, closed_at) VALUES (:tenant_id, :day, :now)
    ON CONFLICT DO NOTHING
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDay:
    """A past day that is not closed; `held` is UNSETTLED, a reason for a missing price, or None."""

    day: date
    held: str | None


async def find_tenants(db: ReadSession, *, after: int, most: int) -> Sequence[int]:
    """Return the ids of tenants above an id, in order."""
    return (await db.scalars(_TENANTS, {"after": after, "most": most})).all()


async def find_due(db: ReadSession, *, tenant_id: int, last: date) -> Sequence[DueDay]:
    """Return every day of a tenant up to `last` that is not closed, the oldest first.

    These are the days since the tenant's creation, and earlier days with usage.
    """
    rows = await db.execute(_DUE, {"tenant_id": tenant_id, "last": last})
    return [DueDay(day=row.day, held=row.held) for row in rows]


async def close_day(db: WriteSession, *, tenant_id: int, day: date, now: datetime) -> str | None:
    """Close a day, or return why it stays open. Idempotent.

    Writers to a day hold its lock shared. With the exclusive lock everything written to the day is
    committed and visible, and later writers see that it is closed.
    """
    await wait_briefly(db)
    await lock_day(db, tenant_id=tenant_id, day=day, alone=True)
    held: str | None = await db.scalar(_HELD, {"tenant_id": tenant_id, "day": day})
    if held is None:
        await db.execute(_CLOSE, {"tenant_id": tenant_id, "day": day, "now": now})
    return held
