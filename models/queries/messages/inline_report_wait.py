"""Attempts whose worker polls for the report itself, so that reports do not signal the workflow."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedAttempt:
    """An accepted attempt whose report is polled for."""

    tenant_id: int
    message_id: int
    attempt: int


_REPORTED = text(
    """
    SELECT waiting.tenant_id, waiting.message_id, waiting.attempt
      FROM unnest(CAST(:tenants AS bigint[]), CAST(:messages AS bigint[]),
                  CAST(:attempts AS smallint[])) AS waiting (tenant_id, message_id, attempt)
     WHERE EXISTS (SELECT 1 FROM receipt r
                    WHERE r.tenant_id = waiting.tenant_id AND r.message_id = waiting.message_id
                      AND r.applied_at IS NULL
                      AND r.status IN ('DELIVERED', 'UNDELIVERED', 'FAILED'))
    """
)


async def reported(db: ReadSession, waiting: Sequence[AwaitedAttempt]) -> list[AwaitedAttempt]:
    """Return the attempts whose messages have a stored final report."""
    rows = await db.execute(
        _REPORTED,
        {
            "tenants": [awaited_inline.tenant_id for awaited_inline in waiting],
            "messages": [awaited_inline.message_id for awaited_inline in waiting],
            "attempts": [awaited_inline.attempt for awaited_inline in waiting],
        },
    )
    return [
        AwaitedAttempt(tenant_id=row.tenant_id, message_id=row.message_id, attempt=row.attempt)
        for row in rows
    ]


# Storing a report holds the attempt's row lock until it commits. So the report is either seen by
# the query after this, or it finds the row no longer awaited and signals the workflow.
_LEAVE = text(
    """
    UPDATE attempt SET report_wait_until = NULL
     WHERE tenant_id = :tenant_id AND message_id = :message_id AND number = :attempt
    """
)


async def leave(db: WriteSession, awaited_inline: AwaitedAttempt) -> bool:
    """Stop awaiting an attempt inline; return whether its message has a stored final report."""
    await db.execute(
        _LEAVE,
        {
            "tenant_id": awaited_inline.tenant_id,
            "message_id": awaited_inline.message_id,
            "attempt": awaited_inline.attempt,
        },
    )
    return awaited_inline in await reported(ReadSession(db), [awaited_inline])
