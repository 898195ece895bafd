"""Servers that restart, stop responding or change their role: detected and recovered in seconds."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from cli.database import alembic_config
from cli.dev.postgres import EmbeddedPostgres
from models.database.limits import API, IDLE_UNCHECKED, DatabaseLimits
from models.database.url import sqlalchemy_url
from models.session import Database
from tests.contacts import CONTACT_KEYS
from tests.database.site import Site, open_site
from tests.proxy import Proxy
from tests.stack import async_url

BACKEND = text("SELECT pg_backend_pid()")
SOON = API.answer.total_seconds() + API.slot_wait.total_seconds() + 10
"""Seconds; without these limits a dead connection was used for more than 75."""


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server that a test may stop."""
    with EmbeddedPostgres(tmp_path / "own", durable=False) as server:
        yield server


@pytest.fixture
async def proxied(own_url: str) -> AsyncIterator[tuple[Site, Proxy]]:
    """The API, connected to the database through a proxy."""
    port = int(own_url.rpartition(":")[2].partition("/")[0])
    async with Proxy(port) as proxy:
        through = own_url.replace(f":{port}/", f":{proxy.port}/")
        async with open_site(own_url, behind=through, pool=4) as site:
            yield site, proxy


async def test_the_first_request_after_a_restart_of_the_server_is_taken(
    own_server: EmbeddedPostgres,
) -> None:
    command.upgrade(alembic_config(async_url(own_server.url)), "head")
    async with open_site(own_server.url) as site:
        await asyncio.gather(*(site.send() for _ in range(8)))
        await asyncio.to_thread(own_server.stop)
        assert (await site.send()).status_code == 503
        assert not await site.ready()
        await asyncio.to_thread(own_server.start)
        assert [(await site.send()).status_code for _ in range(5)] == [200] * 5
        assert await site.ready()


async def test_a_restart_between_two_requests_is_not_noticed(own_server: EmbeddedPostgres) -> None:
    command.upgrade(alembic_config(async_url(own_server.url)), "head")
    async with open_site(own_server.url) as site:
        await asyncio.gather(*(site.send() for _ in range(8)))
        await asyncio.to_thread(own_server.stop)
        await asyncio.to_thread(own_server.start)
        answers = await asyncio.gather(*(site.send() for _ in range(8)))
        assert [answer.status_code for answer in answers] == [200] * 8


async def test_connections_gone_mute_are_given_up_within_seconds(
    proxied: tuple[Site, Proxy],
) -> None:
    site, proxy = proxied
    await asyncio.gather(*(site.send() for _ in range(8)))
    proxy.mute()
    began = time.monotonic()
    lost = [asyncio.create_task(site.send()) for _ in range(4)]
    await asyncio.sleep(0.5)
    proxy.heal()  # for new connections only
    while (await site.send()).status_code != 200:
        assert time.monotonic() - began < SOON
        await asyncio.sleep(0.1)
    answers = await asyncio.wait_for(asyncio.gather(*lost), SOON)
    assert {answer.status_code for answer in answers} <= {200, 503}


async def test_a_send_whose_commit_was_not_answered_is_found_by_its_key(
    proxied: tuple[Site, Proxy],
) -> None:
    site, proxy = proxied
    assert (await site.send()).status_code == 200
    proxy.unanswered = b"COMMIT\0"  # not that of BEGIN … READ COMMITTED
    answer = await site.send(key="lost")
    assert answer.status_code == 200
    assert not proxy.unanswered, "no commit was seen"
    again = await site.send(key="lost")
    assert again.json()["messageId"] == answer.json()["messageId"]
    with site.admin() as db:
        assert db.execute("SELECT count(*) FROM message").fetchone() == (2,)


async def test_connections_that_went_mute_while_idle_are_not_used(
    proxied: tuple[Site, Proxy],
) -> None:
    site, proxy = proxied
    await asyncio.gather(*(site.send() for _ in range(8)))
    proxy.mute()
    proxy.heal()
    await asyncio.sleep(IDLE_UNCHECKED.total_seconds() + 0.5)
    began = time.monotonic()
    assert (await site.send()).status_code == 200
    assert time.monotonic() - began < 8


async def test_a_mute_server_is_not_ready_and_says_so_soon(proxied: tuple[Site, Proxy]) -> None:
    site, proxy = proxied
    assert await site.ready()
    proxy.mute()
    began = time.monotonic()
    assert not await site.ready()
    assert time.monotonic() - began < 10
    proxy.heal()
    assert await site.ready()


async def test_only_an_idle_connection_is_checked_before_use(own_url: str) -> None:
    port = int(own_url.rpartition(":")[2].partition("/")[0])
    async with Proxy(port) as proxy:
        database = Database(
            async_url(own_url.replace(f":{port}/", f":{proxy.port}/")), pool_size=1, limits=API
        )

        async def exchanges() -> int:
            before = proxy.asked
            async with database.read() as db:
                assert await db.scalar(BACKEND)
            return proxy.asked - before

        await exchanges()
        await exchanges()
        assert [await exchanges() for _ in range(5)] == [1] * 5
        await asyncio.sleep(IDLE_UNCHECKED.total_seconds() + 0.5)
        assert await exchanges() > 1
        assert await exchanges() == 1
        await database.close()


async def test_the_one_that_takes_writes_is_found_among_several_hosts(
    own_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    """The first host of the address is a standby; later it becomes the primary."""
    standby = own_server
    marker = standby._cluster / "standby.signal"
    await asyncio.to_thread(standby.stop)
    marker.touch()
    marker.chmod(0o644)
    await asyncio.to_thread(standby.start)
    other = EmbeddedPostgres(tmp_path / "other", durable=False)
    other.data_dir.mkdir()
    (other.data_dir / "password").write_text((standby.data_dir / "password").read_text())
    with other:
        place = f"127.0.0.1:{standby.port},127.0.0.1:{other.port}"
        url = sqlalchemy_url(standby.url.replace(f"127.0.0.1:{standby.port}", place))
        database = Database(url, pool_size=2, limits=API, contact_keys=CONTACT_KEYS)
        assert await port_of(database) == other.port
        await asyncio.to_thread(other.stop)
        await asyncio.to_thread(promote, standby)
        assert await port_of(database) == standby.port
        await database.close()


async def port_of(database: Database) -> int:
    async with database.statement() as db:
        return int(await db.scalar(text("SELECT current_setting('port')")) or 0)


def promote(server: EmbeddedPostgres) -> None:
    with server._connect(server.database) as db:
        assert db.execute("SELECT pg_promote(wait => true)").fetchone() == (True,)


def test_no_client_waits_for_less_than_the_server_may_take() -> None:
    limits = DatabaseLimits(
        lock=API.lock,
        statement=API.statement,
        idle_in_transaction=API.idle_in_transaction,
        transaction=API.transaction,
    )
    assert limits.lock < limits.statement < limits.answer
    assert "transaction_timeout=15000" in limits.server_options
