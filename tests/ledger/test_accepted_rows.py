"""An accepted message: every field is in its row, and its identity is the same for all readers."""

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlmodel import col

from api.services.messages.write import start_of
from models.enums import MessageStatus
from models.queries.messages import acceptance
from models.queries.messages.acceptance import AcceptedMessage, NewMessage
from models.queries.system.sweep_messages import take_stalled, take_unstarted
from models.rules.messages.identity import MessageIdentity, SendKey
from models.session import Database
from models.tables.message import Message
from tests.factories import Owner, make_message, new_message, try_accept
from tests.mailing import mail

NOT_COLUMNS = {"destinations", "further_keys"}
"""Fields of a new message that are rows of another table."""

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def funded(owner: Owner) -> NewMessage:
    return new_message(owner, units=2, key="k-1", valid_for=timedelta(hours=1))


def of_the_tenant(owner: Owner) -> NewMessage:
    return replace(mail(owner, of_the_tenant=True), idempotency_key="k-1")


SHAPES = pytest.mark.parametrize("shape", [funded, of_the_tenant])


async def stored(database: Database, owner: Owner, message_id: int) -> Message:
    async with database.read() as db:
        found = await db.scalars(
            select(Message).where(
                col(Message.tenant_id) == owner.tenant_id, col(Message.id) == message_id
            )
        )
        return found.one()


@SHAPES
async def test_every_field_is_in_the_row(
    database: Database, owner: Owner, shape: Callable[[Owner], NewMessage]
) -> None:
    message = replace(shape(owner), scope="7", attributes={"order": "9"}, details={"a": 1})
    row = await stored(database, owner, await make_message(database, message))
    for field in fields(NewMessage):
        if field.name not in NOT_COLUMNS:
            assert getattr(row, field.name) == getattr(message, field.name), field.name
    assert (row.status, row.attempts, row.billed_units) == (MessageStatus.QUEUED, 0, 0)
    assert row.held_allowance + row.held_credits == (message.units if message.funded else 0)
    assert row.ready_at == message.due_at


@SHAPES
async def test_every_reader_of_a_message_gets_the_same_identity(
    database: Database, owner: Owner, shape: Callable[[Owner], NewMessage]
) -> None:
    message = replace(shape(owner), sweep_at=LONG_AGO, due_at=LONG_AGO, accepted_at=LONG_AGO)
    accepted = await try_accept(database, message)
    assert isinstance(accepted, AcceptedMessage)
    merchant = owner.merchant if message.funded else ""
    started = start_of(message, accepted, merchant)
    key = SendKey(
        tenant_id=owner.tenant_id,
        operation=message.operation,
        scope=message.scope,
        idempotency_key="k-1",
    )
    now, at_once = LONG_AGO + timedelta(days=1), timedelta(0)
    async with database.read() as reading:
        known = await acceptance.find_known(reading, key)
    async with database.transaction() as db:
        silent = await take_stalled(db, now=now, grace=at_once, longest=at_once, most=10_000)
        unstarted = await take_unstarted(db, now=now, grace=at_once, longest=at_once, most=10_000)
    assert known is not None
    assert known.send == started
    assert [one for one in silent if one.tenant_id == owner.tenant_id] == [started]
    assert [one for one in unstarted if one.tenant_id == owner.tenant_id] == [started]
    row = await stored(database, owner, accepted.message_id)
    names = [field.name for field in fields(MessageIdentity)]
    identity = row.identity(owner.tenant_public_id)
    assert all(getattr(identity, name) == getattr(started, name) for name in names)
    assert identity.workflow_id == started.workflow_id
