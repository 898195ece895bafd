"""Every wait has a bound, and a lock only affects its own tenant."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest
from sqlalchemy import text

from models.database.limits import WORKER
from models.session import Database, connect_options
from tests.contacts import CONTACT_KEYS
from tests.database.site import Site, open_site
from tests.factories import Owner, make_owner, unique
from tests.stack import async_url

LOCKS = {
    "merchant": "SELECT 1 FROM merchant WHERE tenant_id = %s FOR UPDATE",
    "allowance_month": "SELECT 1 FROM allowance_month WHERE tenant_id = %s FOR UPDATE",
    "credit_account": "SELECT 1 FROM credit_account WHERE tenant_id = %s FOR UPDATE",
}


@contextmanager
def locked(site: Site, owner: Owner, table: str = "merchant") -> Iterator[None]:
    """Lock the rows of a tenant in an open transaction."""
    with site.admin() as db, db.transaction():
        db.execute(LOCKS[table].encode(), [owner.tenant_id])
        yield


async def timed(site: Site, owner: Owner, key: str | None = None) -> tuple[int, float]:
    began = time.monotonic()
    answer = await site.send(owner, key=key)
    if answer.status_code != 200:
        assert answer.headers["Retry-After"]
    return answer.status_code, time.monotonic() - began


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize("table", LOCKS)
async def test_forty_requests_of_a_locked_merchant_leave_the_others_alone(
    site: Site, table: str, keyed: bool
) -> None:
    other = await make_owner(site.database)
    for owner in (site.owner, other):
        assert (await site.send(owner)).status_code == 200  # the month's row exists
    with locked(site, site.owner, table):
        stuck = [
            asyncio.create_task(timed(site, site.owner, unique("k") if keyed else None))
            for _ in range(40)
        ]
        await asyncio.sleep(0.3)
        # Otherwise each of them would wait for a connection until its timeout.
        answers = [await timed(site, other) for _ in range(20)]
        assert Counter(status for status, _ in answers) == {200: 20}
        assert sorted(seconds for _, seconds in answers)[10] < 0.5
        ended = await asyncio.wait_for(asyncio.gather(*stuck), 25)
        assert {status for status, _ in ended} == {503}
    assert (await timed(site, site.owner))[0] == 200
    assert (await timed(site, site.owner))[0] == 200


async def test_twins_while_their_merchant_is_locked_wait_and_are_one(site: Site) -> None:
    with locked(site, site.owner):
        twins = [asyncio.create_task(site.send(key="twin")) for _ in range(3)]
        await asyncio.sleep(3)  # longer than any other lock timeout
    answers = await asyncio.gather(*twins)
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.json()["messageId"] for answer in answers}) == 1


async def test_twins_in_two_processes_wait_and_are_one(own_url: str, site: Site) -> None:
    async with open_site(own_url) as second:
        with locked(site, site.owner):
            twins = [
                asyncio.create_task(one.send(site.owner, key="twin")) for one in (site, second)
            ]
            await asyncio.sleep(3)
        answers = await asyncio.gather(*twins)
    assert [answer.status_code for answer in answers] == [200] * 2
    assert len({answer.json()["messageId"] for answer in answers}) == 1


async def test_twins_of_an_upsert_wait_for_each_other_longer_than_for_a_lock(site: Site) -> None:
    body = {
        "merchantId": site.owner.merchant,
        "channel": "SMS",
        "contact": "+18135551234",
        "status": "OPT_IN",
        "source": "form",
    }
    name = "\x1f".join(("idempotency", str(site.owner.tenant_id), "POST /api/v1/consents", "", "k"))
    with site.admin() as db, db.transaction():
        db.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        twins = [asyncio.create_task(site.post("/consents", body, key="k")) for _ in range(2)]
        await asyncio.sleep(3)
        assert not any(twin.done() for twin in twins)
    answers = await asyncio.gather(*twins)
    assert [answer.status_code for answer in answers] == [200] * 2
    assert {answer.headers.get("Idempotency-Replayed") for answer in answers} == {None, "true"}


async def test_a_twin_of_a_frozen_process_is_taken_once_the_server_has_ended_that(
    own_url: str, site: Site
) -> None:
    frozen = Database(async_url(own_url), pool_size=1, limits=WORKER, contact_keys=CONTACT_KEYS)
    async with frozen_with(frozen, site.owner):
        began = time.monotonic()
        answer = await site.send(key="twin")
        assert answer.status_code == 200
        assert time.monotonic() - began < 15


@asynccontextmanager
async def frozen_with(database: Database, owner: Owner) -> AsyncIterator[None]:
    """Hold a merchant's row in an idle transaction."""
    async with database.engine.connect() as connection:
        statement = text("SELECT 1 FROM merchant WHERE tenant_id = :tenant FOR UPDATE")
        await connection.execute(statement, {"tenant": owner.tenant_id})
        yield
        await connection.invalidate()
    await database.close()


@pytest.mark.parametrize("given", ["", "?options=-c%20lock_timeout%3D77", "?connect_timeout=9"])
def test_parameters_in_the_url_take_precedence(given: str) -> None:
    options = connect_options(f"postgresql+psycopg://x@y/z{given}", WORKER)
    assert options["options"].startswith("-c lock_timeout=3000 -c statement_timeout=8000 ")
    assert options["options"].endswith("lock_timeout=77") == ("options" in given)
    assert ("connect_timeout" in options) == ("connect_timeout" not in given)
    assert options["tcp_user_timeout"] == 8000
