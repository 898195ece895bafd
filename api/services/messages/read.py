"""Messages, read: what was asked, what became of it, what it cost."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, Select, String, Text, func, literal_column, select
from sqlmodel import col

from api.http.auth import Caller
from api.http.pagination import Page, Slice
from api.schemas.messages import MessageView
from api.schemas.money import MessagePrice
from api.schemas.voice import VoiceTtsCallView
from api.services.consent.contacts import key_to_find
from api.services.messages.trail import trail
from api.services.readable import get_merchant, readable_messages, row_id
from models.enums import Channel, MessageStatus, UnpricedReason
from models.errors import MessageNotFound
from models.rules.consent.contact_keys import ContactKeys
from models.session import Database, ReadSession
from models.tables.message import Attempt, Message, MessageRecipient, Receipt, call_label
from models.tables.usage import UsageCorrection, UsageRecord

_LONGEST_ID = 18
"""Digits; no row has more."""

_VOICE = literal_column(f"'{Channel.VOICE}'", String)
"""Not a parameter, so that the indexes of calls, which are partial, fit whatever is planned."""

Found = Sequence[tuple[Message, str | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """Which messages are asked for; `since` and `before` bound the moment of acceptance."""

    merchant_id: str | None
    channel: Channel | None
    status: MessageStatus | None
    to: str | None
    since: datetime | None
    before: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Which calls are asked for; the labels are those they were asked for with."""

    merchant_id: str | None
    tenant_id: str | None
    source_system: str | None
    use_case: str | None


