"""The members of a chunk: who may be settled, who leaves, and what is left."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from models.queries.messages.batches.chunk_claims import NUMBER
from models.queries.messages.identity import START, start_of
from models.rules.messages.identity import SendStart
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMembers:
    """The members that are not completed, by row id."""

    unsent: Sequence[int]
    """Without an attempt."""
    unanswered: Sequence[int]
    """With an attempt whose outcome is not stored, or is not that a provider accepted it."""
    settleable: Sequence[int]
    """With a stored final report, or accepted by an account that reports nothing."""
    awaited: Sequence[int]
    """Accepted, without a final report."""

    def __bool__(self) -> bool:
        return bool(self.unsent or self.unanswered or self.settleable or self.awaited)


_OPEN = text(
    """
    SELECT m.id, m.attempts,
           EXISTS (SELECT 1 FROM attempt a
                    WHERE a.tenant_id = m.tenant_id AND a.message_id = m.id
                      AND a.state = 'ACCEPTED') AS accepted,
           EXISTS (SELECT 1 FROM attempt a
                    WHERE a.tenant_id = m.tenant_id AND a.message_id = m.id
                      AND a.state = 'ACCEPTED' AND a.account = ANY(CAST(:silent AS text[])))
           OR EXISTS (SELECT 1 FROM receipt r
                       WHERE r.tenant_id = m.tenant_id AND r.message_id = m.id
                         AND r.applied_at IS NULL
                         AND r.status IN ('DELIVERED', 'UNDELIVERED', 'FAILED')) AS reported
      FROM message m
     WHERE m.tenant_id = :tenant_id AND m.chunk_id = :chunk_id AND m.completed_at IS NULL
     ORDER BY m.id
    """
)


async def open_members(
    db: ReadSession, *, tenant_id: int, chunk_id: int, silent: Collection[str]
) -> OpenMembers:
    """Return the members that are not completed; `silent` are the accounts that report nothing."""
    named = {"tenant_id": tenant_id, "chunk_id": chunk_id, "silent": sorted(silent)}
    rows = (await db.execute(_OPEN, named)).all()
    return OpenMembers(
        unsent=[row.id for row in rows if not row.attempts],
        unanswered=[row.id for row in rows if row.attempts and not row.accepted],
        settleable=[row.id for row in rows if row.accepted and row.reported],
        awaited=[row.id for row in rows if row.accepted and not row.reported],
    )


# The attempts are changed in the same transaction as `chunk_id`, and storing a report locks the
# attempt: so a report is either stored before the member's own workflow starts, which reads it, or
# it signals that workflow. Lock order as in a conclusion: attempts, then messages, by message id.
_RELEASE_REPORTS = text(
    """
    WITH held AS MATERIALIZED (
        SELECT message_id FROM attempt
         WHERE tenant_id = :tenant_id AND message_id = ANY(CAST(:message_ids AS bigint[]))
           AND number = :number AND report_wait_until IS NOT NULL
         ORDER BY message_id FOR NO KEY UPDATE
    )
    UPDATE attempt SET report_wait_until = NULL
      FROM held
     WHERE tenant_id = :tenant_id AND attempt.message_id = held.message_id AND number = :number
    """
)

_LEAVE = text(
    f"""
    WITH held AS MATERIALIZED (
        SELECT id, merchant_id FROM message
         WHERE tenant_id = :tenant_id AND id = ANY(CAST(:message_ids AS bigint[]))
           AND chunk_id = :chunk_id AND completed_at IS NULL
         ORDER BY id FOR NO KEY UPDATE
    )
    UPDATE message m
       SET chunk_id = NULL, sweep_at = :now,
           ready_at = CASE WHEN m.attempts = 0 THEN CAST(:now AS timestamptz) END
      FROM held
      LEFT JOIN merchant ON merchant.tenant_id = :tenant_id AND merchant.id = held.merchant_id
     WHERE m.tenant_id = :tenant_id AND m.id = held.id
    RETURNING {START}
    """  # noqa: S608 - every value is a parameter
)


async def leave(
    db: WriteSession, *, tenant_id: int, chunk_id: int, message_ids: Sequence[int], now: datetime
) -> list[SendStart]:
    """Take members out of their chunk; return what starts a workflow of their own for each.

    Until that is started, the sweeper looks after them at once.
    """
    ids = {"tenant_id": tenant_id, "message_ids": list(message_ids)}
    await db.execute(_RELEASE_REPORTS, {**ids, "number": NUMBER})
    rows = await db.execute(_LEAVE, {**ids, "chunk_id": chunk_id, "now": now})
    return sorted((start_of(row) for row in rows), key=lambda send: send.message_id)
