"""Writes the outcome of a call to a provider into its attempt, at most once."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from models.enums import AttemptState, ErrorCode
from models.rules.messages.delivery_events import storable_code, storable_id
from models.session import WriteSession

# A report about this attempt outweighs a lost answer or an absence. One that was committed while
# the lock was waited for shows in the id that it gave the attempt. The row is locked before it is
# read: after a wait for another conclusion this statement must see it, and a plain select would
# still see the attempt as it was before the wait. An id that belongs to another attempt proves
# nothing. The provider's own answer outweighs an id that was only reported.
_CONCLUDE = text(
    """
    WITH told AS (
        SELECT (SELECT min(reported_at) FROM receipt
                 WHERE tenant_id = :tenant_id AND message_id = :message_id
                   AND attempt = :number) AS since,
               EXISTS (SELECT 1 FROM receipt
                        WHERE tenant_id = :tenant_id AND message_id = :message_id
                          AND applied_at IS NULL
                          AND status IN ('DELIVERED', 'UNDELIVERED', 'FAILED')) AS reported
    ), held AS (
        SELECT state, requested_at, provider_message_id,
               EXISTS (SELECT 1 FROM attempt other
                        WHERE other.tenant_id = attempt.tenant_id
                          AND other.provider = attempt.provider
                          AND other.account = attempt.account
                          AND other.provider_message_id = CAST(:provider_message_id AS text)
                          AND (other.message_id, other.number) <> (:message_id, :number)
                      ) AS elsewhere
          FROM attempt
         WHERE tenant_id = :tenant_id AND message_id = :message_id AND number = :number
           FOR NO KEY UPDATE
    ), decided AS (
        SELECT CASE WHEN told.since IS NULL AND held.provider_message_id IS NULL
                    THEN CASE WHEN held.elsewhere THEN 'AMBIGUOUS' ELSE CAST(:state AS text) END
                    WHEN CAST(:state AS text) IN ('AMBIGUOUS', 'ABSENT') THEN 'ACCEPTED'
                    ELSE CAST(:state AS text) END AS state
          FROM told, held
    ), concluded AS (
        UPDATE attempt
           SET state = decided.state,
               finished_at = CASE WHEN told.since IS NULL THEN CAST(:now AS timestamptz)
                                  ELSE LEAST(:now, GREATEST(told.since, held.requested_at)) END,
               lost_at = COALESCE(attempt.lost_at,
                                  CASE WHEN 'AMBIGUOUS' IN (CAST(:state AS text), decided.state)
                                       THEN CAST(:now AS timestamptz) END),
               provider_message_id = CASE WHEN held.elsewhere THEN held.provider_message_id
                                          ELSE COALESCE(:provider_message_id,
                                                        held.provider_message_id) END,
               error_code = :error_code, everywhere = :everywhere,
               provider_code = COALESCE(:provider_code, provider_code),
               report_wait_until = CASE WHEN decided.state = 'ACCEPTED' AND NOT told.reported
                                     THEN CAST(:report_wait_until AS timestamptz) END
          FROM told, held, decided
         WHERE tenant_id = :tenant_id AND message_id = :message_id AND number = :number
           AND held.state IN ('REQUESTED', 'AMBIGUOUS')
        RETURNING attempt.state, attempt.finished_at
    ), sent AS (
        UPDATE message SET status = 'SENT', sent_at = concluded.finished_at
          FROM concluded
         WHERE tenant_id = :tenant_id AND id = :message_id
           AND concluded.state = 'ACCEPTED' AND message.status = 'SENDING'
    )
    SELECT COALESCE((SELECT state FROM concluded), held.state) AS state,
           (SELECT reported FROM told) AS reported,
           held.elsewhere OR COALESCE(held.provider_message_id <> :provider_message_id, FALSE)
           AS mismatch
      FROM held
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concluded:
    """State of an attempt after its outcome was written."""

    state: AttemptState
    reported: bool
    mismatch: bool
    """The provider's id belongs to another attempt, or a report named another id."""


async def conclude(
    db: WriteSession,
    *,
    tenant_id: int,
    message_id: int,
    number: int,
    state: AttemptState,
    now: datetime,
    provider_message_id: str | None = None,
    error_code: ErrorCode | None = None,
    everywhere: bool = False,
    provider_code: str | None = None,
    report_wait_until: datetime | None = None,
) -> Concluded:
    """Write an attempt's outcome, once: an attempt that is no longer open keeps its state.

    An accepted attempt counts as accepted at its first report, which may precede the loss of its
    answer. Until `report_wait_until` the worker polls for the report itself. If the provider's id
    belongs to another attempt, the attempt becomes AMBIGUOUS and keeps its id.

    Raises:
        IntegrityError: another attempt got the id concurrently; nothing was written.
    """
    row = (
        await db.execute(
            _CONCLUDE,
            {
                "tenant_id": tenant_id,
                "message_id": message_id,
                "number": number,
                "state": state,
                "now": now,
                "provider_message_id": storable_id(provider_message_id),
                "error_code": error_code,
                "everywhere": everywhere,
                "provider_code": storable_code(provider_code),
                "report_wait_until": report_wait_until,
            },
        )
    ).one()
    return Concluded(state=AttemptState(row.state), reported=row.reported, mismatch=row.mismatch)
