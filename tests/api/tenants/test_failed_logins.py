"""Wrong credentials: cheap to refuse, limited per address, without locking out other clients."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event

from api.http.limits.address_buckets import MOST_ADDRESSES, AddressBuckets, client_address
from models.rules.tenants.credentials import hash_credential, new_credentials
from models.rules.tenants.token_bucket import Limit
from models.session import Database
from models.settings import Settings
from models.tables.tenant import ApiKey
from tests.api.container import services_of
from tests.api.integrator import Integrator, make_integrator, make_tenant
from tests.apps import make_app

PATH = "/api/v1/merchants"
PROXY = "10.0.0.7"


@asynccontextmanager
async def serving(settings: Settings, **changes: Any) -> AsyncIterator[FastAPI]:
    """An installation that permits three failures per address."""
    limits = {"failed_login_rate": 1, "failed_login_burst": 3}
    app = make_app(settings.model_copy(update=limits | changes))
    async with app.router.lifespan_context(app):
        yield app


@asynccontextmanager
async def calling(app: FastAPI, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client at an address."""
    transport = httpx.ASGITransport(app=app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield client


@contextmanager
def look_ups(app: FastAPI) -> Iterator[list[str]]:
    """Record every query for a key."""
    authenticator = services_of(app).authenticator
    engine = authenticator._database.engine.sync_engine
    queries: list[str] = []

    def note(_c: object, _cur: object, statement: str, *_rest: object) -> None:
        if "api_key" in statement:
            queries.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield queries
    finally:
        event.remove(engine, "before_cursor_execute", note)


def login(key: str, secret: str = "hxs_wrong") -> dict[str, str]:
    """Return the headers of a login attempt."""
    return {"X-API-KEY": key, "X-API-SECRET": secret}


async def test_an_unknown_key_is_looked_up_once_a_second(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    began = monotonic()
    with look_ups(app) as queries:
        for _ in range(50):
            assert (await client.get(PATH, headers=login("hxk_nobody"))).status_code == 401
    assert len(queries) <= 1 + int(monotonic() - began) + 1


async def test_concurrent_requests_with_one_key_share_a_look_up(
    app: FastAPI, integrator: Integrator
) -> None:
    with look_ups(app) as queries:
        answers = await asyncio.gather(*(integrator.get("/merchants") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(queries) == 1


async def test_waiters_continue_when_the_first_client_disconnects(integrator: Integrator) -> None:
    first = asyncio.create_task(integrator.get("/merchants"))
    second = asyncio.create_task(integrator.get("/merchants"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).status_code == 200


async def test_a_wrong_secret_of_a_known_key_needs_no_look_up_and_locks_no_one_out(
    settings: Settings, database: Database
) -> None:
    async with serving(settings) as app, calling(app, "192.0.2.1") as client:
        caller = await make_integrator(database, client)
        key = caller.headers["X-API-KEY"]
        assert (await caller.get("/merchants")).status_code == 200
        with look_ups(app) as queries:
            statuses = [(await client.get(PATH, headers=login(key))).status_code for _ in range(10)]
        assert (statuses, queries) == ([401] * 3 + [429] * 7, [])
        assert (await caller.get("/merchants")).status_code == 200


async def test_guessing_keys_is_stopped_before_postgres_for_that_address_only(
    settings: Settings, database: Database
) -> None:
    async with serving(settings) as app, AsyncExitStack() as held:
        thief = await held.enter_async_context(calling(app, "192.0.2.1"))
        other = await held.enter_async_context(calling(app, "192.0.2.2"))
        neighbour = await make_integrator(database, thief)
        assert (await neighbour.get("/merchants")).status_code == 200
        with look_ups(app) as queries:
            answers = [await thief.get(PATH, headers=login(f"hxk_{n}")) for n in range(40)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert {answer.status_code for answer in answers} == {401, 429}
        assert len(queries) == 40 - len(refused) < 10
        assert refused[0].json()["code"] == "RATE_LIMITED"
        assert refused[0].headers["Retry-After"] == "1"
        assert refused[0].headers["RateLimit-Policy"] == '"failed-logins";q=3;w=3'
        # A cached pair passes, from the same address and when it is looked up again.
        known = services_of(app).authenticator._known
        key_hash = hash_credential(neighbour.headers["X-API-KEY"])
        known[key_hash] = replace(known[key_hash], until=0.0)
        assert (await neighbour.get("/merchants")).status_code == 200
        # Clients at other addresses are not affected.
        fresh = await make_integrator(database, other)
        assert (await fresh.get("/merchants")).status_code == 200


async def test_repeating_a_revoked_key_does_not_lock_its_successor_out(
    settings: Settings, database: Database
) -> None:
    async with serving(settings) as app, calling(app, "192.0.2.1") as client:
        answers = [await client.get(PATH, headers=login("hxk_revoked")) for _ in range(30)]
        assert answers[-1].status_code == 429
        successor = await make_integrator(database, client)
        assert (await successor.get("/merchants")).status_code == 200


async def test_without_credentials_it_is_always_401_and_never_looked_up(
    settings: Settings,
) -> None:
    async with serving(settings) as app, calling(app, "192.0.2.1") as client:
        with look_ups(app) as queries:
            statuses = {(await client.get(PATH)).status_code for _ in range(20)}
        assert (statuses, queries) == ({401}, [])


@pytest.mark.timeout(30)
async def test_a_key_that_was_tried_too_early_works_soon_after_it_was_made(
    client: httpx.AsyncClient, database: Database
) -> None:
    pair = new_credentials()
    headers = login(pair.key, pair.secret)
    assert (await client.get(PATH, headers=headers)).status_code == 401
    tenant = await make_tenant(database)
    async with database.transaction() as db:
        db.add(
            ApiKey(
                tenant_id=tenant,
                name="late",
                key=pair.key,
                key_hash=hash_credential(pair.key),
                secret_hash=hash_credential(pair.secret),
                created_at=datetime.now(UTC),
            )
        )
    async with asyncio.timeout(2):
        while (  # noqa: ASYNC110 - there is no event to wait for
            await client.get(PATH, headers=headers)
        ).status_code != 200:
            await asyncio.sleep(0.05)


async def _first_refusal(app: FastAPI, address: str, *forwarded: str) -> int:
    """Fail until it is 429; return the number of 401s."""
    lines = [("X-Forwarded-For", line) for line in forwarded]
    async with calling(app, address) as client:
        for failures in range(20):
            headers = [*login(f"hxk_{address}{failures}").items(), *lines]
            if (await client.get(PATH, headers=headers)).status_code == 429:
                return failures
    return 20


async def test_a_forwarded_address_is_ignored_unless_its_proxy_is_trusted(
    settings: Settings,
) -> None:
    async with serving(settings, failed_login_rate=0.001) as app:
        assert await _first_refusal(app, PROXY, "192.0.2.1") == 3
        assert await _first_refusal(app, PROXY, "192.0.2.2") == 0


async def test_behind_a_trusted_proxy_each_client_has_an_address(settings: Settings) -> None:
    changes = {"failed_login_rate": 0.001, "trusted_proxies": ("10.0.0.0/8", "2001:db8::1")}
    async with serving(settings, **changes) as app:
        assert await _first_refusal(app, PROXY, "192.0.2.1") == 3
        assert await _first_refusal(app, PROXY, "192.0.2.2") == 3
        assert await _first_refusal(app, "2001:db8::1", "192.0.2.3") == 3
        # The left part was written by the client and is ignored.
        assert await _first_refusal(app, PROXY, "198.51.100.9, 192.0.2.1") == 0
        assert await _first_refusal(app, PROXY, "10.1.1.1, 192.0.2.1, 10.2.2.2") == 0
        assert await _first_refusal(app, PROXY, "198.51.100.9", "192.0.2.1") == 0
        # With a port; and a client that claims to be a proxy.
        assert await _first_refusal(app, PROXY, "192.0.2.1:4711") == 0
        assert await _first_refusal(app, "203.0.113.5", "192.0.2.99") == 3
        assert await _first_refusal(app, "203.0.113.5", "192.0.2.98") == 0


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.1", 80), "192.0.2.1"),
        (("::ffff:192.0.2.1", 80), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 80), "2001:db8:1:2::/64"),
        (("2001:db8:1:2::1", 80), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 80), "fe80::/64"),
        (("unknown", 0), "unknown"),
        (("x" * 5000, 0), "x" * 64),
        (("", 0), ""),
        (None, ""),
    ],
)
def test_an_address_is_one_customer(client: tuple[str, int] | None, address: str) -> None:
    assert client_address({"type": "http", "client": client}) == address


def test_addresses_by_the_thousand_are_forgotten_in_turn() -> None:
    buckets = AddressBuckets(Limit(name="failed-logins", rate=0.001, burst=1))
    for address in ("the first", "another"):
        buckets.of(address).take()
    for number in range(MOST_ADDRESSES - 1):
        buckets.of(str(number))
    assert (buckets.of("another").left, buckets.of("the first").left) == (0, 1)
