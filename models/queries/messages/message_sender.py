"""The sender of a message that is being dispatched, and its change while nothing was sent."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from models.enums import AttemptState, Channel
from models.queries.senders import senders
from models.queries.senders.candidates import AccountSenders
from models.queries.senders.sender_queue import Clock, Pace, SenderQueueKey, fresh_pace, pace_of
from models.rules.messages.operations import ANSWER_INBOUND
from models.session import WriteSession

NOT_SENT = frozenset({AttemptState.REFUSED, AttemptState.NOT_PROCESSED, AttemptState.ABSENT})
"""Outcomes after which the recipient has no copy, if an absence is proven."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderChange:
    """What is needed to give a message another number; only while nothing was sent from its own."""

    tenant_id: int
    message_id: int
    merchant: str
    channel: Channel
    key: str
    units: int
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSender:
    """A message's sender, whether it may be used, and its pacing."""

    address: str = field(repr=False)
    account: str | None
    """The account that its number was bought through, if it was."""
    fits: bool
    pace: Pace | None
    """None if it has no limit."""
    change: SenderChange | None
    """None if the message keeps its sender."""


async def find_sender(
    db: WriteSession,
    row: Row[Any],
    *,
    unsent: bool,
    ids: Mapping[str, int],
    channel: Channel,
    key: str,
    read_since: float,
) -> MessageSender:
    """Return the message's sender, or another one if its own may not be used any more.

    `unsent`: certainly no attempt has sent a copy.
    """
    tenant_id = ids["tenant_id"]
    change = None
    if unsent and _may_change(row, channel):
        change = SenderChange(
            tenant_id=tenant_id,
            message_id=ids["message_id"],
            merchant=row.merchant,
            channel=channel,
            key=key,
            units=row.units,
            clock=Clock(now=row.now, before=read_since, after=time.monotonic()),
        )
    sender = own_sender(row, tenant_id, channel, read_since, change=change)
    if sender.fits or change is None:
        return sender
    return await change_sender(db, change) or sender


def own_sender(
    row: Row[Any],
    tenant_id: int,
    channel: Channel,
    read_since: float,
    *,
    change: SenderChange | None = None,
) -> MessageSender:
    """Return the sender that a message was accepted with; without `change` it keeps it."""
    return MessageSender(
        address=row.sender,
        account=row.sender_account,
        fits=senders.fits(row, channel=channel, answer=row.operation == ANSWER_INBOUND),
        pace=pace_of(row, tenant_id=tenant_id, channel=channel, read_since=read_since),
        change=change,
    )


async def change_sender(
    db: WriteSession, change: SenderChange, owned: AccountSenders | None = None
) -> MessageSender | None:
    """Give the message another number of its merchant; None if there is none.

    `owned` limits the choice to the numbers of one account.
    """
    other = await senders.choose_another_sender(
        db,
        tenant_id=change.tenant_id,
        message_id=change.message_id,
        merchant=change.merchant,
        channel=change.channel,
        key=change.key,
        owned=owned,
    )
    if other is None:
        return None
    queue = SenderQueueKey(
        tenant_id=change.tenant_id,
        sender_id=other.sender_id,
        sender_public_id=other.sender_public_id,
        channel=change.channel,
    )
    return MessageSender(
        address=other.number,
        account=other.account,
        fits=True,
        pace=fresh_pace(queue, other.per_second, units=change.units, clock=change.clock),
        change=change,
    )


def _may_change(row: Row[Any], channel: Channel) -> bool:
    """Return whether a message that was not sent may get another sender.

    An answer to a text is sent only from the number that received the text, an e-mail only from
    the address that it was accepted with.
    """
    over = row.completed or row.told or row.operation == ANSWER_INBOUND
    return not over and row.merchant is not None and channel is not Channel.EMAIL
