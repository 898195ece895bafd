"""Messages, read: what was asked, what became of it, what it cost."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select
from sqlmodel import col

from api.auth import Caller
from api.pagination import Page, Slice
from api.schemas.messages import MessageView
from api.services.contacts import key_of_any
from api.services.readable import get_merchant, readable_messages, row_id
from api.services.trail import trail
from models.enums import Channel, MessageStatus
from models.errors import MessageNotFound
from models.session import Database, ReadSession
from models.tables.message import Attempt, Message, Receipt

_LONGEST_ID = 18
"""Digits; no row has more."""

Found = Sequence[tuple[Message, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """Which messages are asked for; `since` and `before` bound the moment of acceptance."""

    merchant_id: str | None
    channel: Channel | None
    status: MessageStatus | None
    to: str | None
    since: datetime | None
    before: datetime | None


class Messages:
    """The looks at messages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, caller: Caller, message_id: str) -> MessageView:
        """Return one message."""
        if not (message_id.isascii() and message_id.isdecimal()) or len(message_id) > _LONGEST_ID:
            raise MessageNotFound
        statement = readable_messages(caller).where(col(Message.id) == int(message_id))
        async with self._database.read() as db:
            row = (await db.execute(statement)).one_or_none()
            if row is None:
                raise MessageNotFound
            (view,) = await _views(db, caller, [(row[0], row[1])])
            return view

    async def list(self, caller: Caller, wanted: MessageFilter, page: Page) -> Slice[MessageView]:
        """Return messages, the newest first."""
        statement = _narrow(readable_messages(caller), wanted).order_by(col(Message.id).desc())
        if (after := page.after(size=1)) is not None:
            statement = statement.where(col(Message.id) < after[0])
        async with self._database.read() as db:
            if wanted.merchant_id is not None:
                merchant = await get_merchant(db, caller, wanted.merchant_id)
                statement = statement.where(col(Message.merchant_id) == merchant.id)
            rows = (await db.execute(statement.limit(page.limit + 1))).all()
            found = page.cut([(row[0], row[1]) for row in rows], lambda row: (row_id(row[0].id),))
            return Slice(await _views(db, caller, found.items), found.end)


def _narrow(statement: Select[Message, str], wanted: MessageFilter) -> Select[Message, str]:
    if wanted.channel is not None:
        statement = statement.where(col(Message.channel) == wanted.channel)
    if wanted.status is not None:
        statement = statement.where(col(Message.status) == wanted.status)
    if wanted.to is not None:
        statement = statement.where(col(Message.to_key) == key_of_any(wanted.to))
    if wanted.since is not None:
        statement = statement.where(col(Message.accepted_at) >= wanted.since)
    if wanted.before is not None:
        statement = statement.where(col(Message.accepted_at) < wanted.before)
    return statement


async def _views(db: ReadSession, caller: Caller, found: Found) -> list[MessageView]:
    ids = [message.id for message, _ in found]
    attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
    receipts: defaultdict[int, list[Receipt]] = defaultdict(list)
    for attempt in await db.scalars(
        select(Attempt)
        .where(col(Attempt.tenant_id) == caller.tenant_id, col(Attempt.message_id).in_(ids))
        .order_by(col(Attempt.number))
    ):
        attempts[attempt.message_id].append(attempt)
    for receipt in await db.scalars(
        select(Receipt)
        .where(col(Receipt.tenant_id) == caller.tenant_id, col(Receipt.message_id).in_(ids))
        .order_by(col(Receipt.id))
    ):
        receipts[receipt.message_id].append(receipt)
    return [
        _view(message, merchant, attempts[row_id(message.id)], receipts[row_id(message.id)])
        for message, merchant in found
    ]


def _view(
    message: Message, merchant: str, attempts: Sequence[Attempt], receipts: Sequence[Receipt]
) -> MessageView:
    return MessageView(
        message_id=str(message.id),
        merchant_id=merchant,
        channel=message.channel,
        type=message.type,
        to=message.to_contact,
        sender=message.sender,
        status=message.status,
        units=message.units,
        billed_units=message.billed_units,
        attempts=message.attempts,
        error_code=message.error_code,
        provider_code=message.provider_code,
        provider=message.provider,
        metadata=message.attributes,
        accepted_at=message.accepted_at,
        send_at=message.due_at if message.due_at > message.accepted_at else None,
        expires_at=message.expires_at,
        sent_at=message.sent_at,
        completed_at=message.completed_at,
        events=trail(message, attempts, receipts),
    )
