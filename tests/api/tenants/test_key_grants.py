"""A key gives no more than it has, and nothing any more once it is revoked."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest

from models.enums import KeyScope
from models.session import Database
from tests.api.integrator import Integrator, make_integrator
from tests.api.tenants.key_calls import ALL, NEW, created, deleted, listed, problem, revoke, use

ADMIN_AND_SOME = [
    ["admin", *others] for count in range(4) for others in combinations(ALL[:3], count)
]


async def key_with(integrator: Integrator, scopes: Collection[str]) -> Integrator:
    """Create a key with these scopes and use it."""
    return use(integrator, await created(integrator, scopes=list(scopes)))


@pytest.mark.parametrize("own", ADMIN_AND_SOME, ids="+".join)
async def test_a_key_gives_only_scopes_that_it_has(integrator: Integrator, own: list[str]) -> None:
    key = await key_with(integrator, own)
    for scope in ALL:
        answer = await key.post("/keys", {**NEW, "scopes": [scope]})
        if scope in own:
            assert answer.json()["scopes"] == [scope]
        else:
            assert problem(answer) == (403, "SCOPE_MISSING")
            assert f"lacks {scope}," in answer.json()["detail"]
    assert (await key.post("/keys", {**NEW, "scopes": own})).status_code == 200


@pytest.mark.parametrize("own", ["send", "read", "billing"])
async def test_a_key_without_admin_creates_and_deletes_none(
    integrator: Integrator, own: str
) -> None:
    made = await created(integrator, scopes=[own])
    key = use(integrator, made)
    assert problem(await key.post("/keys", {**NEW, "scopes": [own]})) == (403, "SCOPE_MISSING")
    assert problem(await deleted(key, made["keyId"])) == (403, "SCOPE_MISSING")


async def test_a_refused_key_is_not_created(integrator: Integrator) -> None:
    key = await key_with(integrator, ["admin", "read"])
    before = await listed(integrator)
    refused = await key.post("/keys", {**NEW, "scopes": ["read", "billing", "send"]}, key="later")
    assert problem(refused) == (403, "SCOPE_MISSING")
    assert "lacks send, billing," in refused.json()["detail"]
    assert len(await listed(integrator)) == len(before)
    assert (await integrator.post("/keys", NEW, key="later")).status_code == 200


@pytest.mark.parametrize(("later", "status"), [(None, 403), (1, 403), (0, 200), (-1, 200)], ids=str)
async def test_a_key_gives_no_more_time_than_it_has(
    integrator: Integrator, later: int | None, status: int
) -> None:
    expiry = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    key = use(integrator, await created(integrator, scopes=ALL, expiresAt=expiry.isoformat()))
    wanted: dict[str, Any] = {**NEW}
    if later is not None:
        wanted["expiresAt"] = (expiry + timedelta(seconds=later)).isoformat()
    answer = await key.post("/keys", wanted)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "SCOPE_MISSING"
        assert expiry.strftime("%Y-%m-%dT%H:%M:%S.000Z") in answer.json()["detail"]


@pytest.mark.parametrize(
    "expiry",
    [
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59Z",
        "9999-01-01T00:00:00Z",
        "9998-12-31T23:59:59-00:01",
        "0001-01-01T00:00:00+14:00",
        "2020-01-01T00:00:00Z",
    ],
)
async def test_an_expiry_that_no_key_can_have_creates_none(
    integrator: Integrator, expiry: str
) -> None:
    answer = await integrator.post("/keys", {**NEW, "expiresAt": expiry})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "expiresAt"
    assert len(await listed(integrator)) == 1


async def test_the_latest_expiry_is_shown_as_it_was_given(integrator: Integrator) -> None:
    latest = "9998-12-31T23:59:59.000Z"
    await created(integrator, expiresAt=latest)
    assert latest in [view["expiresAt"] for view in await listed(integrator)]


async def test_a_replay_shows_no_secret_to_a_key_that_could_not_create_it(
    integrator: Integrator,
) -> None:
    made = await integrator.post("/keys", NEW, key="shared")
    other = await key_with(integrator, ["admin"])
    again = await other.post("/keys", NEW, key="shared")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["keyId"] == made.json()["keyId"]
    assert "apiSecret" not in again.json()


async def test_a_revoked_key_creates_and_deletes_nothing_while_it_is_cached(
    integrator: Integrator, database: Database
) -> None:
    target = await created(integrator)
    other = await make_integrator(database, integrator.client, integrator.tenant_id)
    assert (await other.get("/keys")).status_code == 200  # from now on it is cached
    await revoke(database, other)
    assert problem(await other.post("/keys", NEW)) == (401, "INVALID_CREDENTIALS")
    assert problem(await deleted(other, target["keyId"])) == (401, "INVALID_CREDENTIALS")
    assert {view["name"] for view in await listed(integrator)} == {"test", NEW["name"]}


async def test_old_keys_have_every_scope(integrator: Integrator) -> None:
    (view,) = await listed(integrator)
    assert view["scopes"] == [scope.value for scope in KeyScope]
