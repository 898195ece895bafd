"""Upgrades through the API: authorization, refusals, idempotency by key and by reference."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.services.billing.upgrades import Billing
from models.session import Database
from tests.api.container import put_in, restored
from tests.api.doubles import Clock, FakeUpgradeStarter
from tests.api.integrator import GYM, Integrator, make_merchant
from tests.factories import add_price, make_owner
from tests.ledger.moves import grant

MerchantKey = Callable[[int, int], Awaitable[Integrator]]

UPGRADE: dict[str, Any] = {
    "merchantId": "gym-a",
    "channel": "SMS",
    "units": 2500,
    "amountCents": 4900,
    "paymentMethodId": "pm_123",
    "referenceId": "upgrade-apr-16",
    "note": "Seasonal reminder volume",
    "currency": "USD",
}
"""From the developer guide."""


@pytest.fixture
def upgrades() -> FakeUpgradeStarter:
    """Records started workflows."""
    return FakeUpgradeStarter()


@pytest.fixture
def counter(
    app: FastAPI, database: Database, upgrades: FakeUpgradeStarter, clock: Clock
) -> Iterator[None]:
    """The real service with doubles of Temporal and the clock only."""
    billing = Billing(database, upgrades, start_within=timedelta(minutes=1), clock=clock)
    with restored(app):
        put_in(app, "billing", upgrades=billing)
        yield


@pytest.fixture
async def gym(integrator: Integrator, counter: None) -> Integrator:
    """An integrator with the guide's merchant."""
    assert (await integrator.post("/merchants", GYM)).status_code == 200
    return integrator


async def bought(database: Database, who: Integrator) -> list[Any]:
    """Return every payment of a tenant."""
    async with database.read() as db:
        statement = text("SELECT * FROM payment WHERE tenant_id = :t ORDER BY id")
        return list(await db.execute(statement, {"t": who.tenant_id}))


async def fail(database: Database, who: Integrator) -> None:
    """Mark every payment of a tenant as failed."""
    async with database.transaction() as db:
        await db.execute(
            text(
                "UPDATE payment SET status = 'FAILED', failure = 'DECLINED', failed_at = now(),"
                " completed_at = now() WHERE tenant_id = :t"
            ),
            {"t": who.tenant_id},
        )


async def test_the_guides_upgrade_is_answered_as_the_guide_says(
    gym: Integrator, upgrades: FakeUpgradeStarter
) -> None:
    response = await gym.post("/billing/upgrade", UPGRADE, key="upgrade-key")
    assert response.status_code == 200
    answer = response.json()
    payment_id = answer.pop("paymentId")
    assert answer == {
        "merchantId": "gym-a",
        "channel": "SMS",
        "unitsRequested": 2500,
        "amountCents": 4900,
        "currency": "USD",
        "paymentStatus": "PENDING",
        "fulfilled": False,
        "remainingCredits": 0,
    }
    assert payment_id.startswith("pay_")
    [start] = upgrades.started
    assert start.workflow_id == f"upgrade/{gym.tenant_public_id}/upgrade-key"
    assert start.public_id == int(payment_id.removeprefix("pay_"))
    assert "pm_123" not in repr(start)


@pytest.mark.parametrize("path", ["/billing/upgrade", "/billing/upgrades", "/billing/ledger"])
async def test_without_credentials_it_is_401(client: httpx.AsyncClient, path: str) -> None:
    method = "POST" if path.endswith("upgrade") else "GET"
    assert (await client.request(method, f"/api/v1{path}")).status_code == 401


async def test_another_tenants_merchant_does_not_exist(
    gym: Integrator, stranger: Integrator, database: Database
) -> None:
    await gym.post("/billing/upgrade", UPGRADE)
    refused = await stranger.post("/billing/upgrade", UPGRADE)
    assert (refused.status_code, refused.json()["code"]) == (404, "MERCHANT_NOT_FOUND")
    assert (await stranger.get("/billing/upgrades")).json() == []
    for path in ("/billing/upgrades", "/billing/ledger"):
        assert (await stranger.get(path, merchantId="gym-a")).status_code == 404
    assert await bought(database, stranger) == []


async def test_a_merchants_key_buys_and_sees_for_that_merchant_only(
    gym: Integrator, database: Database, merchant_key: MerchantKey
) -> None:
    other = await make_merchant(database, gym.tenant_id, "gym-b")
    key = await merchant_key(gym.tenant_id, other)
    await add_price(database, gym.tenant_id)
    await gym.post("/billing/upgrade", UPGRADE, key="k")
    for body in (UPGRADE, {**UPGRADE, "merchantId": "gym-c"}):
        assert (await key.post("/billing/upgrade", body)).status_code == 404
    own = await key.post("/billing/upgrade", {**UPGRADE, "merchantId": "gym-b"}, key="k")
    assert own.json()["merchantId"] == "gym-b"
    assert "Idempotency-Replayed" not in own.headers
    listed = (await key.get("/billing/upgrades")).json()
    assert [view["merchantId"] for view in listed] == ["gym-b"]
    assert (await key.get("/billing/upgrades", merchantId="gym-a")).status_code == 404
    assert (await key.get("/billing/ledger")).json() == []
    assert (await key.get("/billing/ledger", merchantId="gym-a")).status_code == 404
    assert len((await gym.get("/billing/upgrades")).json()) == 2


