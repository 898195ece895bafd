"""A search for frequent values that hardly ever occur together ends early, with a next page."""

from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event, text
from starlette.datastructures import URL

from api.http.pagination import Page
from api.services.messages.read import Messages
from models.session import Database
from tests.api.container import put_in, restored
from tests.api.integrator import Integrator, make_merchant
from tests.api.messages.large_tenants import EARLY, OFTEN, fill
from tests.factories import Owner

MerchantKey = Callable[[int, int], Awaitable[Integrator]]

MESSAGES = 2_500
LEAST = 201
"""Messages that a search always examines."""
MOST_STATEMENTS = 20
"""Per page, also those that find the cursor, the merchant and the views."""

# Even messages are MARKETING, odd ones are voice calls, and some are both.
_MIX = """
    UPDATE message AS m
       SET type = CASE WHEN n % 2 = 0 OR n = ANY(CAST(:both AS int[])) THEN 'MARKETING'
                       ELSE 'OTP' END,
           channel = CASE WHEN n % 2 = 1 OR n = ANY(CAST(:both AS int[])) THEN 'VOICE'
                          ELSE 'SMS' END,
           merchant_id = CASE WHEN n % 3 = 0 THEN CAST(:other AS bigint) ELSE merchant_id END
      FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM message WHERE tenant_id = :t) AS o
     WHERE m.tenant_id = :t AND m.id = o.id
"""
_NAIVE = """
    SELECT public_id FROM message
     WHERE tenant_id = :t AND merchant_id = ANY(CAST(:merchants AS bigint[]))
       AND type = 'MARKETING' AND channel = 'VOICE'
     ORDER BY id DESC
"""


@dataclass(frozen=True)
class Answered:
    """One page, the URL of the next one and the statements that the service executed."""

    ids: list[str]
    following: str | None
    statements: int


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """Note the statements that are executed in the block."""
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def pages_of(database: Database, integrator: Integrator, query: str) -> list[Answered]:
    """Follow the links from the first page to the last one, at most so many as can be needed."""
    pages: list[Answered] = []
    following: str | None = f"/api/v1/messages?{query}"
    while following:
        assert len(pages) < MESSAGES, "endless"
        with counted(database) as statements:
            answer = await integrator.client.get(following, headers=integrator.headers)
        assert answer.status_code == 200, answer.text
        following = answer.links.get("next", {}).get("url")
        ids = [message["messageId"] for message in answer.json()]
        pages.append(Answered(ids, following, len(statements)))
    return pages


async def mix(database: Database, owner: Owner, both: Collection[int] = ()) -> int:
    """Add messages, some of another merchant; return that merchant's id."""
    await fill(database, owner, MESSAGES)
    other = await make_merchant(database, owner.tenant_id, "other")
    async with database.transaction() as db:
        await db.execute(text(_MIX), {"t": owner.tenant_id, "both": list(both), "other": other})
    return other


def tenant_of(owner: Owner, client: Any) -> Integrator:
    """Return the tenant as an integrator."""
    return Integrator(client, owner.tenant_id, owner.tenant_public_id, 0, owner.headers)


@contextmanager
def bounded(app: FastAPI, database: Database, most_examined: int) -> Iterator[None]:
    """Let a request examine few messages."""
    with restored(app):
        put_in(app, "messages", reads=Messages(database, most_examined=most_examined))
        yield


