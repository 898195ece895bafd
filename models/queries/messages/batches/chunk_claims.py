"""Locks, reads and claims the members of a chunk that have no attempt yet.

A member has one attempt at most: what needs another one has left the chunk.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text

from models.enums import Channel
from models.queries.consent.consents import CONTACT_LOCK
from models.queries.messages.dispatch import Dispatchable, NotClaimable, dispatchable, reading
from models.queries.messages.equal_texts import EQUAL_KEY
from models.queries.messages.message_sender import own_sender
from models.session import WriteSession

NUMBER: Final = 1
"""Number of a member's attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member under its lock, without an attempt."""

    message_id: int
    found: Dispatchable


# Lock order: the messages by id, then their contacts' consent by the key of the lock. Each part
# reads all of the one before, so no contact is locked before the last message is.
_LOCK = text(
    f"""
    WITH held AS MATERIALIZED (
        SELECT id, COALESCE(merchant_id, 0) AS merchant_id, channel, contact_key
          FROM message
         WHERE tenant_id = :tenant_id AND chunk_id = :chunk_id
           AND completed_at IS NULL AND attempts = 0
           AND NOT id = ANY(CAST(:besides AS bigint[]))
         ORDER BY id LIMIT :most FOR NO KEY UPDATE
    ), wanted AS MATERIALIZED (
        SELECT DISTINCT {CONTACT_LOCK} AS contact FROM held ORDER BY contact
    ), locked AS MATERIALIZED (
        SELECT pg_advisory_xact_lock_shared(contact) FROM wanted
    )
    SELECT ARRAY(SELECT id FROM held ORDER BY id) AS ids, (SELECT count(*) FROM locked) AS contacts
    """  # noqa: S608 - every value is a parameter
)

_READ = text(
    reading(which="m.id = ANY(CAST(:message_ids AS bigint[]))", keys="ARRAY[m.contact_key]")
)


async def lock_unsent(
    db: WriteSession, *, tenant_id: int, chunk_id: int, most: int, besides: Sequence[int] = ()
) -> list[Member]:
    """Lock members without an attempt and read them, the lowest id first.

    Their contacts are locked too, shared; an opt-out takes the exclusive lock. So either the
    attempts are committed first, or the opt-out is seen here. A further recipient of an e-mail is
    neither locked nor read: such a message must not be claimed here. Nor may a member whose sender
    does not fit: it keeps its sender.

    Args:
        besides: ids of members that are left out.
    """
    named = {"tenant_id": tenant_id, "chunk_id": chunk_id, "most": most, "besides": list(besides)}
    ids = (await db.execute(_LOCK, named)).one().ids
    if not ids:
        return []
    read_since = time.monotonic()
    rows = await db.execute(_READ, {"tenant_id": tenant_id, "message_ids": ids})
    members = []
    for row in rows:
        sender = own_sender(row, tenant_id, Channel(row.channel), read_since)
        found = dispatchable(row, (), sender, contacts=1)
        members.append(Member(message_id=row.message_id, found=found))
    return sorted(members, key=lambda member: member.message_id)


_CLAIM = text(
    f"""
    WITH claimed AS (
        UPDATE message
           SET status = 'SENDING', attempts = :number, provider = :provider,
               account = :account, ready_at = NULL,
               sweep_at = CAST(:now AS timestamptz) + CAST(:grace AS interval)
         WHERE tenant_id = :tenant_id AND id = ANY(CAST(:message_ids AS bigint[]))
           AND attempts = 0 AND status IN ('QUEUED', 'SCHEDULED')
        RETURNING id, CASE WHEN :listed THEN {EQUAL_KEY} END AS equal_key
    )
    INSERT INTO attempt
           (tenant_id, message_id, number, provider, account, state, requested_at, deadline,
            everywhere, report_wait_until, equal_key)
    SELECT :tenant_id, claimed.id, :number, :provider, :account, 'REQUESTED', :now, :deadline,
           FALSE, :report_wait_until, claimed.equal_key
      FROM claimed ORDER BY claimed.id
    RETURNING message_id
    """  # noqa: S608 - every value is a parameter
)


async def claim(
    db: WriteSession,
    *,
    tenant_id: int,
    message_ids: Sequence[int],
    provider: str,
    account: str,
    now: datetime,
    deadline: datetime,
    grace: timedelta,
    listed: bool,
    report_wait_until: datetime,
) -> None:
    """Write a REQUESTED attempt of each member before its call; the caller holds their locks.

    The chunk looks for reports until `report_wait_until` or until the member leaves: no report
    signals a workflow. `listed` as in a single claim.

    Raises:
        NotClaimable: a bug.
    """
    claimed = await db.execute(
        _CLAIM,
        {
            "tenant_id": tenant_id,
            "message_ids": list(message_ids),
            "number": NUMBER,
            "provider": provider,
            "account": account,
            "now": now,
            "deadline": deadline,
            "grace": grace,
            "listed": listed,
            "report_wait_until": report_wait_until,
        },
    )
    if len(claimed.all()) != len(message_ids):
        raise NotClaimable
