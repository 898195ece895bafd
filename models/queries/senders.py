"""A merchant's numbers as senders: choosing another one, and what a campaign lets one do."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, text

from models.enums import Channel, DeliveryMode
from models.queries import limits, policy
from models.rules.registration_words import EntityType, UseCase
from models.rules.senders import OwnNumber, may_send
from models.rules.throughput import by_default
from models.session import WriteSession
from models.tables.messaging import Brand, Campaign, MessagingNumber


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
     WHERE tenant_id = :tenant_id AND number = :number AND merchant_id = :merchant_id
    RETURNING id
    """
)

_UNREGISTER = text(
    """
    UPDATE sender_number SET registered_at = NULL
     WHERE tenant_id = :tenant_id AND number = :number AND merchant_id = :merchant_id
    RETURNING id
    """
)


async def pace_by_campaign(db: WriteSession, row: MessagingNumber, *, now: datetime) -> bool:
    """Let a number send for the campaign it is ASSIGNED to, as fast as that allows.

    To be called in the transaction that writes ASSIGNED, with the row locked; twice is once. False
    if the number is not the merchant's to send from. Its limit of calls stays as it is.
    """
    if await db.scalar(_REGISTER, {**_owned(row), "now": now}) is None:
        return False
    rate = await _throughput(db, row)
    return await limits.limit(db, row.number, {Channel.SMS: rate})


async def _throughput(db: WriteSession, row: MessagingNumber) -> Decimal | None:
    """Return what the registry told of a number's campaign, else what such campaigns get."""
    campaign = await db.get(Campaign, (row.tenant_id, row.campaign_id))
    if campaign is None:
        return None
    if campaign.segments_per_second is not None:
        return campaign.segments_per_second
    brand = await db.get(Brand, (row.tenant_id, campaign.brand_id))
    entity_type = None if brand is None else EntityType(brand.profile["entity_type"])
    return by_default(UseCase(campaign.profile["use_case"]), entity_type)


async def forget_campaign(db: WriteSession, row: MessagingNumber) -> bool:
    """Take back what `pace_by_campaign` gave, once a number is to be ASSIGNED no more.

    What waits to be sent from it is given another number when it is dispatched.
    """
    if await db.scalar(_UNREGISTER, _owned(row)) is None:
        return False
    return await limits.limit(db, row.number, {Channel.SMS: None})


def _owned(row: MessagingNumber) -> dict[str, Any]:
    return {"tenant_id": row.tenant_id, "merchant_id": row.merchant_id, "number": row.number}
