"""Rate and concurrency limits per key and per tenant, and their headers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api.http.limits.limit_settlement import settle
from api.http.limits.rate_limits import MOST_BUCKETS, RequestLimits
from models.errors import RateLimited
from models.queries.tenants import request_limits
from models.queries.tenants.request_limits import Served
from models.rules.tenants.token_bucket import Limit
from models.session import Database
from models.settings import Settings
from tests.api.integrator import Integrator, make_integrator, make_tenant
from tests.apps import make_app


@asynccontextmanager
async def serving(settings: Settings, **limits: Any) -> AsyncIterator[httpx.AsyncClient]:
    """An installation with these limits, and a client of it."""
    app = make_app(settings.model_copy(update=limits))
    async with AsyncExitStack() as held:
        await held.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app=app)
        client = httpx.AsyncClient(transport=transport, base_url="http://api.test")
        yield await held.enter_async_context(client)


async def test_a_rate_limited_request_gets_retry_after(
    settings: Settings, database: Database
) -> None:
    async with serving(settings, rate_limit=1, rate_burst=2) as client:
        one = await make_integrator(database, client)
        other = await make_integrator(database, client)
        answers = [await one.get("/merchants") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        refused = answers[-1]
        assert refused.json()["code"] == "RATE_LIMITED"
        assert refused.headers["Retry-After"] == "1"
        assert refused.headers["RateLimit-Policy"] == '"key";q=2;w=2'
        assert refused.headers["RateLimit"] == '"key";r=0;t=2'
        assert answers[0].headers["RateLimit"] == '"key";r=1;t=1'
        assert (await other.get("/merchants")).status_code == 200


async def test_many_keys_of_one_tenant_have_one_limit_together(
    settings: Settings, database: Database
) -> None:
    limits = {"rate_limit": 1, "rate_burst": 2, "tenant_rate_limit": 1, "tenant_rate_burst": 3}
    async with serving(settings, **limits) as client:
        tenant = await make_tenant(database)
        keys = [await make_integrator(database, client, tenant) for _ in range(3)]
        answers = [await key.get("/merchants") for key in keys for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429, 429]
        assert answers[0].headers["RateLimit"] == '"key";r=1;t=1'  # the binding limit
        assert answers[2].headers["RateLimit"] == '"tenant";r=0;t=3'
        assert answers[3].headers["RateLimit-Policy"] == '"tenant";q=3;w=3'
        stranger = await make_integrator(database, client)
        assert (await stranger.get("/merchants")).status_code == 200


async def test_a_refused_request_uses_none_of_the_tenants_tokens(
    settings: Settings, database: Database
) -> None:
    limits = {"rate_limit": 1, "rate_burst": 1, "tenant_rate_limit": 1, "tenant_rate_burst": 3}
    async with serving(settings, **limits) as client:
        tenant = await make_tenant(database)
        one = await make_integrator(database, client, tenant)
        other = await make_integrator(database, client, tenant)
        answers = [await one.get("/merchants") for _ in range(10)]
        assert [answer.status_code for answer in answers] == [200, *([429] * 9)]
        assert (await other.get("/merchants")).status_code == 200


@pytest.mark.parametrize(
    ("limits", "policy"),
    [
        ({"rate_concurrency": 2}, '"key-concurrency";q=2;qu="concurrent-requests"'),
        ({"tenant_rate_concurrency": 2}, '"tenant-concurrency";q=2;qu="concurrent-requests"'),
    ],
)
async def test_more_at_once_than_allowed_is_refused_and_later_is_not(
    settings: Settings, database: Database, limits: dict[str, int], policy: str
) -> None:
    async with serving(settings, **limits) as client:
        caller = await make_integrator(database, client)
        assert (await caller.get("/merchants")).status_code == 200  # the key is cached from here on
        answers = await asyncio.gather(*(caller.get("/merchants") for _ in range(5)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert len(refused) == 3
        assert {answer.headers["RateLimit-Policy"] for answer in refused} == {policy}
        assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
        for path in ("/merchants", "/merchants/nobody", "/merchants?unknown=1"):
            for _ in range(3):  # whatever the response was, its slot is free again
                assert (await caller.get(path)).status_code != 429


async def test_other_refusals_have_rate_headers_too(integrator: Integrator) -> None:
    assert "RateLimit" in (await integrator.get("/merchants/nobody")).headers


KEY = Limit(name="key", rate=0.001, burst=10)
TENANT = Limit(name="tenant", rate=0.001, burst=1000)


def _serve(limits: RequestLimits, tenant: int, times: int) -> int:
    served = 0
    for _ in range(times):
        try:
            limits.enter(tenant, 7, {})()
            served += 1
        except RateLimited:
            pass
    return served


async def test_two_processes_share_one_limit(database: Database) -> None:
    tenant = await make_tenant(database)
    one, other = (RequestLimits(key=KEY, tenant=TENANT) for _ in range(2))
    assert _serve(one, tenant, 4) == 4
    await settle(one, database)
    assert _serve(other, tenant, 1) == 1
    await settle(other, database)
    # Five are left; the other process gets a share in proportion to its demand: a fifth.
    assert _serve(other, tenant, 10) == 1
    assert _serve(one, tenant, 10) == 6  # its last known share until it settles again


async def test_the_shared_bucket_is_exact(database: Database) -> None:
    tenant = await make_tenant(database)
    async with database.statement() as db:
        for served in (3, 4):
            told = [Served(tenant_id=tenant, key_id=key, requests=served) for key in (9, 0)]
            shared = await request_limits.settle(db, told, key=KEY, tenant=TENANT)
    left = {one.key_id: round(one.tokens) for one in shared}
    assert left == {9: 3, 0: 993}
    assert {round(one.demand) for one in shared} == {7}


async def test_processes_that_settle_at_the_same_time_do_not_wait_for_each_other(
    database: Database,
) -> None:
    tenant = await make_tenant(database)

    async def tell(keys: list[int]) -> None:
        told = [Served(tenant_id=tenant, key_id=key, requests=1) for key in keys]
        async with database.statement() as db:
            await request_limits.settle(db, told, key=KEY, tenant=TENANT)

    keys = list(range(1, 200))
    await asyncio.gather(*(tell(keys[::step]) for step in (1, -1) * 10))


async def test_without_postgres_a_process_goes_by_what_it_knows() -> None:
    nowhere = Database("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    limits = RequestLimits(key=KEY, tenant=TENANT)
    assert _serve(limits, 1, 4) == 4
    with pytest.raises(Exception, match="refused"):
        await settle(limits, nowhere)
    assert _serve(limits, 1, 100) == 6
    assert [one.requests for one in limits.due()] == [10, 10]  # settled once Postgres is back
    await nowhere.close()


def test_callers_by_the_thousand_are_forgotten_in_turn() -> None:
    limits = RequestLimits(key=KEY, tenant=TENANT)
    for tenant in range(MOST_BUCKETS):
        limits.enter(tenant, 7, {})()
    assert len(limits._buckets) == MOST_BUCKETS


async def test_the_app_settles_by_itself(settings: Settings, database: Database) -> None:
    async with serving(settings, rate_limit=1, rate_burst=5) as client:
        caller = await make_integrator(database, client)
        assert (await caller.get("/merchants")).status_code == 200
        async with asyncio.timeout(10):
            while await _left(database, caller) is None:  # noqa: ASYNC110 - a row has no event
                await asyncio.sleep(0.05)
        assert 3.9 < (await _left(database, caller) or 0.0) <= 5


async def _left(database: Database, caller: Integrator) -> float | None:
    async with database.read() as db:
        found: float | None = await db.scalar(
            text("SELECT tokens FROM request_bucket WHERE tenant_id = :t AND key_id = :k"),
            {"t": caller.tenant_id, "k": caller.key_id},
        )
    return found


async def test_a_large_body_counts_for_several_requests(
    settings: Settings, database: Database
) -> None:
    async with serving(settings, rate_limit=1, rate_burst=10) as client:
        caller = await make_integrator(database, client)
        large = await caller.send_raw("/messages/email", b" " * 1024 * 1024)
        assert large.headers["RateLimit"] == '"key";r=5;t=5'
        chunked = await caller.client.post(
            "/api/v1/merchants", content=_parts(), headers=caller.headers
        )
        assert chunked.headers["RateLimit"] == '"key";r=4;t=6'
        largest = await caller.send_raw("/messages/email", b" " * 4 * 1024 * 1024)
        assert largest.status_code == 400  # tokens were left, so it is admitted
        assert (await caller.get("/merchants")).headers["Retry-After"] == "14"


async def test_a_chunked_body_counts_for_what_came_of_it(
    settings: Settings, database: Database
) -> None:
    async with serving(settings, rate_limit=0.001, rate_burst=50) as client:
        caller = await make_integrator(database, client)
        headers = {**caller.headers, "Content-Type": "application/json"}
        left = []
        for size in (1, 4, 17):  # quarters of a MiB; the last one exceeds the route's limit
            answer = await caller.client.post(
                "/api/v1/messages/email",
                content=_parts(*[b" " * 256 * 1024] * size),
                headers=headers,
            )
            assert answer.status_code == (413 if size > 16 else 400)
            left.append(answer.headers["RateLimit"].split(";")[1])
        small = await caller.client.post(
            "/api/v1/messages/email", content=_parts(), headers=headers
        )
        left.append(small.headers["RateLimit"].split(";")[1])
    assert left == ["r=48", "r=43", "r=26", "r=25"]


async def _parts(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts or (b"{}",):
        yield part
