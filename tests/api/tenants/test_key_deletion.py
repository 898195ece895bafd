"""The tenant keeps an admin key, and a deleted key stops at every API process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import httpx
import pytest

from api.app import create_app
from models.session import Database
from models.settings import Settings
from tests.api.integrator import GYM, Integrator, make_integrator, make_merchant
from tests.api.tenants.key_calls import (
    ALL,
    created,
    deleted,
    listed,
    own_id,
    problem,
    revoke,
    use,
)

LAST = (409, "LAST_ADMIN_KEY")


def days(count: int) -> dict[str, Any]:
    """Return the body's field for an expiry in so many days."""
    return {"expiresAt": (datetime.now(UTC) + timedelta(days=count)).isoformat()}


@pytest.mark.parametrize(
    "other",
    [
        {"scopes": ["send", "read", "billing"]},
        {"scopes": ["admin"], "merchantId": "gym-a"},
        {"scopes": ["admin"], **days(1)},
        {"scopes": ["admin"], **days(3650)},
    ],
    ids=["without admin", "of a merchant", "for a day", "for years"],
)
async def test_the_last_admin_key_is_not_deleted(
    integrator: Integrator, database: Database, other: dict[str, Any]
) -> None:
    await make_merchant(database, integrator.tenant_id)
    await created(integrator, **other)
    assert problem(await deleted(integrator, await own_id(integrator))) == LAST
    assert (await integrator.get("/keys")).status_code == 200


async def test_with_another_admin_key_it_is(integrator: Integrator) -> None:
    other = use(integrator, await created(integrator, scopes=["admin"]))
    assert (await deleted(other, await own_id(integrator))).status_code == 204
    assert (await other.post("/merchants", GYM)).status_code == 200


async def test_a_refused_deletion_works_with_the_same_key_later(integrator: Integrator) -> None:
    first = await own_id(integrator)
    assert problem(await deleted(integrator, first, "once")) == LAST
    await created(integrator, scopes=ALL)
    assert (await deleted(integrator, first, "once")).status_code == 204


@pytest.mark.parametrize(
    ("target", "remaining", "status"),
    [(2, 3, 204), (2, 2, 204), (3, 2, 409)],
    ids=["a later one remains", "one of the same time remains", "only an earlier one remains"],
)
async def test_of_keys_that_expire_the_one_that_lasts_longest_stays(
    database: Database,
    integrator: Integrator,
    target: int,
    remaining: int,
    status: int,
) -> None:
    at = {count: days(count) for count in (2, 3)}
    deleting = await created(integrator, scopes=["admin"], **at[target])
    staying = await created(integrator, scopes=["admin"], **at[remaining])
    await revoke(database, integrator)
    answer = await deleted(use(integrator, staying), deleting["keyId"])
    assert answer.status_code == status, answer.text


async def test_keys_of_merchants_and_keys_without_admin_are_always_deleted(
    integrator: Integrator,
    database: Database,
    merchant_key: Callable[[int, int], Awaitable[Integrator]],
) -> None:
    merchant = await make_merchant(database, integrator.tenant_id)
    own = await merchant_key(integrator.tenant_id, merchant)
    (view,) = await listed(own)
    plain = await created(integrator, scopes=["send"])
    assert (await deleted(integrator, plain["keyId"])).status_code == 204
    assert (await deleted(own, view["keyId"])).status_code == 204


async def test_of_the_last_two_deleted_at_once_one_stays(
    integrator: Integrator, database: Database
) -> None:
    for _ in range(10):
        one = use(integrator, made := await created(integrator, scopes=ALL))
        other_id = (await created(integrator, scopes=ALL))["keyId"]
        await _delete_all_but(integrator, {made["keyId"], other_id})
        ids = [made["keyId"], other_id]
        answers = await asyncio.gather(*(deleted(one, key_id) for key_id in ids))
        statuses = sorted(answer.status_code for answer in answers)
        assert statuses in ([204, 409], [204, 401]), [answer.text for answer in answers]
        integrator = await make_integrator(database, integrator.client)


async def test_keys_that_delete_each_other_leave_one(
    integrator: Integrator, database: Database
) -> None:
    for _ in range(10):
        one, two = [await created(integrator, scopes=ALL) for _ in range(2)]
        await _delete_all_but(integrator, {one["keyId"], two["keyId"]})
        answers = await asyncio.gather(
            deleted(use(integrator, one), two["keyId"]),
            deleted(use(integrator, two), one["keyId"]),
        )
        assert sorted(answer.status_code for answer in answers) == [204, 401]
        integrator = await make_integrator(database, integrator.client)


async def test_of_the_last_two_that_delete_themselves_at_once_one_stays(
    integrator: Integrator, database: Database
) -> None:
    # Neither transaction locks the row of the other's key.
    for _ in range(10):
        made = [await created(integrator, scopes=ALL) for _ in range(2)]
        await _delete_all_but(integrator, {key["keyId"] for key in made})
        answers = await asyncio.gather(
            *(deleted(use(integrator, key), key["keyId"]) for key in made)
        )
        assert sorted(answer.status_code for answer in answers) == [204, 409]
        integrator = await make_integrator(database, integrator.client)


async def _delete_all_but(integrator: Integrator, kept: set[str]) -> None:
    """Delete a tenant's first key, so that the kept ones are its last."""
    first = await own_id(integrator)
    assert first not in kept
    assert (await deleted(integrator, first)).status_code == 204


@asynccontextmanager
async def another_process(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A second API on the same database, with caches of its own."""
    app = create_app(settings)
    async with AsyncExitStack() as held:
        await held.enter_async_context(app.router.lifespan_context(app))
        transport = httpx.ASGITransport(app=app)
        client = httpx.AsyncClient(transport=transport, base_url="http://api.test")
        yield await held.enter_async_context(client)


@pytest.mark.timeout(60)
async def test_a_deleted_key_stops_at_every_process_within_five_seconds(
    integrator: Integrator, settings: Settings
) -> None:
    made = await created(integrator, scopes=ALL)
    here = use(integrator, made)
    async with another_process(settings) as client:
        there = replace(here, client=client)
        for key in (here, there):
            assert (await key.get("/merchants")).status_code == 200
        assert (await deleted(integrator, made["keyId"])).status_code == 204
        since = monotonic()
        for key in (here, there):
            while (await key.get("/merchants")).status_code != 401:
                assert monotonic() - since < 5
                await asyncio.sleep(0.05)


@pytest.mark.timeout(60)
async def test_an_expired_key_stops_at_every_process_at_once(
    integrator: Integrator, settings: Settings
) -> None:
    async with another_process(settings) as client:
        expiry = datetime.now(UTC) + timedelta(seconds=1.5)
        here = use(integrator, await created(integrator, expiresAt=expiry.isoformat()))
        there = replace(here, client=client)
        assert {(await key.get("/merchants")).status_code for key in (here, there)} == {200}
        await asyncio.sleep((expiry - datetime.now(UTC)).total_seconds())
        assert {(await key.get("/merchants")).status_code for key in (here, there)} == {401}
