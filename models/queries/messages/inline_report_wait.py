"""Attempts whose worker looks for the report by itself, so that nobody signals its workflow."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitedAttempt:
    """An attempt that was just taken, and whose report is looked for."""

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
    """Return those of whose messages a last word is stored."""
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


# Whoever stores a report holds the attempt's row shared until it commits: it is either seen by the
# look after this, or it comes to a row that nobody attends any more, and signals.
_LEAVE = text(
    """
    UPDATE attempt SET report_wait_until = NULL
     WHERE tenant_id = :tenant_id AND message_id = :message_id AND number = :attempt
    """
)


async def leave(db: WriteSession, awaited_inline: AwaitedAttempt) -> bool:
    """Stop attending an attempt; say whether a last word on its message is stored by now."""
    await db.execute(
        _LEAVE,
        {
            "tenant_id": awaited_inline.tenant_id,
            "message_id": awaited_inline.message_id,
            "attempt": awaited_inline.attempt,
        },
    )
    return awaited_inline in await reported(ReadSession(db), [awaited_inline])
