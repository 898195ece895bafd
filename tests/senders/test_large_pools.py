"""Choosing a sender reads as few rows of a large pool as of a small one."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from psycopg import AsyncClientCursor
from sqlalchemy import TextClause, text

from models.enums import Channel, DeliveryMode
from models.queries.consent.send_policy import find_policy
from models.queries.senders.candidates import AccountSenders
from models.queries.senders.chosen_sender import find_sender
from models.session import Database, ReadSession
from models.tables.tenant import SenderNumber
from tests.contacts import key_of
from tests.factories import Owner, make_message, new_message
from tests.senders.test_choice import ask, switch

MANY = 1_000


async def fill(
    database: Database, owner: Owner, count: int, *, own: bool, registered: bool = False
) -> list[str]:
    """Add many US numbers to a merchant, or to its tenant's pool."""
    now = datetime.now(UTC)
    first = 12_120_000_000 + owner.tenant_id % 10_000 * 100_000
    numbers = [f"+{first + n}" for n in range(count)]
    async with database.transaction() as db:
        db.add_all(
            SenderNumber(
                number=number,
                tenant_id=owner.tenant_id,
                merchant_id=owner.merchant_id if own else None,
                registered_at=now if registered else None,
                created_at=now,
            )
            for number in numbers
        )
    async with database.engine.connect() as db:
        await db.execute(text("ANALYZE sender_number"))
        await db.commit()
    return numbers


def rows_of(plan: dict[str, Any]) -> int:
    """Return how many rows of `sender_number` a plan read, including filtered ones."""
    here = 0
    if plan.get("Relation Name") == "sender_number":
        read = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        here = round(read * plan["Actual Loops"])
    return here + sum(rows_of(part) for part in plan.get("Plans", ()))


def probes_of(plan: dict[str, Any]) -> int:
    """Return how many positions on the ring a plan computed."""
    here = 0
    if plan.get("Function Name") == "generate_series":
        here = round(plan["Actual Rows"] * plan["Actual Loops"])
    return here + sum(probes_of(part) for part in plan.get("Plans", ()))


class Recorded:
    """Executes statements, and records each with its values."""

    def __init__(self, db: ReadSession) -> None:
        self._db = db
        self.statements: list[tuple[TextClause, Mapping[str, Any]]] = []

    async def execute(self, statement: TextClause, values: Mapping[str, Any]) -> Any:
        self.statements.append((statement, values))
        return await self._db.execute(statement, values)


