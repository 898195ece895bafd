"""Counting sends to limited destinations, in the transaction that accepts the send."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from models.rules.messages.destination_limits import Limit, seconds_to_wait
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """What a send is counted for: a contact, or a prefix for recipients that are new."""

    tenant_id: int
    merchant_id: int
    """Of a prefix; 0 for a contact."""
    destination_key: str
    limits: Sequence[Limit]
    """One or two."""


# The row is locked, so that sends at once are counted one after the other. A known recipient of a
# merchant is not counted for its prefix.
_COUNT = text(
    """
    WITH known AS MATERIALIZED (
        SELECT :merchant_id <> 0 AND EXISTS (
               SELECT 1 FROM message
                WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id
                  AND contact_key = :contact_key AND channel IN ('SMS', 'VOICE')
                  AND id <> :message_id AND status <> 'CANCELED') AS already
    ), counted AS (
        INSERT INTO destination_window AS w
               (tenant_id, merchant_id, destination_key, sent_at, expires_at)
        SELECT :tenant_id, :merchant_id, :destination_key, ARRAY[CAST(:now AS timestamptz)],
               CAST(:now AS timestamptz) + CAST(:longest AS interval)
          FROM known WHERE NOT already
        ON CONFLICT (tenant_id, merchant_id, destination_key) DO UPDATE
           SET sent_at = ARRAY(SELECT at FROM unnest(w.sent_at) AS at
                                WHERE at > CAST(:now AS timestamptz) - CAST(:longest AS interval))
                         || excluded.sent_at,
               expires_at = GREATEST(w.expires_at, excluded.expires_at)
         WHERE (SELECT count(*) FROM unnest(w.sent_at) AS at
                 WHERE at > CAST(:now AS timestamptz) - CAST(:first_span AS interval)) < :first_most
           AND (SELECT count(*) FROM unnest(w.sent_at) AS at
                 WHERE at > CAST(:now AS timestamptz) - CAST(:last_span AS interval)) < :last_most
        RETURNING 1
    )
    SELECT (SELECT already FROM known) OR EXISTS (SELECT 1 FROM counted)
    """
)

_SENT_AT = text(
    """
    SELECT sent_at FROM destination_window
     WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id
       AND destination_key = :destination_key
    """
)


async def count_send(
    db: WriteSession,
    destination: Destination,
    *,
    contact_key: str,
    message_id: int,
    now: datetime,
) -> int:
    """Count a send; return 0, or if it exceeds a limit the seconds until one more is allowed.

    What exceeds a limit is to be rolled back.
    """
    first, last = destination.limits[0], destination.limits[-1]
    place = {
        "tenant_id": destination.tenant_id,
        "merchant_id": destination.merchant_id,
        "destination_key": destination.destination_key,
    }
    allowed = await db.scalar(
        _COUNT,
        {
            **place,
            "contact_key": contact_key,
            "message_id": message_id,
            "now": now,
            "longest": max(first.span, last.span),
            "first_span": first.span,
            "first_most": first.most,
            "last_span": last.span,
            "last_most": last.most,
        },
    )
    if allowed:
        return 0
    sent_at: Sequence[datetime] = await db.scalar(_SENT_AT, place) or ()
    return seconds_to_wait(sent_at, destination.limits, now)


_DELETE_EXPIRED = text(
    """
    WITH old AS MATERIALIZED (
        SELECT tenant_id, merchant_id, destination_key FROM destination_window
         WHERE expires_at < :now ORDER BY expires_at LIMIT :most
           FOR UPDATE SKIP LOCKED
    ), deleted AS (
        DELETE FROM destination_window
         WHERE (tenant_id, merchant_id, destination_key) IN (
               SELECT tenant_id, merchant_id, destination_key FROM old)
        RETURNING 1
    )
    SELECT count(*) FROM deleted
    """
)


async def delete_expired(db: WriteSession, *, now: datetime, most: int) -> int:
    """Delete the windows whose times count no more; return how many were deleted."""
    return int(await db.scalar(_DELETE_EXPIRED, {"now": now, "most": most}) or 0)
