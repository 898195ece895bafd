"""A merchant's numbers as senders: choice of another one, and the throughput by campaign."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Row, select, text
from sqlmodel import col

from models.enums import Channel, DeliveryMode
from models.queries.senders import number_limits
from models.queries.senders.candidates import AccountSenders
from models.queries.senders.chosen_sender import find_sender
from models.rules.registration.vocabulary import EntityType, RegistrationState, UseCase
from models.rules.senders.campaign_throughput import by_default, shares
from models.rules.senders.sender_choice import OwnNumber, exists, may_send
from models.session import WriteSession
from models.tables.messaging import Brand, Campaign, MessagingNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSender:
    """The number that a waiting message is sent from instead of one that may no longer be used."""

    number: str = field(repr=False)
    account: str | None
    sender_id: int
    sender_public_id: int
    per_second: Decimal | None


def fits(row: Row[Any], *, channel: Channel, answer: bool) -> bool:
    """Return whether a message's sender may still be used, by the row that a dispatch reads.

    A pool number must belong to the tenant, an own number to the merchant and be ready where
    required. An answer is sent from the number that received the text, whatever the state of its
    campaign. A number that is being bought, or of the other delivery mode, may not be used. E-mail
    has no number.
    """
    if channel is Channel.EMAIL:
        return True
    mode = DeliveryMode(row.delivery_mode)
    if row.sender_id is None or row.claimed_at is not None or not exists(row.sender_provider, mode):
        return False
    if row.owner_id is None or answer:
        return True
    if row.owner_id != row.merchant_id:
        return False
    number = OwnNumber(number=row.sender, ready=row.ready)
    return may_send(number, channel=channel, mode=mode)


_MOVE = text(
    """
    WITH found AS MATERIALIZED (
        SELECT id, public_id, number, account,
               CASE CAST(:channel AS varchar)
                    WHEN 'VOICE' THEN calls_per_second ELSE segments_per_second END AS per_second
          FROM sender_number WHERE tenant_id = :tenant_id AND number = :sender
    ), moved AS (
        UPDATE message SET sender = found.number FROM found
         WHERE message.tenant_id = :tenant_id AND message.id = :message_id
    ), left_queue AS (
        DELETE FROM sender_queue USING found
         WHERE sender_queue.tenant_id = :tenant_id AND sender_queue.message_id = :message_id
    )
    SELECT id, public_id, account, per_second FROM found
    """
)


async def choose_another_sender(
    db: WriteSession,
    *,
    tenant_id: int,
    message_id: int,
    merchant: str,
    channel: Channel,
    key: str,
    owned: AccountSenders | None = None,
) -> NewSender | None:
    """Give a waiting message another sender, and delete its entry in the old sender's queue.

    The caller holds the message's lock, and no attempt may be open or accepted: then nothing was
    sent from the old number, and a STOP to it does not concern this message. None if the merchant
    has no usable number; the message is left unchanged. `owned` limits the choice to the numbers
    of one account.
    """
    chosen = await find_sender(
        db, tenant_id=tenant_id, merchant=merchant, channel=channel, key=key, owned=owned
    )
    if chosen.number is None:
        return None
    ids = {"tenant_id": tenant_id, "message_id": message_id, "channel": channel}
    row = (await db.execute(_MOVE, {**ids, "sender": chosen.number})).one_or_none()
    if row is None:  # it was removed between the two statements
        return None
    return NewSender(
        number=chosen.number,
        account=row.account,
        sender_id=row.id,
        sender_public_id=row.public_id,
        per_second=row.per_second,
    )


_REGISTER = text(
    """
    UPDATE sender_number SET registered_at = COALESCE(registered_at, CAST(:now AS timestamptz))
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
    """Let a number send for the campaign it is ASSIGNED to, with its share of the campaign's limit.

    Call it in the transaction that writes ASSIGNED, with the row locked. Idempotent. False if the
    merchant does not own the number. The limit of calls is not changed.
    """
    await db.flush()
    campaign = await _lock_campaign(db, row)
    registered_at = now if await _is_approved(db, campaign) else None
    if await db.scalar(_REGISTER, {**_owned(row), "now": registered_at}) is None:
        return False
    if campaign is None:
        return await number_limits.limit(db, row.number, {Channel.SMS: None})
    await _share(db, campaign, besides=None)
    return True


async def forget_campaign(db: WriteSession, row: MessagingNumber) -> bool:
    """Undo `pace_by_campaign` when a number is no longer ASSIGNED.

    Messages that wait for this number get another one when they are dispatched. The campaign's
    other numbers share its limit.
    """
    campaign = await _lock_campaign(db, row)
    if await db.scalar(_UNREGISTER, _owned(row)) is None:
        return False
    if campaign is not None:
        await _share(db, campaign, besides=row.id)
    return await number_limits.limit(db, row.number, {Channel.SMS: None})


async def _is_approved(db: WriteSession, campaign: Campaign | None) -> bool:
    """Return whether a locked campaign and its brand are approved; locks the brand too.

    The lock prevents a rejection meanwhile: the registry may withdraw an approval while a number is
    being assigned.
    """
    if campaign is None:
        return True
    statement = (
        select(col(Brand.state))
        .where(col(Brand.tenant_id) == campaign.tenant_id, col(Brand.id) == campaign.brand_id)
        .with_for_update(read=True)
    )
    states = {campaign.state, await db.scalar(statement)}
    return states == {RegistrationState.APPROVED}


async def _lock_campaign(db: WriteSession, row: MessagingNumber) -> Campaign | None:
    """Lock a number's campaign, so that changes of the shares are serialized."""
    statement = (
        select(Campaign)
        .where(col(Campaign.tenant_id) == row.tenant_id, col(Campaign.id) == row.campaign_id)
        .with_for_update(key_share=True)
    )
    return (await db.scalars(statement)).one_or_none()


# Ordered by number, so that senders are always locked in one order.
_SHARERS = text(
    """
    SELECT bought.number
      FROM messaging_number bought
      JOIN sender_number own ON own.tenant_id = bought.tenant_id AND own.number = bought.number
                            AND own.merchant_id = bought.merchant_id
     WHERE bought.tenant_id = :tenant_id AND bought.merchant_id = :merchant_id
       AND bought.campaign_id = :campaign_id AND bought.id IS DISTINCT FROM :besides
       AND bought.state = 'ACTIVE' AND bought.assignment = 'ASSIGNED'
     ORDER BY bought.number
    """
)


async def _share(db: WriteSession, campaign: Campaign, *, besides: int | None) -> None:
    """Divide a locked campaign's limit among its numbers, because carriers limit the campaign."""
    whose = {"tenant_id": campaign.tenant_id, "merchant_id": campaign.merchant_id}
    found = await db.scalars(_SHARERS, {**whose, "campaign_id": campaign.id, "besides": besides})
    numbers = found.all()
    rate = await _throughput(db, campaign)
    for number, share in zip(numbers, shares(rate, len(numbers)), strict=True):
        await number_limits.limit(db, number, {Channel.SMS: share})


async def _throughput(db: WriteSession, campaign: Campaign) -> Decimal:
    """Return the limit that the registry stated for a campaign, else the default."""
    if campaign.segments_per_second is not None:
        return campaign.segments_per_second
    brand = await db.get(Brand, (campaign.tenant_id, campaign.brand_id))
    entity_type = None if brand is None else EntityType(brand.profile["entity_type"])
    return by_default(UseCase(campaign.profile["use_case"]), entity_type)


def _owned(row: MessagingNumber) -> dict[str, Any]:
    return {"tenant_id": row.tenant_id, "merchant_id": row.merchant_id, "number": row.number}
