"""Finding accepted messages that nobody may be working on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from models.enums import Channel, MessageType
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentMessage:
    """A message that is not completed and has been due and silent long enough to look after."""

    tenant_id: int
    message_id: int
    merchant_id: int
    merchant: str
    channel: Channel
    type: MessageType
    operation: str
    scope: str
    idempotency_key: str | None


# The gap grows with the age, so that a message waiting days for its report is seldom looked after;
# one that is not due yet is left alone until it is.
_SWEEP = text(
    """
    WITH silent AS (
        SELECT tenant_id, id, merchant_id FROM message
         WHERE completed_at IS NULL AND sweep_at <= :now
         ORDER BY sweep_at LIMIT :most FOR UPDATE SKIP LOCKED
    )
    UPDATE message m
       SET sweep_at = GREATEST(m.due_at, :now)
                    + LEAST(GREATEST(CAST(:grace AS interval), (:now - m.due_at) / 2),
                            CAST(:longest AS interval))
      FROM silent
      LEFT JOIN merchant ON merchant.tenant_id = silent.tenant_id
                        AND merchant.id = silent.merchant_id
     WHERE m.tenant_id = silent.tenant_id AND m.id = silent.id
    RETURNING m.tenant_id, m.id, COALESCE(m.merchant_id, 0) AS merchant_id,
              COALESCE(merchant.external_id, '') AS merchant, m.channel, m.type,
              m.operation, m.scope, m.idempotency_key
    """
)


async def take_silent(
    db: WriteSession, *, now: datetime, grace: timedelta, longest: timedelta, most: int
) -> Sequence[SilentMessage]:
    """Return messages of all tenants to look after now, and set when each is looked after next."""
    rows = await db.execute(_SWEEP, {"now": now, "grace": grace, "longest": longest, "most": most})
    return [
        SilentMessage(
            tenant_id=row.tenant_id,
            message_id=row.id,
            merchant_id=row.merchant_id,
            merchant=row.merchant,
            channel=Channel(row.channel),
            type=MessageType(row.type),
            operation=row.operation,
            scope=row.scope,
            idempotency_key=row.idempotency_key,
        )
        for row in rows
    ]


_IS_OPEN = text(
    """
    SELECT completed_at IS NULL FROM message WHERE tenant_id = :tenant_id AND id = :message_id
    """
)


async def is_open(db: ReadSession, *, tenant_id: int, message_id: int) -> bool:
    """Say whether a message has not ended."""
    found = await db.scalar(_IS_OPEN, {"tenant_id": tenant_id, "message_id": message_id})
    return bool(found)
