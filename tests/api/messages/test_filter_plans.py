"""A filtered list reads few of a tenant's messages, whether its value is frequent or rare."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from models.enums import Channel, MessageStatus, MessageType
from models.queries.messages.search import RARE, MessageCriteria, list_messages
from models.queries.tenants.visibility import CallerScope
from models.session import Database
from models.tables.base import row_id
from tests.api.messages.large_tenants import (
    EARLY,
    OFTEN,
    ONCE,
    START,
    analyze,
    fill,
    list_once,
    rows_read,
    wanted,
)
from tests.factories import Owner, make_owner

MESSAGES = 20_000
MOST = 11
FEW = 10 * RARE
"""Rows of all statements: RARE of each value, and the page; the tenant has ten times as many."""

CASES: dict[str, tuple[MessageCriteria, int]] = {
    "a frequent pair": (wanted(metadata=OFTEN), MOST),
    "a pair of old messages": (wanted(metadata=EARLY), MOST),
    "a rare pair": (wanted(metadata=ONCE), 1),
    "a pair of no message": (wanted(metadata={"shop": "south"}), 0),
    "a frequent and a rare pair": (wanted(metadata={**OFTEN, **ONCE}), 1),
    "a rare pair before two frequent ones": (wanted(metadata={**ONCE, **EARLY, **OFTEN}), 1),
    "a frequent pair and one of no message": (wanted(metadata={**OFTEN, "a": ""}), 0),
    "a frequent pair and a frequent type": (wanted(metadata=OFTEN, type=MessageType.OTP), MOST),
    "a frequent pair and a rare type": (wanted(metadata=OFTEN, type=MessageType.MARKETING), 1),
    "a rare pair and a frequent type": (wanted(metadata=ONCE, type=MessageType.OTP), 0),
    "a rare type": (wanted(type=MessageType.MARKETING), 1),
    "a type of no message": (wanted(type=MessageType.REMINDER), 0),
    "a frequent type": (wanted(type=MessageType.OTP), MOST),
    "a frequent pair and a rare contact": (wanted(metadata=OFTEN, contact_key="k1"), MOST),
    "a frequent pair and a contact of nobody": (wanted(metadata=OFTEN, contact_key="x"), 0),
    "a frequent pair and a status of no message": (
        wanted(metadata=OFTEN, status=MessageStatus.UNKNOWN),
        0,
    ),
    "a frequent type and a channel of no message": (
        wanted(type=MessageType.OTP, channel=Channel.VOICE),
        0,
    ),
    "a frequent pair of the last days": (
        wanted(metadata=OFTEN, since=START + timedelta(minutes=10 * (MESSAGES - 5))),
        6,
    ),
    "a frequent pair of the first days": (
        wanted(metadata=OFTEN, before=START + timedelta(minutes=50)),
        4,
    ),
    "a frequent type of the last days": (
        wanted(type=MessageType.OTP, since=START + timedelta(minutes=10 * (MESSAGES - 5))),
        6,
    ),
    "a rare pair outside its time": (wanted(metadata=ONCE, since=START + timedelta(days=9)), 0),
    "a key": (wanted(idempotency_key="key-77"), 1),
    "a key that others use often": (wanted(idempotency_key="once"), 1),
    "a key of no message": (wanted(idempotency_key="none"), 0),
    "a key and a frequent pair": (wanted(idempotency_key="once", metadata=OFTEN), 1),
}


@pytest.fixture(scope="module")
async def large(database: Database) -> Owner:
    """A tenant with many messages, beside two others."""
    owner = await make_owner(database)
    for keyed in (False, True):
        await fill(database, await make_owner(database), MESSAGES // 2, keyed=keyed)
    await fill(database, owner, MESSAGES)
    await analyze(database)
    return owner


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize("of_merchant", [False, True], ids=["tenant", "merchant"])
@pytest.mark.parametrize("case", CASES)
async def test_few_rows_are_read(
    database: Database, large: Owner, case: str, of_merchant: bool, generic: bool
) -> None:
    merchant_id = large.merchant_id if of_merchant else None
    scope = CallerScope(tenant_id=large.tenant_id, merchant_id=merchant_id)
    criteria, expected = CASES[case]
    count, told = await list_once(database, scope, criteria, None, MOST)
    assert count == expected
    assert await rows_read(database, told, generic=generic) <= FEW


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize("case", ["a frequent pair", "a frequent type", "a pair of old messages"])
async def test_a_later_page_does_not_read_the_earlier_ones(
    database: Database, large: Owner, case: str, generic: bool
) -> None:
    async with database.read() as db:
        middle = await db.scalar(
            text(
                "SELECT id FROM message WHERE tenant_id = :t ORDER BY id"
                " OFFSET CAST(:skipped AS int) LIMIT 1"
            ),
            {"t": large.tenant_id, "skipped": MESSAGES // 4},
        )
    scope = CallerScope(tenant_id=large.tenant_id, merchant_id=None)
    criteria, expected = CASES[case]
    count, told = await list_once(database, scope, criteria, middle, MOST)
    assert count == expected
    assert await rows_read(database, told, generic=generic) <= FEW


@pytest.mark.parametrize("most", [150, 701])
@pytest.mark.parametrize(
    ("criteria", "naive"),
    [
        (wanted(metadata=OFTEN), "attributes ->> 'shop' = 'north'"),
        (
            wanted(metadata={**OFTEN, **EARLY}, type=MessageType.OTP),
            "attributes ->> 'campaign' = 'spring' AND type = 'OTP'",
        ),
        (wanted(type=MessageType.OTP, channel=Channel.SMS), "type = 'OTP'"),
        (
            wanted(metadata=OFTEN, contact_key="k7", type=MessageType.OTP),
            "contact_key = 'k7' AND type = 'OTP'",
        ),
    ],
)
async def test_the_pages_of_frequent_values_give_what_a_naive_search_gives(
    database: Database, criteria: MessageCriteria, naive: str, most: int
) -> None:
    owner = await make_owner(database)
    await fill(database, owner, 2_500)
    scope = CallerScope(tenant_id=owner.tenant_id, merchant_id=None)
    found: list[int] = []
    async with database.read() as db:
        while True:
            after = found[-1] if found else None
            page = await list_messages(db, scope, criteria, after=after, most=most)
            found += [row_id(message.id) for message, _ in page]
            if len(page) < most:
                break
        expected = await db.scalars(
            text(f"SELECT id FROM message WHERE tenant_id = :t AND {naive} ORDER BY id DESC"),
            {"t": owner.tenant_id},
        )
        assert found == [*expected]
    assert found
