"""Plain contacts are stored in the contact columns only; other columns have keys."""

from dataclasses import replace
from typing import Any, Final

import pytest
from sqlalchemy import Text, cast, func, select
from sqlmodel import col

from models.enums import Channel, ConsentStatus
from models.tables.base import metadata
from models.tables.inbound import InboundMessage
from models.tables.message import Message
from tests.contacts import key_of
from tests.factories import make_message, new_message, say
from tests.inbound.harness import CONTACT, InboundHarness
from tests.inbound.test_unsubscribing import ADDRESS, ONE_CLICK, link
from tests.mailing import RECIPIENTS, accept, mail

PLAIN: Final = {
    ("message", "to_contact"),
    ("message", "details"),
    ("consent", "contact"),
    ("consent_change", "contact"),
    ("inbound_message", "sender"),
    ("receipt", "recipient"),
}
"""Columns that store a contact as given, for sending or display."""


async def found_in(inbound: InboundHarness, contact: str) -> set[tuple[str, str]]:
    """Return every column of the database that contains a contact, in a row of its tenant."""
    holding = set()
    async with inbound.database.read() as db:
        for table in metadata.tables.values():
            if "tenant_id" not in table.c:
                continue
            for column in table.c:
                statement = (
                    select(func.count())
                    .select_from(table)
                    .where(
                        table.c.tenant_id == inbound.owner.tenant_id,
                        cast(column, Text).contains(contact.removeprefix("+")),
                    )
                )
                if await db.scalar(statement):
                    holding.add((table.name, column.name))
    return holding


async def test_after_a_text_its_stop_and_a_consent(inbound: InboundHarness) -> None:
    await inbound.writes()
    await say(inbound.database, inbound.owner, contact=CONTACT, status=ConsentStatus.OPT_IN)
    assert (await inbound.texts("STOP")).status_code == 204
    assert [status for status, _ in (await inbound.consents()).values()] == ["OPT_OUT"]
    assert await found_in(inbound, CONTACT) == {
        ("message", "to_contact"),
        ("consent", "contact"),
        ("consent_change", "contact"),
        ("inbound_message", "sender"),
    }


async def test_after_a_mail_to_many_and_one_unsubscribed(inbound: InboundHarness) -> None:
    await accept(inbound.database, mail(inbound.owner, RECIPIENTS))
    to_one = replace(new_message(inbound.owner, to=ADDRESS), channel=Channel.EMAIL)
    await make_message(inbound.database, to_one)
    assert (await inbound.client.post(link(inbound), data=ONE_CLICK)).status_code == 200
    for address in RECIPIENTS:
        assert await found_in(inbound, address) <= PLAIN
    # The opt-out shows the address, though the link contains only its key.
    assert ("consent", "contact") in await found_in(inbound, ADDRESS)
    assert ADDRESS not in link(inbound)


@pytest.mark.parametrize("table", [Message, InboundMessage])
async def test_the_scan_finds_what_is_put_into_another_column(
    inbound: InboundHarness, table: type[Message] | type[InboundMessage]
) -> None:
    await inbound.writes()
    await inbound.texts("Hello")
    async with inbound.database.transaction() as db:
        rows: Any = await db.scalars(
            select(table).where(col(table.tenant_id) == inbound.owner.tenant_id)
        )
        for row in rows:
            assert row.contact_key == key_of(CONTACT)
            row.provider = CONTACT
    assert (str(table.__tablename__), "provider") in await found_in(inbound, CONTACT)
