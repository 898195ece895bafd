"""A read-only database: reported by readiness, and recovered without a restart."""

import asyncio
import time

import httpx
import pytest
from sqlalchemy import text

from api.services.system.readiness import KEPT_FOR, Readiness
from cli.worker.health import serve_health
from models.errors import TemporarilyUnavailable
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.database.site import Site
from tests.database.test_faults import HEAL, RAISE
from tests.stack import async_url, free_port

SOON = 10.0
"""Seconds; usually a tenth of it."""

READ_ONLY = "ALTER DATABASE {name} SET default_transaction_read_only = on"
WRITABLE = "ALTER DATABASE {name} RESET default_transaction_read_only"
END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = 'hexavox' AND pid <> pg_backend_pid()
"""


def name_of(site: Site) -> str:
    return site.url.rpartition("/")[2]


async def soon_accepted(site: Site) -> list[int]:
    """Send until accepted, within a bound; return the earlier responses."""
    until = time.monotonic() + SOON
    answers: list[int] = []
    while time.monotonic() < until:
        answer = await site.send()
        if answer.status_code == 200:
            return answers
        answers.append(answer.status_code)
        await asyncio.sleep(0.1)
    raise AssertionError(f"not taken within {SOON} s: {answers}")


async def test_after_a_failover_writes_are_503_readiness_says_so_and_it_ends_by_itself(
    site: Site,
) -> None:
    assert await site.ready()
    site.run(READ_ONLY.format(name=name_of(site)), END)  # the new server is still a standby
    answer = await site.send()
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "2")
    assert not await site.ready()
    view = await site.client.get("/api/v1/merchants", headers=site.owner.headers)
    assert view.status_code == 200, "reading goes on"

    site.run(WRITABLE.format(name=name_of(site)))
    assert set(await soon_accepted(site)) <= {503}
    assert await site.ready()


async def test_readiness_mends_the_connections_without_a_request(site: Site) -> None:
    site.run(READ_ONLY.format(name=name_of(site)), END)
    assert not await site.ready()
    site.run(WRITABLE.format(name=name_of(site)))
    assert await site.ready()
    assert (await site.send()).status_code == 200


async def test_the_workers_port_says_what_the_apis_does(own_url: str) -> None:
    database = Database(async_url(own_url), pool_size=2, contact_keys=CONTACT_KEYS)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with_check = serve_health(port, "127.0.0.1", Readiness(database).check)
    async with with_check, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{url}/readyz")).status_code == 200
        name = own_url.rpartition("/")[2]
        async with database.statement() as db:
            await db.execute(text(READ_ONLY.format(name=name)))
        await database.renew()
        await asyncio.sleep(KEPT_FOR + 0.01)
        answer = await client.get(f"{url}/readyz")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        assert "takes no writes" in answer.text
        assert (await client.get(f"{url}/healthz")).status_code == 200, "a restart helps nobody"
    await database.close()


async def test_the_workers_port_reports_that_the_database_is_down() -> None:
    database = Database(
        f"postgresql+psycopg://x:y@127.0.0.1:{free_port()}/z",
        pool_size=2,
        contact_keys=CONTACT_KEYS,
    )
    port = free_port()
    with_check = serve_health(port, "127.0.0.1", Readiness(database).check)
    async with with_check, httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/readyz")
        assert answer.status_code == 503
        assert "out of reach" in answer.text
    await database.close()


async def test_a_full_disk_is_not_ready_for_a_while_after_the_last_write_that_met_it(
    site: Site,
) -> None:
    site.run(RAISE.format(state="53100", table="message"))
    assert await site.ready()
    assert (await site.send()).status_code == 503
    assert not await site.ready()
    site.run(HEAL)
    until = time.monotonic() + SOON
    while not await site.ready():
        assert time.monotonic() < until
        await asyncio.sleep(0.2)
    assert (await site.send()).status_code == 200


async def test_a_full_disk_is_reported_by_writes(own_url: str, site: Site) -> None:
    database = Database(async_url(own_url), pool_size=2, contact_keys=CONTACT_KEYS)
    site.run(RAISE.format(state="53100", table="merchant"))
    await Readiness(database).check()
    with pytest.raises(Exception, match="planted"):
        async with database.statement() as db:
            await db.execute(text("UPDATE merchant SET active = active"))
    with pytest.raises(TemporarilyUnavailable, match="no room"):
        await Readiness(database).check()
    await database.close()
