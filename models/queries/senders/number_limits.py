"""Changes the rate limits of a number, also while it is sending."""

from decimal import Decimal

from sqlalchemy import text

from models.enums import Channel
from models.rules.senders import pacing
from models.session import WriteSession

# The same lock as for reserving a slot. Over all tenants: a number belongs to one tenant.
_LOCK = text(
    """
    SELECT tenant_id, id, segments_per_second, calls_per_second
      FROM sender_number WHERE number = :number
       FOR NO KEY UPDATE
    """
)

_LAST = text(
    """
    SELECT granted_at, units FROM sender_queue
     WHERE tenant_id = :tenant_id AND sender_id = :sender_id AND channel = :channel
       AND granted_at > clock_timestamp()
     ORDER BY granted_at DESC LIMIT 1
    """
)

_SET = {
    Channel.SMS: text(
        """
        UPDATE sender_number SET segments_per_second = :rate, next_segment_at = :free_at
         WHERE tenant_id = :tenant_id AND id = :sender_id
        """
    ),
    Channel.VOICE: text(
        """
        UPDATE sender_number SET calls_per_second = :rate, next_call_at = :free_at
         WHERE tenant_id = :tenant_id AND id = :sender_id
        """
    ),
}


async def limit(db: WriteSession, number: str, rates: dict[Channel, Decimal | None]) -> bool:
    """Set a number's limits, None for no limit; return whether the number exists.

    The next free slot was computed with the old limit and is reset, except for slots that are
    granted and still ahead: the sender is free after the last of them. Idempotent: setting the same
    limit again changes nothing.
    """
    locked = (await db.execute(_LOCK, {"number": number})).one_or_none()
    if locked is None:
        return False
    known = {
        Channel.SMS: locked.segments_per_second,
        Channel.VOICE: locked.calls_per_second,
    }
    sender = {"tenant_id": locked.tenant_id, "sender_id": locked.id}
    for channel, rate in rates.items():
        if rate == known[channel]:
            continue
        last = (await db.execute(_LAST, {**sender, "channel": channel})).one_or_none()
        free_at = None if last is None else last.granted_at + pacing.gap(last.units, rate)
        await db.execute(_SET[channel], {**sender, "rate": rate, "free_at": free_at})
    return True
