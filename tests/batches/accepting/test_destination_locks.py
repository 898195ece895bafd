"""The rows of limited destinations: pages and single sends lock them in one order."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from models.queries.messages.destinations import (
    Destination,
    count_send,
    lock_windows,
    write_windows,
)
from models.rules.messages.destination_limits import Limit
from models.session import Database, WriteSession
from tests.factories import Owner, make_owner

NOW = datetime(2026, 4, 16, 12, tzinfo=UTC)
LIMIT = Limit(most=3, span=timedelta(hours=1))


def destination(owner: Owner, merchant_id: int, key: str) -> Destination:
    return Destination(
        tenant_id=owner.tenant_id, merchant_id=merchant_id, destination_key=key, limits=[LIMIT]
    )


async def count(db: WriteSession, counted: Destination) -> None:
    """Count one send as a single send does."""
    assert not await count_send(db, counted, contact_key="c" * 64, message_id=0, now=NOW)


async def page(
    database: Database, owner: Owner, counted: Sequence[Destination], locked: asyncio.Event
) -> None:
    """Count a send for each destination as a page of a batch does."""
    async with database.transaction() as db:
        places = [one.place for one in counted]
        times = await lock_windows(db, owner.tenant_id, places, NOW)
        locked.set()
        for place in places:
            times[place].count([LIMIT], NOW)
        await write_windows(db, owner.tenant_id, times)


async def sends(database: Database, owner: Owner) -> list[int]:
    """Return how many sends are counted for each destination, in order."""
    async with database.read() as db:
        found = await db.scalars(
            text(
                "SELECT cardinality(sent_at) FROM destination_window WHERE tenant_id = :t"
                " ORDER BY merchant_id, destination_key"
            ),
            {"t": owner.tenant_id},
        )
        return list(found)


@pytest.mark.parametrize("existing", [[], [0], [1], [0, 1]])
async def test_a_page_and_a_send_to_the_same_recipient_do_not_deadlock(
    database: Database, existing: list[int]
) -> None:
    """The send has counted its contact, and the page has begun, when it counts its prefix."""
    owner = await make_owner(database)
    both = [destination(owner, 0, "contact"), destination(owner, owner.merchant_id, "prefix")]
    for one in existing:
        async with database.transaction() as db:
            await count(db, both[one])
    locked = asyncio.Event()
    async with database.transaction() as db:
        await count(db, both[0])
        paging = asyncio.create_task(page(database, owner, both, locked))
        waiting = asyncio.create_task(locked.wait())
        await asyncio.wait({waiting}, timeout=0.3)
        await asyncio.sleep(0.1)
        await count(db, both[1])
    await asyncio.gather(paging, waiting)
    assert await sends(database, owner) == [2 + (0 in existing), 2 + (1 in existing)]
