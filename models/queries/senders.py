"""A merchant's numbers as senders: choosing another one, and what a campaign lets one do."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text

from models.enums import Channel, DeliveryMode
from models.queries import limits, policy
from models.rules.senders import OwnNumber, may_send
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSender:
    """The number a waiting message is sent from instead of one that may not be used any more."""

    number: str = field(repr=False)
    sender_id: int
    per_second: Decimal | None


def fits(row: Row[Any], *, channel: Channel, answer: bool) -> bool:
    """Say whether a message's sender may still be used, by what a dispatch reads of it.

    A pool number may be as long as it is the tenant's, an own number while it is the merchant's
    and registered where that is needed. An answer comes from the number that was texted, whatever
    became of its campaign. Mail has no number.
    """
    if channel is Channel.EMAIL:
        return True
    if row.sender_id is None:
        return False
    if row.owner_id is None or answer:
        return True
    if row.owner_id != row.merchant_id:
        return False
    number = OwnNumber(number=row.sender, registered=row.registered_at is not None)
    return may_send(number, channel=channel, mode=DeliveryMode(row.delivery_mode))


_MOVE = text(
    """
    WITH moved AS (
        UPDATE message SET sender = :sender
         WHERE tenant_id = :tenant_id AND id = :message_id
    ), left_line AS (
        DELETE FROM sender_line WHERE tenant_id = :tenant_id AND message_id = :message_id
    )
    SELECT id, CASE CAST(:channel AS varchar)
                    WHEN 'VOICE' THEN calls_per_second ELSE segments_per_second END AS per_second
      FROM sender_number WHERE tenant_id = :tenant_id AND number = :sender
    """
)


async def choose_anew(
    db: WriteSession, *, tenant_id: int, message_id: int, merchant: str, channel: Channel, key: str
) -> NewSender | None:
    """Give a waiting message another sender, and its place in the old one's line up.

    The caller holds the message's lock, and no attempt of it may be open or accepted: then nothing
    was sent from the old number, and a STOP to it is not about this message. None if the merchant
    has no number that may be used; the message stays as it is.
    """
    found = await policy.find_policy(
        db, tenant_id=tenant_id, merchant=merchant, channel=channel, contact_keys=[key]
    )
    if found is None or found.sender is None:
        return None
    ids = {"tenant_id": tenant_id, "message_id": message_id, "channel": channel}
    row = (await db.execute(_MOVE, {**ids, "sender": found.sender})).one_or_none()
    if row is None:  # it was taken away between the two statements
        return None
    return NewSender(number=found.sender, sender_id=row.id, per_second=row.per_second)


_REGISTER = text(
    """
    UPDATE sender_number SET registered_at = COALESCE(registered_at, :now)
     WHERE tenant_id = :tenant_id AND number = :number
    RETURNING id
    """
)

_UNREGISTER = text(
    """
    UPDATE sender_number SET registered_at = NULL
     WHERE tenant_id = :tenant_id AND number = :number
    RETURNING id
    """
)


async def pace_by_campaign(
    db: WriteSession,
    *,
    tenant_id: int,
    number: str,
    segments_per_second: Decimal,
    now: datetime,
) -> bool:
    """Let a number send for a campaign it is ASSIGNED to, as fast as that allows.

    To be called in the transaction that writes ASSIGNED; twice is once. False if the number is not
    the tenant's. Its limit of calls stays as it is.
    """
    known = await db.scalar(_REGISTER, {"tenant_id": tenant_id, "number": number, "now": now})
    if known is None:
        return False
    return await limits.limit(db, number, {Channel.SMS: segments_per_second})


async def forget_campaign(db: WriteSession, *, tenant_id: int, number: str) -> bool:
    """Take back what `pace_by_campaign` gave, once a number is not ASSIGNED any more.

    What waits to be sent from it is given another number when it is dispatched.
    """
    known = await db.scalar(_UNREGISTER, {"tenant_id": tenant_id, "number": number})
    if known is None:
        return False
    return await limits.limit(db, number, {Channel.SMS: None})


_LEAVE = text(
    """
    DELETE FROM sender_line USING sender_number number
     WHERE number.tenant_id = :tenant_id AND number.number = :number
       AND sender_line.tenant_id = number.tenant_id AND sender_line.sender_id = number.id
    """
)

_RETIRE = text("DELETE FROM sender_number WHERE tenant_id = :tenant_id AND number = :number")


async def retire(db: WriteSession, *, tenant_id: int, number: str) -> None:
    """Take a number away from those who send from it, its line with it.

    Who stood in line asks again within a minute, and is given another number.
    """
    ids = {"tenant_id": tenant_id, "number": number}
    await db.execute(_LEAVE, ids)
    await db.execute(_RETIRE, ids)
