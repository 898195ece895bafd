"""Counts the failures of an activity caused by its message."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class NotedFailure:
    """Number of failures, and whether a provider has the message or may have it."""

    failures: int
    open: bool
    """An attempt has no outcome."""
    taken: bool


# Deterministic failures follow each other closely; after a longer pause the count restarts, because
# the activity succeeded in between.
_NOTE = text(
    """
    INSERT INTO step_failure AS known
           (tenant_id, message_id, step, failures, reason, first_at, last_at)
    VALUES (:tenant_id, :message_id, :step, 1, :reason, :now, :now)
        ON CONFLICT (tenant_id, message_id, step) DO UPDATE
       SET failures = CASE WHEN known.last_at < excluded.last_at - interval '2 hours' THEN 1
                           ELSE LEAST(known.failures, 1000000) + 1 END,
           first_at = CASE WHEN known.last_at < excluded.last_at - interval '2 hours'
                           THEN excluded.first_at ELSE known.first_at END,
           reason = excluded.reason, last_at = excluded.last_at
    RETURNING failures,
              EXISTS (SELECT 1 FROM attempt a
                       WHERE a.tenant_id = :tenant_id AND a.message_id = :message_id
                         AND a.state IN ('REQUESTED', 'AMBIGUOUS')) AS open,
              EXISTS (SELECT 1 FROM attempt a
                       WHERE a.tenant_id = :tenant_id AND a.message_id = :message_id
                         AND a.state = 'ACCEPTED')
                OR EXISTS (SELECT 1 FROM receipt r
                            WHERE r.tenant_id = :tenant_id AND r.message_id = :message_id)
                   AS taken
    """
)

_FORGET = text(
    """
    DELETE FROM step_failure
     WHERE tenant_id = :tenant_id AND message_id = :message_id AND step = :step
    """
)


async def note(
    db: WriteSession, *, tenant_id: int, message_id: int, step: str, reason: str, now: datetime
) -> NotedFailure:
    """Count one failure, in its own transaction, because the activity's is rolled back."""
    row = (
        await db.execute(
            _NOTE,
            {
                "tenant_id": tenant_id,
                "message_id": message_id,
                "step": step,
                "reason": reason[:64],
                "now": now,
            },
        )
    ).one()
    return NotedFailure(failures=row.failures, open=row.open, taken=row.taken)


async def forget(db: WriteSession, *, tenant_id: int, message_id: int, step: str) -> None:
    """Delete the count after a success."""
    await db.execute(_FORGET, {"tenant_id": tenant_id, "message_id": message_id, "step": step})
