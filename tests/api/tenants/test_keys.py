"""API keys by API: create, list and delete, and secrets that are shown once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from models.enums import KeyScope
from models.session import Database
from tests.api.integrator import GYM, Integrator, make_merchant
from tests.api.tenants.key_calls import ALL, NEW, created, deleted, listed, problem, use

FIELDS = {
    "keyId",
    "name",
    "apiKey",
    "merchantId",
    "scopes",
    "expiresAt",
    "lastUsedAt",
    "createdAt",
}


async def test_a_new_key_works_at_once_and_does_what_its_scopes_say(
    integrator: Integrator,
) -> None:
    made = await created(integrator)
    assert set(made) == {*FIELDS, "apiSecret"}
    assert made["scopes"] == ["send", "read"]
    assert (made["merchantId"], made["expiresAt"], made["lastUsedAt"]) == (None, None, None)
    key = use(integrator, made)
    assert (await key.get("/merchants")).status_code == 200
    assert problem(await key.post("/merchants", GYM)) == (403, "SCOPE_MISSING")


async def test_the_list_shows_everything_but_the_secret_newest_first(
    integrator: Integrator,
) -> None:
    first, second = await created(integrator), await created(integrator, name="Second")
    assert [view for view in await listed(integrator) if view["name"] != "test"] == [
        {name: made[name] for name in FIELDS} for made in (second, first)
    ]
    assert "hxs_" not in str(await listed(integrator))


async def test_the_list_has_pages(integrator: Integrator) -> None:
    for number in range(3):
        await created(integrator, name=f"Key {number}")
    page = await integrator.get("/keys", limit="3")
    assert [view["name"] for view in page.json()] == ["Key 2", "Key 1", "Key 0"]
    following = page.links["next"]["url"]
    rest = await integrator.client.get(following, headers=integrator.headers)
    assert [view["name"] for view in rest.json()] == ["test"]
    assert "next" not in rest.links
    assert problem(await integrator.get("/keys", cursor="MTIz")) == (400, "VALIDATION_FAILED")


async def test_a_retry_returns_the_same_key_without_its_secret(integrator: Integrator) -> None:
    first = await integrator.post("/keys", NEW, key="new-key")
    again = await integrator.post("/keys", NEW, key="new-key")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == {name: first.json()[name] for name in FIELDS}
    assert len(await listed(integrator)) == 2
    other = await integrator.post("/keys", {**NEW, "name": "Other"}, key="new-key")
    assert problem(other) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_two_retries_at_once_create_one_key(integrator: Integrator) -> None:
    answers = await asyncio.gather(
        *(integrator.post("/keys", NEW, key="at-once") for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["keyId"] for answer in answers}) == 1
    assert sum("apiSecret" in answer.json() for answer in answers) == 1


async def test_a_retry_after_the_deletion_revives_nothing(integrator: Integrator) -> None:
    made = (await integrator.post("/keys", NEW, key="revive")).json()
    assert (await deleted(integrator, made["keyId"])).status_code == 204
    again = await integrator.post("/keys", NEW, key="revive")
    assert again.json() == {name: made[name] for name in FIELDS}
    assert [view["name"] for view in await listed(integrator)] == ["test"]


async def test_the_secret_is_stored_nowhere(integrator: Integrator, database: Database) -> None:
    made = (await integrator.post("/keys", NEW, key="stored")).json()
    async with database.read() as db:
        rows = [
            str(row)
            for table in ("api_key", "idempotency_record")
            for row in await db.execute(
                text(f"SELECT t::text FROM {table} t WHERE tenant_id = :tenant"),
                {"tenant": integrator.tenant_id},
            )
        ]
    assert any(made["keyId"] in row for row in rows)
    assert not [row for row in rows if made["apiSecret"] in row]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["write"]}, "scopes.0"),
        ({"scopes": ["SEND"]}, "scopes.0"),
        ({"scopes": ["send", "send"]}, "scopes"),
        ({"scopes": [*ALL, "send"]}, "scopes"),
        ({"scopes": "send"}, "scopes"),
        ({"scopes": None}, "scopes"),
        ({"name": ""}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": None}, "name"),
        ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "2099-01-01T00:00:00"}, "expiresAt"),
        ({"expiresAt": "2099-02-30T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": 4_070_908_800}, "expiresAt"),
        ({"merchantId": "-no"}, "merchantId"),
        ({"unknown": 1}, "unknown"),
    ],
    ids=str,
)
async def test_a_wrong_field_is_named(
    integrator: Integrator, change: dict[str, Any], field: str
) -> None:
    answer = await integrator.post("/keys", {**NEW, **change})
    assert problem(answer) == (400, "VALIDATION_FAILED")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert len(await listed(integrator)) == 1


async def test_a_name_may_be_long_and_used_twice(integrator: Integrator) -> None:
    one, other = (
        await created(integrator, name="x" * 100),
        await created(integrator, name="x" * 100),
    )
    assert one["keyId"] != other["keyId"]
    assert one["apiKey"] != other["apiKey"]


async def test_an_expired_key_is_refused_and_still_listed(integrator: Integrator) -> None:
    expiry = datetime.now(UTC) + timedelta(seconds=1)
    made = await created(integrator, expiresAt=expiry.isoformat())
    key = use(integrator, made)
    assert (await key.get("/merchants")).status_code == 200
    await asyncio.sleep(max(0.0, (expiry - datetime.now(UTC)).total_seconds()))
    assert problem(await key.get("/merchants")) == (401, "INVALID_CREDENTIALS")
    (view,) = [view for view in await listed(integrator) if view["keyId"] == made["keyId"]]
    assert view["expiresAt"] == made["expiresAt"]
    assert (await deleted(integrator, made["keyId"])).status_code == 204


@pytest.mark.parametrize("key_id", ["1", "0", "abc", "-1", "9" * 17, "9" * 400, "٣", "1.0", "%00"])
async def test_a_key_that_is_not_there_is_not_found(integrator: Integrator, key_id: str) -> None:
    assert problem(await deleted(integrator, key_id)) in (
        (404, "KEY_NOT_FOUND"),
        (400, "VALIDATION_FAILED"),
    )


async def test_a_deleted_key_is_gone_and_not_deleted_twice(integrator: Integrator) -> None:
    made = await created(integrator)
    answer = await deleted(integrator, made["keyId"])
    assert (answer.status_code, answer.content) == (204, b"")
    assert made["keyId"] not in str(await listed(integrator))
    assert problem(await deleted(integrator, made["keyId"])) == (404, "KEY_NOT_FOUND")


async def test_a_retried_deletion_is_answered_again(integrator: Integrator) -> None:
    made, other = await created(integrator), await created(integrator)
    assert (await deleted(integrator, made["keyId"], "delete")).status_code == 204
    again = await deleted(integrator, made["keyId"], "delete")
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (204, "true")
    assert problem(await deleted(integrator, other["keyId"], "delete")) == (
        422,
        "IDEMPOTENCY_KEY_REUSED",
    )


async def test_a_key_may_delete_itself(integrator: Integrator) -> None:
    made = await created(integrator, scopes=ALL)
    key = use(integrator, made)
    assert (await deleted(key, made["keyId"])).status_code == 204
    assert made["keyId"] not in str(await listed(integrator))


async def test_another_tenant_sees_and_deletes_none(
    integrator: Integrator, stranger: Integrator
) -> None:
    made = await created(integrator)
    assert made["keyId"] not in str(await listed(stranger))
    assert problem(await deleted(stranger, made["keyId"])) == (404, "KEY_NOT_FOUND")
    assert made["keyId"] in str(await listed(integrator))


async def test_a_merchants_key_has_to_do_with_keys_of_that_merchant_only(
    integrator: Integrator,
    database: Database,
    merchant_key: Callable[[int, int], Awaitable[Integrator]],
) -> None:
    gym = await make_merchant(database, integrator.tenant_id)
    await make_merchant(database, integrator.tenant_id, "gym-b")
    sibling = await created(integrator, merchantId="gym-b")
    own = await merchant_key(integrator.tenant_id, gym)
    made = await created(own)
    assert made["merchantId"] == "gym-a"
    refused = await own.post("/keys", {**NEW, "merchantId": "gym-b"})
    assert problem(refused) == (404, "MERCHANT_NOT_FOUND")
    assert {view["merchantId"] for view in await listed(own)} == {"gym-a"}
    tenants = next(view for view in await listed(integrator) if view["merchantId"] is None)
    for other in (sibling, tenants):
        assert problem(await deleted(own, other["keyId"])) == (404, "KEY_NOT_FOUND")
    assert len(await listed(integrator, merchantId="gym-b")) == 1
    assert (await deleted(own, made["keyId"])).status_code == 204


async def test_an_unknown_merchant_is_not_found(integrator: Integrator) -> None:
    answer = await integrator.post("/keys", {**NEW, "merchantId": "nobody"})
    assert problem(answer) == (404, "MERCHANT_NOT_FOUND")
    assert problem(await integrator.get("/keys", merchantId="nobody")) == (
        404,
        "MERCHANT_NOT_FOUND",
    )


def test_every_scope_is_used_here() -> None:
    assert [scope.value for scope in KeyScope] == ALL
