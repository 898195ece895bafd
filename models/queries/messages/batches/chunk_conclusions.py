"""Writes the outcome of calls that a provider accepted into their attempts, each at most once."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import text

from models.enums import AttemptState
from models.queries.messages.batches.chunk_claims import NUMBER
from models.queries.messages.conclude import Concluded
from models.rules.messages.delivery_events import storable_id
from models.session import WriteSession

# The same rules as `conclude` for one accepted attempt. Rows are locked by message id: first the
# attempts, then the messages. An attempt whose message has left the chunk has no
# `report_wait_until`, and gets none: a report must signal its own workflow.
_CONCLUDE = text(
    """
    WITH held AS MATERIALIZED (
        SELECT a.message_id, a.state, a.requested_at, a.provider_message_id, a.report_wait_until,
               answer.told_id,
               (SELECT min(r.reported_at) FROM receipt r
                 WHERE r.tenant_id = a.tenant_id AND r.message_id = a.message_id
                   AND r.attempt = a.number) AS since,
               EXISTS (SELECT 1 FROM receipt r
                        WHERE r.tenant_id = a.tenant_id AND r.message_id = a.message_id
                          AND r.applied_at IS NULL
                          AND r.status IN ('DELIVERED', 'UNDELIVERED', 'FAILED')) AS reported,
               EXISTS (SELECT 1 FROM attempt other
                        WHERE other.tenant_id = a.tenant_id AND other.provider = a.provider
                          AND other.account = a.account
                          AND other.provider_message_id = answer.told_id
                          AND (other.message_id, other.number) <> (a.message_id, a.number)
                      ) AS elsewhere
          FROM attempt a
          JOIN unnest(CAST(:message_ids AS bigint[]), CAST(:told_ids AS text[]))
               AS answer (message_id, told_id) ON answer.message_id = a.message_id
         WHERE a.tenant_id = :tenant_id AND a.number = :number
           AND a.message_id = ANY(CAST(:message_ids AS bigint[]))  -- whatever joins them
         ORDER BY a.message_id FOR NO KEY UPDATE OF a
    ), decided AS (
        SELECT held.*,
               CASE WHEN held.since IS NULL AND held.provider_message_id IS NULL
                         AND held.elsewhere
                    THEN 'AMBIGUOUS' ELSE 'ACCEPTED' END AS outcome
          FROM held
    ), concluded AS (
        UPDATE attempt
           SET state = decided.outcome,
               finished_at = CASE WHEN decided.since IS NULL THEN CAST(:now AS timestamptz)
                                  ELSE LEAST(:now, GREATEST(decided.since, decided.requested_at))
                                  END,
               lost_at = COALESCE(attempt.lost_at, CASE WHEN decided.outcome = 'AMBIGUOUS'
                                                        THEN CAST(:now AS timestamptz) END),
               provider_message_id = CASE WHEN decided.elsewhere
                                          THEN decided.provider_message_id
                                          ELSE COALESCE(decided.told_id,
                                                        decided.provider_message_id) END,
               error_code = NULL, everywhere = FALSE,
               report_wait_until = CASE WHEN decided.outcome = 'ACCEPTED'
                                             AND decided.report_wait_until IS NOT NULL
                                        THEN CAST(:report_wait_until AS timestamptz) END
          FROM decided
         WHERE tenant_id = :tenant_id AND attempt.message_id = decided.message_id
           AND number = :number AND decided.state IN ('REQUESTED', 'AMBIGUOUS')
        RETURNING attempt.message_id, attempt.state, attempt.finished_at
    ), locked AS MATERIALIZED (
        SELECT m.id FROM message m JOIN concluded ON concluded.message_id = m.id
         WHERE m.tenant_id = :tenant_id AND concluded.state = 'ACCEPTED'
         ORDER BY m.id FOR NO KEY UPDATE OF m
    ), sent AS (
        UPDATE message SET status = 'SENT', sent_at = concluded.finished_at
          FROM concluded JOIN locked ON locked.id = concluded.message_id
         WHERE tenant_id = :tenant_id AND message.id = concluded.message_id
           AND message.status = 'SENDING'
    )
    SELECT held.message_id, COALESCE(concluded.state, held.state) AS state, held.reported,
           held.elsewhere OR COALESCE(held.provider_message_id <> held.told_id, FALSE) AS mismatch
      FROM held LEFT JOIN concluded ON concluded.message_id = held.message_id
    """
)


async def conclude_accepted(
    db: WriteSession,
    *,
    tenant_id: int,
    provider_message_ids: Mapping[int, str | None],
    now: datetime,
    report_wait_until: datetime,
) -> dict[int, Concluded]:
    """Write that a provider has accepted members; return the state of each one's attempt.

    Args:
        provider_message_ids: the provider's id of each message, by row id.

    Raises:
        IntegrityError: two attempts got one id; nothing was written.
    """
    message_ids: Sequence[int] = sorted(provider_message_ids)
    rows = await db.execute(
        _CONCLUDE,
        {
            "tenant_id": tenant_id,
            "message_ids": message_ids,
            "told_ids": [storable_id(provider_message_ids[id]) for id in message_ids],
            "number": NUMBER,
            "now": now,
            "report_wait_until": report_wait_until,
        },
    )
    return {
        row.message_id: Concluded(
            state=AttemptState(row.state), reported=row.reported, mismatch=row.mismatch
        )
        for row in rows
    }