async def test_the_same_key_answers_the_current_state(
    gym: Integrator, database: Database, upgrades: FakeUpgradeStarter
) -> None:
    first = await gym.post("/billing/upgrade", UPGRADE, key="k")
    again = await gym.post("/billing/upgrade", dict(reversed(UPGRADE.items())), key="k")
    assert (again.text, again.headers["Idempotency-Replayed"]) == (first.text, "true")
    assert len(upgrades.started) == 2, "one that is under way is started again, to be sure"
    await fail(database, gym)
    late = await gym.post("/billing/upgrade", UPGRADE, key="k")
    assert late.json() == {**first.json(), "paymentStatus": "FAILED"}
    assert len(upgrades.started) == 2
    assert len(await bought(database, gym)) == 1


async def test_fifty_with_one_key_at_once_are_one_payment(
    gym: Integrator, database: Database
) -> None:
    answers = await asyncio.gather(
        *(gym.post("/billing/upgrade", UPGRADE, key="once") for _ in range(50))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 49
    assert len(await bought(database, gym)) == 1


async def test_the_same_key_with_another_request_is_422(
    gym: Integrator, database: Database
) -> None:
    await gym.post("/billing/upgrade", UPGRADE, key="k")
    other = {**UPGRADE, "units": 1, "referenceId": "another"}
    response = await gym.post("/billing/upgrade", other, key="k")
    assert (response.status_code, response.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert len(await bought(database, gym)) == 1


@pytest.mark.parametrize("key", ["another", None])
async def test_the_same_reference_is_the_same_upgrade_if_it_is_equal(
    gym: Integrator, database: Database, key: str | None
) -> None:
    first = await gym.post("/billing/upgrade", UPGRADE, key="k")
    again = await gym.post("/billing/upgrade", UPGRADE, key=key)
    assert (again.text, again.headers["Idempotency-Replayed"]) == (first.text, "true")
    assert len(await bought(database, gym)) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"units": 2501},
        {"amountCents": 1},
        {"currency": "EUR"},
        {"channel": "EMAIL"},
        {"paymentMethodId": "pm_456"},
        {"note": None},
    ],
)
async def test_the_same_reference_of_another_upgrade_is_409(
    gym: Integrator, database: Database, change: dict[str, Any]
) -> None:
    await gym.post("/billing/upgrade", UPGRADE, key="k")
    response = await gym.post("/billing/upgrade", {**UPGRADE, **change}, key="another")
    assert (response.status_code, response.json()["code"]) == (409, "REFERENCE_REUSED")
    assert "pm_" not in response.text
    assert len(await bought(database, gym)) == 1


async def test_a_key_that_found_its_reference_taken_keeps_that_upgrade(
    gym: Integrator, database: Database
) -> None:
    first = await gym.post("/billing/upgrade", UPGRADE, key="k")
    await gym.post("/billing/upgrade", UPGRADE, key="second")
    await fail(database, gym)
    late = await gym.post("/billing/upgrade", UPGRADE, key="second")
    assert late.json()["paymentId"] == first.json()["paymentId"]
    other = await gym.post("/billing/upgrade", {**UPGRADE, "units": 1}, key="second")
    assert other.status_code == 422
    fresh = await gym.post("/billing/upgrade", UPGRADE, key="third")
    assert fresh.json()["paymentId"] != first.json()["paymentId"]
    assert len(await bought(database, gym)) == 2


async def test_many_keys_with_one_reference_at_once_are_one_payment(
    gym: Integrator, database: Database
) -> None:
    answers = await asyncio.gather(
        *(gym.post("/billing/upgrade", UPGRADE, key=f"k{n % 10}") for n in range(30))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["paymentId"] for answer in answers}) == 1
    assert len(await bought(database, gym)) == 1


async def test_a_reference_belongs_to_one_merchant(gym: Integrator, database: Database) -> None:
    await make_merchant(database, gym.tenant_id, "gym-b")
    await gym.post("/billing/upgrade", UPGRADE)
    other = await gym.post("/billing/upgrade", {**UPGRADE, "merchantId": "gym-b", "units": 1})
    assert other.status_code == 200
    assert len(await bought(database, gym)) == 2


async def test_an_inactive_merchant_buys_nothing_but_reads_its_upgrades(
    gym: Integrator,
) -> None:
    first = await gym.post("/billing/upgrade", UPGRADE, key="k")
    await gym.post("/merchants", {**GYM, "active": False})
    refused = await gym.post("/billing/upgrade", {**UPGRADE, "referenceId": "new"}, key="new")
    assert (refused.status_code, refused.json()["code"]) == (403, "MERCHANT_INACTIVE")
    for key in ("k", "another"):
        known = await gym.post("/billing/upgrade", UPGRADE, key=key)
        assert known.json() == first.json()
    await gym.post("/merchants", GYM)
    later = await gym.post("/billing/upgrade", {**UPGRADE, "referenceId": "new"}, key="new")
    assert (later.status_code, "Idempotency-Replayed" in later.headers) == (200, False)


