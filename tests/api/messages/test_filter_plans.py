"""A filtered list reads few of a tenant's messages, whether its value is frequent or rare."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
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
    LARGE_BATCH,
    NO_BATCH,
    OFTEN,
    ONCE,
    SMALL_BATCH,
    START,
    Told,
    fill,
    list_once,
    rows_read,
    wanted,
)
from tests.api.messages.planner_statistics import STATISTICS, own_database
from tests.factories import Owner, make_owner

MESSAGES = 10_000
MOST = 11
FEW = 5 * RARE
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
    "a frequent pair and a rare contact": (wanted(metadata=OFTEN, contact_key="k1"), 10),
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
    "no filter": (wanted(), MOST),
    "a frequent status": (wanted(status=MessageStatus.DELIVERED), MOST),
    "a status of no message": (wanted(status=MessageStatus.UNKNOWN), 0),
    "a frequent status and a channel of no message": (
        wanted(status=MessageStatus.DELIVERED, channel=Channel.VOICE),
        0,
    ),
    "a rare contact": (wanted(contact_key="k1"), 10),
    "a rare recipient": (wanted(recipient_key="k1"), 10),
    "a frequent recipient": (wanted(recipient_key="also"), MOST),
    "a recipient of nothing": (wanted(recipient_key="x"), 0),
    "a frequent recipient and a rare pair": (wanted(recipient_key="also", metadata=ONCE), 1),
    "the last days": (wanted(since=START + timedelta(minutes=10 * (MESSAGES - 5))), 6),
    "the first days": (wanted(before=START + timedelta(minutes=50)), 4),
    "a frequent channel of the first days": (
        wanted(channel=Channel.SMS, before=START + timedelta(minutes=50)),
        4,
    ),
    "a large batch": (wanted(batch_id=LARGE_BATCH), MOST),
    "a small batch": (wanted(batch_id=SMALL_BATCH), 1),
    "a batch without messages": (wanted(batch_id=NO_BATCH), 0),
    "a large batch and a frequent status": (
        wanted(batch_id=LARGE_BATCH, status=MessageStatus.DELIVERED),
        MOST,
    ),
    "a large batch and a rare type": (
        wanted(batch_id=LARGE_BATCH, type=MessageType.MARKETING),
        0,
    ),
    "a large batch and a rare contact": (wanted(batch_id=LARGE_BATCH, contact_key="k1"), 4),
    "a key": (wanted(idempotency_key="key-77"), 1),
    "a key that others use often": (wanted(idempotency_key="once"), 1),
    "a key of no message": (wanted(idempotency_key="none"), 0),
    "a key and a frequent pair": (wanted(idempotency_key="once", metadata=OFTEN), 1),
}


@dataclass(frozen=True)
class Large:
    """A tenant with many messages, beside others."""

    database: Database
    owner: Owner

    async def list(
        self, case: str, merchant_id: int | None = None, after: int | None = None
    ) -> tuple[int, Told]:
        """List a case once; see list_once."""
        scope = CallerScope(tenant_id=self.owner.tenant_id, merchant_id=merchant_id)
        return await list_once(self.database, scope, CASES[case][0], after, MOST)


@pytest.fixture(scope="module", params=STATISTICS)
async def large(request: pytest.FixtureRequest, database_url: str) -> AsyncIterator[Large]:
    """A tenant with many messages in a database of its own, of which the planner knows little."""
    async with own_database(database_url) as database:
        yield Large(database, await STATISTICS[request.param](database, MESSAGES))


@pytest.mark.parametrize("of_merchant", [False, True], ids=["tenant", "merchant"])
@pytest.mark.parametrize("case", CASES)
async def test_few_rows_are_read(large: Large, case: str, of_merchant: bool) -> None:
    count, told = await large.list(case, large.owner.merchant_id if of_merchant else None)
    assert count == CASES[case][1]
    for generic in (False, True):
        assert await rows_read(large.database, told, generic=generic) <= FEW, generic


@pytest.mark.parametrize(
    "case",
    ["a frequent pair", "a frequent type", "a pair of old messages", "no filter", "a large batch"],
)
async def test_a_later_page_does_not_read_the_earlier_ones(large: Large, case: str) -> None:
    async with large.database.read() as db:
        middle = await db.scalar(
            text(
                "SELECT id FROM message WHERE tenant_id = :t ORDER BY id"
                " OFFSET CAST(:skipped AS int) LIMIT 1"
            ),
            {"t": large.owner.tenant_id, "skipped": MESSAGES // 4},
        )
    count, told = await large.list(case, after=middle)
    assert count == CASES[case][1]
    for generic in (False, True):
        assert await rows_read(large.database, told, generic=generic) <= FEW, generic


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
        (wanted(recipient_key="also"), "TRUE"),
        (wanted(batch_id=LARGE_BATCH), "batch_id = 1"),
        (wanted(recipient_key="k7"), "contact_key = 'k7'"),
        (wanted(status=MessageStatus.DELIVERED, contact_key="k7"), "contact_key = 'k7'"),
        (wanted(), "TRUE"),
        (
            wanted(since=START + timedelta(days=3), before=START + timedelta(days=9)),
            "accepted_at >= '2026-05-23 11:00Z' AND accepted_at < '2026-05-29 11:00Z'",
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
    async with database.read_by_index() as db:
        while True:
            after = found[-1] if found else None
            page = (await list_messages(db, scope, criteria, after=after, most=most)).rows
            found += [row_id(message.id) for message, _ in page]
            if len(page) < most:
                break
        expected = await db.scalars(
            text(f"SELECT id FROM message WHERE tenant_id = :t AND {naive} ORDER BY id DESC"),
            {"t": owner.tenant_id},
        )
        assert found == [*expected]
    assert found


async def test_the_statements_of_a_list_by_every_filter_are_short_enough_to_be_parsed_once(
    database: Database, owner: Owner
) -> None:
    scope = CallerScope(tenant_id=owner.tenant_id, merchant_id=owner.merchant_id)
    criteria = MessageCriteria(
        channel=Channel.SMS,
        status=MessageStatus.DELIVERED,
        contact_key="k1",
        recipient_key="k1",
        type=MessageType.OTP,
        idempotency_key="key-1",
        batch_id=LARGE_BATCH,
        metadata=OFTEN,
        since=START,
        before=START,
    )
    for one in (criteria, replace(criteria, idempotency_key=None)):
        _, told = await list_once(database, scope, one, 2**62, MOST)
        assert told
        assert max(len(statement.encode()) for statement, _ in told) <= 4096  # psycopg's limit