@pytest.mark.parametrize(
    "both",
    [
        (),
        (1,),
        (MESSAGES,),
        (1, MESSAGES),
        (MESSAGES - 2 * LEAST, MESSAGES - 2 * LEAST - 1, MESSAGES - 2 * LEAST - 2),
        range(3, MESSAGES, 97),
        range(1_000, 1_030),
    ],
    ids=["never", "oldest", "newest", "both ends", "at the bound", "spread", "in a row"],
)
async def test_the_pages_give_what_a_naive_search_gives(
    app: FastAPI,
    client: Any,
    database: Database,
    owner: Owner,
    merchant_key: MerchantKey,
    both: Collection[int],
) -> None:
    other = await mix(database, owner, both)
    callers = [
        (tenant_of(owner, client), [owner.merchant_id, other]),
        (await merchant_key(owner.tenant_id, owner.merchant_id), [owner.merchant_id]),
    ]
    for caller, merchants in callers:
        async with database.read() as db:
            naive = await db.scalars(text(_NAIVE), {"t": owner.tenant_id, "merchants": merchants})
            expected = [str(number) for number in naive]
        for limit, most_examined in ((1, LEAST), (7, LEAST), (7, 300), (7, 700), (500, LEAST)):
            with bounded(app, database, most_examined):
                query = f"type=MARKETING&channel=VOICE&limit={limit}"
                pages = await pages_of(database, caller, query)
            assert [one for page in pages for one in page.ids] == expected
            assert all(len(page.ids) <= limit for page in pages)
            assert max(page.statements for page in pages) <= MOST_STATEMENTS
            # About half of the messages have each value; a page is short only at the bound.
            assert len(pages) <= MESSAGES // most_examined + len(expected) // limit + 2


async def test_an_empty_page_has_a_next_one_until_the_list_ends(
    app: FastAPI, client: Any, database: Database, owner: Owner
) -> None:
    await mix(database, owner)
    with bounded(app, database, 300):
        pages = await pages_of(
            database, tenant_of(owner, client), "type=MARKETING&channel=VOICE&limit=10"
        )
    assert len(pages) >= 4
    assert not any(page.ids for page in pages)
    assert all(page.following for page in pages[:-1])
    assert pages[-1].following is None
    assert len({page.following for page in pages}) == len(pages)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("metadata.shop=north&metadata.campaign=spring", MESSAGES // 2),
        ("metadata.campaign=spring&type=MARKETING", MESSAGES // 4),
        ("metadata.shop=north&channel=VOICE", MESSAGES // 2),
        ("metadata.shop=north&status=UNKNOWN", 0),
        ("metadata.shop=north&type=OTP&channel=SMS", 0),
        ("from=2026-05-20&until=2026-06-30&channel=SMS", MESSAGES // 2),
        ("type=OTP", MESSAGES // 2),
        ("", MESSAGES),
    ],
)
async def test_other_filters_find_each_message_once(
    app: FastAPI, client: Any, database: Database, owner: Owner, query: str, count: int
) -> None:
    assert (OFTEN, EARLY) == ({"shop": "north"}, {"campaign": "spring"})
    await mix(database, owner)
    with bounded(app, database, LEAST):
        pages = await pages_of(database, tenant_of(owner, client), f"{query}&limit=150".lstrip("&"))
    found = [one for page in pages for one in page.ids]
    assert len(found) == len({*found}) == count


async def test_the_cursor_names_no_message_of_another_merchant(
    app: FastAPI, database: Database, owner: Owner, merchant_key: MerchantKey
) -> None:
    await mix(database, owner)
    caller = await merchant_key(owner.tenant_id, owner.merchant_id)
    with bounded(app, database, 250):
        pages = await pages_of(database, caller, "type=MARKETING&channel=VOICE&limit=10")
    named = [_cursor(page.following) for page in pages if page.following]
    assert len(named) >= 3
    async with database.read() as db:
        merchants = await db.scalars(
            text(
                "SELECT merchant_id FROM message"
                " WHERE tenant_id = :t AND public_id = ANY(CAST(:named AS bigint[]))"
            ),
            {"t": owner.tenant_id, "named": named},
        )
        assert [*merchants] == [owner.merchant_id] * len(named)


def _cursor(url: str) -> int | None:
    """Return the public id that the cursor of a URL holds."""
    cursor = httpx.URL(url).params["cursor"]
    return Page(limit=1, cursor=cursor, url=URL(url)).after_id()