@pytest.mark.parametrize(
    "change",
    [
        *({"units": units} for units in (0, -1, 10_000_001, "5", 5.0, True, None, 10**30)),
        *({"amountCents": cents} for cents in (0, -1, 100_000_000, "1", 1.5, False)),
        *({"currency": code} for code in ("usd", "US", "USDD", "XXX", "ABC", "", 840, None)),
        *({"channel": channel} for channel in ("sms", "FAX", "", None)),
        *({"paymentMethodId": method} for method in ("", " ", "p" * 256, 7, None, "a\x00b")),
        *({"referenceId": reference} for reference in ("", "r" * 256, None, ["r"])),
        *({"note": note} for note in ("n" * 501, 7)),
        *({"merchantId": merchant} for merchant in ("", "a/b", None)),
        {"status": "SUCCEEDED"},
        {"fulfilled": True},
    ],
    ids=repr,
)
async def test_bad_input_is_400_and_leaves_nothing_behind(
    gym: Integrator, database: Database, upgrades: FakeUpgradeStarter, change: dict[str, Any]
) -> None:
    response = await gym.post("/billing/upgrade", {**UPGRADE, **change}, key="k")
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_FAILED")
    assert await bought(database, gym) == upgrades.started == []


@pytest.mark.parametrize("name", sorted(set(UPGRADE) - {"note"}))
async def test_every_field_but_the_note_is_required(gym: Integrator, name: str) -> None:
    body = {field: value for field, value in UPGRADE.items() if field != name}
    response = await gym.post("/billing/upgrade", body)
    assert response.json()["errors"] == [{"field": name, "message": "is required"}]


async def test_values_at_the_bounds_are_accepted(gym: Integrator) -> None:
    largest = {"units": 10_000_000, "amountCents": 99_999_999, "note": "n" * 500}
    assert (await gym.post("/billing/upgrade", {**UPGRADE, **largest})).status_code == 200
    least = {"units": 1, "amountCents": 1, "referenceId": "r" * 255, "paymentMethodId": "p"}
    assert (await gym.post("/billing/upgrade", {**UPGRADE, **least})).status_code == 200


async def test_upgrades_are_listed_page_by_page_the_newest_first(gym: Integrator) -> None:
    for number in range(3):
        await gym.post(
            "/billing/upgrade", {**UPGRADE, "referenceId": f"r{number}", "units": number + 1}
        )
    first = await gym.get("/billing/upgrades", merchantId="gym-a", limit="2")
    assert [view["unitsRequested"] for view in first.json()] == [3, 2]
    following = first.headers["Link"].partition("<")[2].partition(">")[0]
    last = await gym.client.get(following, headers=gym.headers)
    assert [view["unitsRequested"] for view in last.json()] == [1]
    assert "Link" not in last.headers


async def test_the_ledger_is_shown_page_by_page_and_by_channel(
    database: Database, client: httpx.AsyncClient
) -> None:
    owner = await make_owner(database)
    for units in (5, 6, 7):
        await grant(database, owner, units)
    who = Integrator(client, owner.tenant_id, owner.tenant_public_id, 0, owner.headers)
    shown: list[int] = []
    answer = await who.get("/billing/ledger", merchantId=owner.merchant, limit="2")
    shown += [entry["balance"] for entry in answer.json()]
    following = answer.headers["Link"].partition("<")[2].partition(">")[0]
    last = await client.get(following, headers=owner.headers)
    assert shown + [entry["balance"] for entry in last.json()] == [18, 11, 5]
    [entry] = last.json()
    assert list(entry) == [
        *("id", "type", "units", "creditUnits", "balance", "messageId", "paymentId", "at")
    ]
    assert (entry["type"], entry["messageId"]) == ("TOPUP", None)
    voice = await who.get("/billing/ledger", merchantId=owner.merchant, channel="VOICE")
    assert voice.json() == []


@pytest.mark.parametrize(
    "query",
    [{}, {"merchantId": "gym-a", "channel": "FAX"}, {"merchantId": "gym-a", "cursor": "?"}],
)
async def test_a_ledger_needs_a_merchant_and_valid_filters(
    gym: Integrator, query: dict[str, str]
) -> None:
    response = await gym.get("/billing/ledger", **query)
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_the_payment_method_is_shown_nowhere(gym: Integrator) -> None:
    secret = {**UPGRADE, "paymentMethodId": "pm_never_shown"}
    answers = [
        await gym.post("/billing/upgrade", secret, key="k"),
        await gym.post("/billing/upgrade", {**secret, "units": 0}),
        await gym.post("/billing/upgrade", {**secret, "paymentMethodId": "pm_never_shown" * 30}),
        await gym.get("/billing/upgrades"),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 400, 200]
    assert not any("pm_never_shown" in answer.text for answer in answers)