class Messages:
    """The looks at messages."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, caller: Caller, message_id: str) -> MessageView:
        """Return one message."""
        _, view = await self._get(caller, message_id)
        return view

    async def get_call(self, caller: Caller, message_id: str) -> VoiceTtsCallView:
        """Return one call with its labels."""
        message, view = await self._get(caller, message_id)
        if message.channel != Channel.VOICE:
            raise MessageNotFound
        return _call_view(message, view)

    async def list(self, caller: Caller, wanted: MessageFilter, page: Page) -> Slice[MessageView]:
        """Return messages, the newest first."""
        statement = _narrow(readable_messages(caller), caller, wanted, self._database.contact_keys)
        found = await self._list(caller, statement, wanted.merchant_id, page)
        return Slice([view for _, view in found.items], found.end)

    async def list_calls(
        self, caller: Caller, wanted: CallFilter, page: Page
    ) -> Slice[VoiceTtsCallView]:
        """Return every call, whichever way it was asked for, the newest first."""
        statement = readable_messages(caller).where(col(Message.channel) == _VOICE)
        labels = {
            call_label("tenantId"): wanted.tenant_id,
            call_label("sourceSystem"): wanted.source_system,
            call_label("useCase"): wanted.use_case,
        }
        for sql, label in labels.items():
            if label is not None:
                statement = statement.where(literal_column(f"({sql})", Text) == label)
        found = await self._list(caller, statement, wanted.merchant_id, page)
        return Slice([_call_view(message, view) for message, view in found.items], found.end)

    async def _get(self, caller: Caller, message_id: str) -> tuple[Message, MessageView]:
        statement = readable_messages(caller).where(col(Message.id) == read_message_id(message_id))
        async with self._database.read() as db:
            row = (await db.execute(statement)).one_or_none()
            if row is None:
                raise MessageNotFound
            (view,) = await _views(db, caller, [(row[0], row[1])])
            return row[0], view

    async def _list(
        self,
        caller: Caller,
        statement: Select[Message, str | None],
        merchant_id: str | None,
        page: Page,
    ) -> Slice[tuple[Message, MessageView]]:
        statement = statement.order_by(col(Message.id).desc())
        if (after := page.after(size=1)) is not None:
            statement = statement.where(col(Message.id) < after[0])
        async with self._database.read() as db:
            if merchant_id is not None:
                merchant = await get_merchant(db, caller, merchant_id)
                statement = statement.where(col(Message.merchant_id) == merchant.id)
            rows = (await db.execute(statement.limit(page.limit + 1))).all()
            found = page.cut([(row[0], row[1]) for row in rows], lambda row: (row_id(row[0].id),))
            views = await _views(db, caller, found.items)
        messages = [message for message, _ in found.items]
        return Slice(list(zip(messages, views, strict=True)), found.end)


def read_message_id(given: str) -> int:
    """Return the id a path names; raise MessageNotFound if no message can have it."""
    if not (given.isascii() and given.isdecimal()) or len(given) > _LONGEST_ID:
        raise MessageNotFound
    return int(given)


def _narrow(
    statement: Select[Message, str | None],
    caller: Caller,
    wanted: MessageFilter,
    keys: ContactKeys,
) -> Select[Message, str | None]:
    if wanted.channel is not None:
        statement = statement.where(col(Message.channel) == wanted.channel)
    if wanted.status is not None:
        statement = statement.where(col(Message.status) == wanted.status)
    if wanted.to is not None:
        statement = statement.where(_reaches(caller, wanted.to, keys))
    if wanted.since is not None:
        statement = statement.where(col(Message.accepted_at) >= wanted.since)
    if wanted.before is not None:
        statement = statement.where(col(Message.accepted_at) < wanted.before)
    return statement


def _reaches(caller: Caller, contact: str, keys: ContactKeys) -> ColumnElement[bool]:
    """Match the messages to a contact; a direct e-mail by any of its addresses."""
    key = key_to_find(contact, keys)
    if "@" not in contact:
        return col(Message.contact_key) == key
    # Two looks into two indexes; an OR of both would read every message of the tenant.
    first = select(col(Message.id)).where(
        col(Message.tenant_id) == caller.tenant_id, col(Message.contact_key) == key
    )
    further = select(col(MessageRecipient.message_id)).where(
        col(MessageRecipient.tenant_id) == caller.tenant_id,
        col(MessageRecipient.contact_key) == key,
    )
    return col(Message.id).in_(first.union_all(further))


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
    prices = await _prices(db, caller, ids)
    return [
        _view(
            message,
            merchant,
            prices.get(row_id(message.id)),
            attempts[row_id(message.id)],
            receipts[row_id(message.id)],
        )
        for message, merchant in found
    ]


async def _prices(
    db: ReadSession, caller: Caller, ids: Sequence[int | None]
) -> dict[int, MessagePrice]:
    """Return what messages cost: their usage records, and what was posted to them since."""
    rows = await db.execute(
        select(
            col(UsageRecord.message_id),
            col(UsageRecord.state),
            _altogether(UsageRecord.cost, UsageCorrection.cost),
            _altogether(UsageRecord.carrier_fee, UsageCorrection.carrier_fee),
            _altogether(UsageRecord.markup, UsageCorrection.markup),
        )
        .outerjoin(
            UsageCorrection,
            (col(UsageCorrection.tenant_id) == col(UsageRecord.tenant_id))
            & (col(UsageCorrection.message_id) == col(UsageRecord.message_id)),
        )
        .where(
            col(UsageRecord.tenant_id) == caller.tenant_id,
            col(UsageRecord.message_id).in_(ids),
            col(UsageRecord.priced_by).is_not(None),
            col(UsageRecord.gap).is_distinct_from(UnpricedReason.RATE_MISSING),
        )
        .group_by(col(UsageRecord.tenant_id), col(UsageRecord.message_id))
    )
    return {
        message_id: MessagePrice(
            provider_cost=cost,
            carrier_fee=carrier_fee,
            markup=markup,
            total=cost + carrier_fee + markup,
            currency="USD",
            state=state,
        )
        for message_id, state, cost, carrier_fee, markup in rows
    }


def _altogether(recorded: Decimal, posted: Decimal) -> ColumnElement[Decimal]:
    return col(recorded) + func.coalesce(func.sum(col(posted)), 0)


def _view(
    message: Message,
    merchant: str | None,
    price: MessagePrice | None,
    attempts: Sequence[Attempt],
    receipts: Sequence[Receipt],
) -> MessageView:
    return MessageView(
        message_id=str(message.id),
        merchant_id=merchant,
        channel=message.channel,
        type=message.type,
        to=message.to_contact,
        recipients=message.details.get("to") or [message.to_contact],
        sender=message.sender,
        status=message.status,
        units=message.units,
        billed_units=message.billed_units,
        price=price,
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


def _call_view(message: Message, view: MessageView) -> VoiceTtsCallView:
    labels = message.details.get("labels") or {}
    return VoiceTtsCallView(
        **dict(view),
        tenant_id=labels.get("tenantId"),
        source_system=labels.get("sourceSystem"),
        use_case=labels.get("useCase"),
    )
