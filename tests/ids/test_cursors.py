"""A cursor contains the public id of the last row only, and reveals neither position nor count."""

from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import text

from api.app import create_app
from models.session import Database
from models.settings import Settings
from tests.contacts import CONTACT_KEY_FILE
from tests.factories import NO_LIMITS, Owner, make_message, make_owner, new_message
from tests.shown_ids import row_ids_in, shown
from tests.webhook_key import WEBHOOK_KEY_FILE

PAGE = 3


@pytest.fixture(scope="module")
async def app(database_url: str) -> AsyncIterator[FastAPI]:
    """The running application."""
    app = create_app(
        Settings(
            database_url=SecretStr(database_url),
            **NO_LIMITS,
            server_secret=SecretStr("only-for-tests-too"),
            contact_key_file=CONTACT_KEY_FILE,
            webhook_key_file=WEBHOOK_KEY_FILE,
            simulator_secret=SecretStr("for-tests-only-too"),
        )
    )
    async with app.router.lifespan_context(app):
        yield app


@dataclass(frozen=True)
class Reader:
    """Reads a tenant's messages page by page."""

    database: Database
    client: httpx.AsyncClient
    owner: Owner

    async def written(self, count: int = 1) -> list[str]:
        """Insert messages; return their public ids, newest first."""
        made = [
            await make_message(self.database, new_message(self.owner, to="+18135550100"))
            for _ in range(count)
        ]
        return [str(await shown(self.database, "message", one)) for one in reversed(made)]

    async def page(self, following: str | None = None) -> tuple[list[str], str | None]:
        """Return the ids of a page, and the link to the next one."""
        url = following or f"/api/v1/messages?limit={PAGE}"
        answer = await self.client.get(url, headers=self.owner.headers)
        assert answer.status_code == 200, answer.text
        ids = [message["messageId"] for message in answer.json()]
        return ids, answer.links.get("next", {}).get("url")

    async def rest(self, following: str | None) -> list[str]:
        """Return the ids of every later page."""
        found: list[str] = []
        while following is not None:
            ids, following = await self.page(following)
            found += ids
        return found

    async def delete(self, public_id: str) -> None:
        """Delete a message, as an operator may for a deletion request."""
        ids = {"t": self.owner.tenant_id, "p": int(public_id)}
        async with self.database.transaction() as db:
            await db.execute(
                text(
                    "DELETE FROM ledger_entry WHERE tenant_id = :t AND message_id ="
                    " (SELECT id FROM message WHERE tenant_id = :t AND public_id = :p)"
                ),
                ids,
            )
            await db.execute(
                text("DELETE FROM message WHERE tenant_id = :t AND public_id = :p"), ids
            )


@pytest.fixture
async def reader(app: FastAPI, database: Database) -> AsyncIterator[Reader]:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield Reader(database, client, await make_owner(database))


def named_by(link: str | None) -> str:
    """Return the content of a link's cursor."""
    assert link is not None
    cursor = httpx.URL(link).params["cursor"]
    return urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()


async def test_a_cursor_says_the_public_id_of_the_last_row_and_nothing_else(
    reader: Reader,
) -> None:
    messages = await reader.written(2 * PAGE)
    ids, link = await reader.page()
    assert ids == messages[:PAGE]
    assert named_by(link) == ids[-1]
    assert row_ids_in(str(link)) == set()


async def test_cursors_are_neither_in_the_order_of_the_rows_nor_close_together(
    reader: Reader,
) -> None:
    await reader.written(16)
    cursors = []
    _, link = await reader.page("/api/v1/messages?limit=1")
    while link is not None:
        cursors.append(int(named_by(link)))
        _, link = await reader.page(link)
    assert len(cursors) == 15
    assert cursors not in (sorted(cursors), sorted(cursors, reverse=True))
    distances = [abs(one - other) for one, other in pairwise(cursors)]
    assert min(distances) > 10**6, "rows are a few apart, public ids 10^15"


@pytest.mark.parametrize("written", [1, PAGE, 2 * PAGE])
async def test_concurrent_inserts_move_no_page(reader: Reader, written: int) -> None:
    messages = await reader.written(3 * PAGE)
    first, link = await reader.page()
    await reader.written(written)
    assert first + await reader.rest(link) == messages
    again, _ = await reader.page(link)
    assert again == messages[PAGE : 2 * PAGE], "the cursor still means the same place"


@pytest.mark.parametrize("place", [0, 1, PAGE, PAGE + 1, 2 * PAGE])
async def test_a_concurrent_deletion_removes_only_its_row_from_pages(
    reader: Reader, place: int
) -> None:
    messages = await reader.written(3 * PAGE)
    first, link = await reader.page()
    await reader.delete(messages[place])
    rest = await reader.rest(link)
    assert [*first, *rest] == [one for one in messages if one in first or one != messages[place]]


async def test_a_cursor_whose_own_row_was_deleted_is_refused_and_does_not_start_over(
    reader: Reader,
) -> None:
    messages = await reader.written(2 * PAGE)
    _, link = await reader.page()
    assert link is not None
    await reader.delete(messages[PAGE - 1])
    answer = await reader.client.get(link, headers=reader.owner.headers)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "cursor")
