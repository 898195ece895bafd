"""The invariants of tests/chaos, checked on every channel and on answers."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from models.enums import AttemptState, Channel, MessageStatus
from models.queries.messages import conclude, settlement, settlement_facts
from models.rules.messages.settlement import End
from models.session import Database
from tests.chaos.invariants import broken_laws
from tests.factories import Owner, claim_once, make_message, new_message


class Books:
    """The rows of one tenant."""

    def __init__(self, database: Database, owner: Owner) -> None:
        self._database = database
        self._owner = owner

    async def ended(self, channel: Channel, *, funded: bool = True) -> None:
        """Accept a message of two units, and end it with one captured."""
        wanted = new_message(self._owner, units=2, key=f"{channel}-{funded}")
        id = await make_message(self._database, replace(wanted, channel=channel, funded=funded))
        now = datetime.now(UTC)
        end = End(status=MessageStatus.DELIVERED, captured=1, provider="simulator", day=now.date())
        async with self._database.transaction() as db:
            await claim_once(db, self._owner.tenant_id, id, now, provider="simulator")
            await conclude.conclude(
                db,
                tenant_id=self._owner.tenant_id,
                message_id=id,
                number=1,
                state=AttemptState.ACCEPTED,
                now=now,
            )
            message = await settlement_facts.lock_for_settlement(
                db, tenant_id=self._owner.tenant_id, message_id=id
            )
            assert message is not None
            assert await settlement.end_message(db, message, end, now)

    async def broken(self) -> list[str]:
        broken = await broken_laws(self._ask, self._owner.tenant_id)
        return [law.partition(":")[0] for law in broken]

    async def write(self, sql: str, **values: Any) -> None:
        async with self._database.transaction() as db:
            await db.execute(text(sql), {"t": self._owner.tenant_id, **values})

    async def _ask(self, question: str, *, tenant: int) -> list[Any]:
        async with self._database.read() as db:
            return list((await db.execute(text(question), {"tenant": tenant})).all())


@pytest.fixture
async def books(database: Database, owner: Owner) -> Books:
    """A merchant without SMS allowance; 10 units on other channels."""
    books = Books(database, owner)
    await books.write(
        "UPDATE merchant SET voice_minutes_limit = 10, email_limit = 10 WHERE tenant_id = :t"
    )
    return books


async def test_calls_mails_and_answers_keep_every_law(books: Books) -> None:
    for channel in Channel:
        await books.ended(channel)
    await books.ended(Channel.SMS, funded=False)
    await books.write("UPDATE merchant SET sms_limit = 1 WHERE tenant_id = :t")
    assert await books.broken() == []


async def test_a_call_beyond_its_own_limit_is_noticed(books: Books) -> None:
    await books.ended(Channel.VOICE)
    await books.write("UPDATE merchant SET voice_minutes_limit = 0 WHERE tenant_id = :t")
    assert await books.broken() == [
        "the month is the sum of its entries, within its limit, and nothing is held"
    ]


async def test_an_entry_for_an_answer_is_noticed(books: Books) -> None:
    await books.ended(Channel.SMS)
    await books.write("UPDATE message SET funded = FALSE, held_allowance = 0 WHERE tenant_id = :t")
    assert "nothing is booked for what is not funded" in await books.broken()
