"""Counting sends to limited destinations, in the transaction that accepts the send."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import text

from models.rules.messages.destination_limits import Limit, SendTimes, seconds_to_wait
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

    @property
    def place(self) -> "Place":
        """Its key within the tenant."""
        return self.merchant_id, self.destination_key


Place: TypeAlias = tuple[int, str]
"""Merchant and key of a destination; rows are locked in this order."""


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


# A row is made where none is, so that there is one to lock: all are locked in one order.
_LOCK_WINDOWS = text(
    """
    INSERT INTO destination_window AS w
           (tenant_id, merchant_id, destination_key, sent_at, expires_at)
    SELECT :tenant_id, merchant_id, destination_key, '{}', :now
      FROM unnest(CAST(:merchants AS bigint[]), CAST(:keys AS text[]))
           AS wanted (merchant_id, destination_key)
     ORDER BY merchant_id, destination_key
    ON CONFLICT (tenant_id, merchant_id, destination_key) DO UPDATE SET expires_at = w.expires_at
    RETURNING merchant_id, destination_key, sent_at, expires_at
    """
)


async def lock_windows(
    db: WriteSession, tenant_id: int, places: Collection[Place], now: datetime
) -> dict[Place, SendTimes]:
    """Lock the times of sends to destinations, and return them; write them with `write_windows`.

    The rows are locked in the order in which single sends lock theirs.
    """
    named = {"tenant_id": tenant_id, **_keys_of(places), "now": now}
    rows = await db.execute(_LOCK_WINDOWS, named)
    return {
        (row.merchant_id, row.destination_key): SendTimes(
            sent_at=row.sent_at, expires_at=row.expires_at
        )
        for row in rows
    }


_KNOWN_RECIPIENTS = text(
    """
    SELECT wanted.contact_key
      FROM unnest(CAST(:contact_keys AS text[])) AS wanted (contact_key)
     WHERE EXISTS (SELECT 1 FROM message m
                    WHERE m.tenant_id = :tenant_id AND m.merchant_id = :merchant_id
                      AND m.contact_key = wanted.contact_key AND m.channel IN ('SMS', 'VOICE')
                      AND m.status <> 'CANCELED')
    """
)


async def known_recipients(
    db: WriteSession, *, tenant_id: int, merchant_id: int, contact_keys: Collection[str]
) -> set[str]:
    """Return the contacts that a merchant has sent to: they are not counted for its prefixes."""
    found = await db.scalars(
        _KNOWN_RECIPIENTS,
        {
            "tenant_id": tenant_id,
            "merchant_id": merchant_id,
            "contact_keys": list(contact_keys),
        },
    )
    return set(found)


_WRITE_WINDOWS = text(
    """
    UPDATE destination_window w SET sent_at = given.sent_at, expires_at = given.expires_at
      FROM json_to_recordset(CAST(:windows AS json)) AS given (
           merchant_id bigint, destination_key text, sent_at timestamptz[],
           expires_at timestamptz)
     WHERE w.tenant_id = :tenant_id AND w.merchant_id = given.merchant_id
       AND w.destination_key = given.destination_key
    """
)

_DELETE_UNUSED = text(
    """
    DELETE FROM destination_window
     WHERE tenant_id = :tenant_id AND (merchant_id, destination_key) IN (
           SELECT unused.merchant_id, unused.destination_key
             FROM unnest(CAST(:merchants AS bigint[]), CAST(:keys AS text[]))
                  AS unused (merchant_id, destination_key))
    """
)


async def write_windows(
    db: WriteSession, tenant_id: int, windows: Mapping[Place, SendTimes]
) -> None:
    """Write the times of sends to destinations that are locked; without times, delete the row."""
    unused = [place for place, times in windows.items() if not times.sent_at]
    if unused:
        await db.execute(_DELETE_UNUSED, {"tenant_id": tenant_id, **_keys_of(unused)})
    rows = [
        {
            "merchant_id": place[0],
            "destination_key": place[1],
            "sent_at": [at.isoformat() for at in times.sent_at],
            "expires_at": times.expires_at.isoformat(),
        }
        for place, times in windows.items()
        if times.sent_at
    ]
    if rows:
        await db.execute(_WRITE_WINDOWS, {"tenant_id": tenant_id, "windows": json.dumps(rows)})


def _keys_of(places: Collection[Place]) -> dict[str, list[Any]]:
    return {
        "merchants": [merchant for merchant, _ in places],
        "keys": [key for _, key in places],
    }


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