async def executed(
    database: Database,
    owner: Owner,
    channel: Channel,
    *,
    generic: bool = False,
    listed: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return the executed plans of the choice for a new recipient, as parts of one.

    `listed` are the numbers of the account that the choice is limited to, if it is.
    """
    key = key_of("+18135550000")
    asked: dict[str, Any] = {
        "tenant_id": owner.tenant_id,
        "merchant": owner.merchant,
        "channel": channel,
    }
    async with database.read() as db:
        recorded = Recorded(db)
        session = cast(ReadSession, recorded)
        if listed is None:
            await find_policy(session, **asked, contact_keys=[key])
        else:
            owned = AccountSenders(account="a", listed=listed)
            await find_sender(session, **asked, key=key, owned=owned)
    plans = [
        await explained(database, statement, values, generic=generic)
        for statement, values in recorded.statements
    ]
    return {"Plans": plans}


async def explained(
    database: Database, statement: TextClause, values: Mapping[str, Any], *, generic: bool
) -> dict[str, Any]:
    """Return the executed plan of a statement."""
    types = {"tenant_id": "bigint", "keys": "text[]", "listed": "text[]"}
    named = {name: f"${n}" for n, name in enumerate(values, start=1)}
    numbered = re.sub(r"(?<!:):(\w+)", lambda found: named[found[1]], statement.text)
    given = ", ".join(types.get(name, "varchar") for name in values)
    async with database.engine.connect() as db, db.begin() as nothing_stays:
        mode = "force_generic_plan" if generic else "force_custom_plan"
        await db.execute(text(f"SET LOCAL plan_cache_mode = {mode}"))
        # A test's table is so small that reading all of it may look cheaper than the index.
        await db.execute(text("SET LOCAL enable_seqscan = off"))
        await db.execute(text("SET LOCAL enable_bitmapscan = off"))
        driver = (await db.get_raw_connection()).driver_connection
        assert driver is not None
        async with AsyncClientCursor(driver) as cursor:
            await cursor.execute(f"PREPARE chosen ({given}) AS {numbered}")
            places = ", ".join(["%s"] * len(values))
            explain = f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE chosen ({places})"
            await cursor.execute(explain, list(values.values()))
            (document,) = await cursor.fetchone() or ("",)
            await cursor.execute("DEALLOCATE chosen")
        await nothing_stays.rollback()
    plans = json.loads(document) if isinstance(document, str) else document
    plan: dict[str, Any] = plans[0]["Plan"]
    return plan


async def rows_read(database: Database, owner: Owner, channel: Channel) -> int:
    """Return how many rows of `sender_number` the choice for a new recipient reads."""
    return rows_of(await executed(database, owner, channel))


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.VOICE])
@pytest.mark.parametrize(
    ("own", "registered"), [(False, False), (True, False), (True, True)], ids=str
)
async def test_few_of_a_thousand_numbers_are_read(
    database: Database, owner: Owner, channel: Channel, own: bool, registered: bool
) -> None:
    await fill(database, owner, MANY, own=own, registered=registered)
    assert await rows_read(database, owner, channel) < MANY / 10


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("own", [False, True])
async def test_few_of_a_thousand_numbers_are_read_for_an_account_that_has_half_of_them(
    database: Database, owner: Owner, own: bool, generic: bool
) -> None:
    numbers = await fill(database, owner, MANY, own=own, registered=True)
    plan = await executed(
        database, owner, Channel.SMS, generic=generic, listed=sorted(numbers, key=hash)[::2]
    )
    assert rows_of(plan) < MANY / 4


async def test_a_thousand_numbers_of_the_other_kind_are_not_read(
    database: Database, owner: Owner
) -> None:
    await fill(database, owner, MANY, own=True)
    await switch(database, owner, DeliveryMode.LIVE)
    assert await rows_read(database, owner, Channel.SMS) < MANY / 10
    found = await ask(database, owner)
    assert (found.sender, found.unregistered) == (None, True)


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize(("count", "probes"), [(0, 0), (1, 0), (2, 0), (3, 21), (20, 21)])
@pytest.mark.parametrize("own", [True, False])
async def test_one_or_two_numbers_need_no_positions(
    database: Database, owner: Owner, own: bool, count: int, probes: int, generic: bool
) -> None:
    # The pool holds one number already.
    await fill(database, owner, count if own else max(0, count - 1), own=own)
    plan = await executed(database, owner, Channel.SMS, generic=generic)
    assert probes_of(plan) == probes


@pytest.mark.parametrize("generic", [False, True])
@pytest.mark.parametrize("own", [True, False])
async def test_mail_has_no_number_to_choose(
    database: Database, owner: Owner, own: bool, generic: bool
) -> None:
    await fill(database, owner, MANY, own=own)
    plan = await executed(database, owner, Channel.EMAIL, generic=generic)
    assert (probes_of(plan), rows_of(plan)) == (0, 0)


@pytest.mark.parametrize(("count", "statements"), [(0, 1), (1, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("own", [True, False])
async def test_one_number_needs_no_second_statement(
    database: Database, owner: Owner, own: bool, count: int, statements: int
) -> None:
    await fill(database, owner, count if own else max(0, count - 1), own=own)
    plan = await executed(database, owner, Channel.SMS)
    assert len(plan["Plans"]) == statements


async def test_recipients_are_spread_over_the_pool_and_move_little(
    database: Database, owner: Owner
) -> None:
    numbers = {owner.sender, *await fill(database, owner, 9, own=False)}
    # Many, so that a number whose place closely follows another's gets some too.
    recipients = [f"+1813555{n:04}" for n in range(1000)]
    before = {to: (await ask(database, owner, to=to)).sender for to in recipients}
    counts = Counter(before.values())
    assert set(counts) == numbers
    assert max(counts.values()) < 3 * len(recipients) / len(numbers)
    gone = counts.most_common(1)[0][0]
    async with database.transaction() as db:
        await db.execute(text("DELETE FROM sender_number WHERE number = :n"), {"n": gone})
    after = {to: (await ask(database, owner, to=to)).sender for to in recipients}
    assert {to for to in recipients if after[to] != before[to]} == {
        to for to in recipients if before[to] == gone
    }


async def test_a_recipient_keeps_its_number_of_a_large_pool(
    database: Database, owner: Owner
) -> None:
    numbers = await fill(database, owner, 50, own=False)
    for n, sender in enumerate(numbers[:5]):
        to = f"+1813555{n:04}"
        await make_message(database, replace(new_message(owner, to=to), sender=sender))
        assert (await ask(database, owner, to=to)).sender == sender
