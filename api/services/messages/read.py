"""Reads messages and calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from api.http.auth import Caller
from api.http.pagination import Page, Slice
from api.http.public_ids import read_public_id
from api.schemas.messages import MessageView
from api.schemas.voice import VoiceTtsCallView
from api.services.consent.contacts import errors_name, key_to_find
from api.services.messages.views import message_views
from models.batch_errors import BatchNotFound
from models.enums import Channel, MessageStatus, MessageType
from models.errors import MessageNotFound
from models.queries.messages.batches.read import find_batch
from models.queries.messages.read import (
    CallLabels,
    Found,
    find_message,
    list_calls,
)
from models.queries.messages.search import MOST_EXAMINED, MessageCriteria, list_messages
from models.queries.tenants.cursors import find_cursor_row
from models.queries.tenants.visibility import narrow_scope
from models.session import Database, ReadSession
from models.tables.base import row_id
from models.tables.message import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFilter:
    """Filter of messages; `since` and `before` bound the time of acceptance.

    A message must have every pair of `metadata`.
    """

    merchant_id: str | None
    channel: Channel | None
    status: MessageStatus | None
    to: str | None
    type: MessageType | None
    idempotency_key: str | None
    batch_id: str | None
    metadata: Mapping[str, str]
    since: datetime | None
    before: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Filter of calls; labels are those of the request."""

    merchant_id: str | None
    tenant_id: str | None
    source_system: str | None
    use_case: str | None


class Messages:
    """Queries of messages; one request for a list examines about `most_examined` at most."""

    def __init__(self, database: Database, *, most_examined: int = MOST_EXAMINED) -> None:
        self._database = database
        self._most_examined = most_examined

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
        """Return a page of messages, newest first; while there is a next one it may be short."""
        async with self._database.read() as db:
            criteria = self._criteria(wanted, await _find_batch(db, caller, wanted.batch_id))
            after = await find_cursor_row(db, Message, caller.tenant_id, page.after_id())
            scope = await narrow_scope(db, caller, wanted.merchant_id)
        async with self._database.read_by_index() as listed:
            listing = await list_messages(
                listed,
                scope,
                criteria,
                after=after,
                most=page.limit + 1,
                most_examined=self._most_examined,
            )
        found = _cut(page, listing.rows, listing.examined)
        async with self._database.read() as db:
            return Slice(await message_views(db, caller.tenant_id, found.items), found.end)

    async def list_calls(
        self, caller: Caller, wanted: CallFilter, page: Page
    ) -> Slice[VoiceTtsCallView]:
        """Return a page of calls of both endpoints, newest first."""
        labels = CallLabels(
            tenant_id=wanted.tenant_id,
            source_system=wanted.source_system,
            use_case=wanted.use_case,
        )
        async with self._database.read() as db:
            after = await find_cursor_row(db, Message, caller.tenant_id, page.after_id())
            scope = await narrow_scope(db, caller, wanted.merchant_id)
            rows = await list_calls(db, scope, labels, after=after, most=page.limit + 1)
            found = _cut(page, rows)
            views = await message_views(db, caller.tenant_id, found.items)
        calls = [
            _call_view(message, view) for (message, _), view in zip(found.items, views, strict=True)
        ]
        return Slice(calls, found.end)

    async def _get(self, caller: Caller, message_id: str) -> tuple[Message, MessageView]:
        number = read_message_id(message_id)
        async with self._database.read() as db:
            found = await find_message(db, caller, number)
            if found is None:
                raise MessageNotFound
            (view,) = await message_views(db, caller.tenant_id, [found])
            return found[0], view

    def _criteria(self, wanted: MessageFilter, batch_id: int | None) -> MessageCriteria:
        """Return the query criteria; a recipient matches any recipient of a message."""
        key = None
        if wanted.to is not None:
            with errors_name("to"):
                key = key_to_find(wanted.to, self._database.contact_keys)
        is_address = wanted.to is not None and "@" in wanted.to
        return MessageCriteria(
            channel=wanted.channel,
            status=wanted.status,
            contact_key=None if is_address else key,
            recipient_key=key if is_address else None,
            type=wanted.type,
            idempotency_key=wanted.idempotency_key,
            batch_id=batch_id,
            metadata=wanted.metadata,
            since=wanted.since,
            before=wanted.before,
        )


def read_message_id(given: str) -> int:
    """Parse the public id in a path; raise MessageNotFound if it is not a valid one."""
    public_id = read_public_id(given)
    if public_id is None:
        raise MessageNotFound
    return public_id


async def _find_batch(db: ReadSession, caller: Caller, given: str | None) -> int | None:
    """Return the row id of the batch of a filter; raises BatchNotFound."""
    if given is None:
        return None
    public_id = read_public_id(given)
    found = None if public_id is None else await find_batch(db, caller, public_id)
    if found is None:
        raise BatchNotFound
    return row_id(found[0].id)


def _cut(page: Page, rows: Sequence[Found], examined: int | None = None) -> Slice[Found]:
    return page.cut(rows, lambda row: row[0].public_id, examined)


def _call_view(message: Message, view: MessageView) -> VoiceTtsCallView:
    labels = message.details.get("labels") or {}
    return VoiceTtsCallView(
        **dict(view),
        tenant_id=labels.get("tenantId"),
        source_system=labels.get("sourceSystem"),
        use_case=labels.get("useCase"),
    )
