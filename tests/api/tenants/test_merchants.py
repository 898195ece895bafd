"""Merchants: created once, updated by the given fields, visible to their own tenant only."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx
import pytest
from sqlalchemy import func, select
from sqlmodel import col

from models.enums import Channel
from models.session import Database
from models.tables.ledger import AllowanceMonth, CreditAccount
from models.tables.merchant import Merchant
from tests.api.integrator import GYM, Integrator, make_merchant

MerchantKey = Callable[[int, int], Awaitable[Integrator]]


async def test_without_credentials_everything_is_401(client: httpx.AsyncClient) -> None:
    answers = [
        await client.post("/api/v1/merchants", json=GYM),
        await client.get("/api/v1/merchants"),
        await client.get("/api/v1/merchants/gym-a"),
    ]
    assert [(a.status_code, a.json()["code"]) for a in answers] == [
        (401, "INVALID_CREDENTIALS")
    ] * 3


async def test_another_tenants_merchant_is_404_and_in_no_list(
    integrator: Integrator, stranger: Integrator
) -> None:
    await integrator.post("/merchants", GYM)
    response = await stranger.get("/merchants/gym-a")
    assert (response.status_code, response.json()["code"]) == (404, "MERCHANT_NOT_FOUND")
    assert (await stranger.get("/merchants")).json() == []


async def test_two_tenants_may_use_the_same_name(
    integrator: Integrator, stranger: Integrator
) -> None:
    await integrator.post("/merchants", GYM)
    await stranger.post("/merchants", {**GYM, "displayName": "Another gym"})
    assert (await integrator.get("/merchants/gym-a")).json()["displayName"] == "Gym A"


async def test_a_merchant_is_created_with_defaults(integrator: Integrator) -> None:
    response = await integrator.post("/merchants", {"merchantId": "m", "displayName": "M"})
    assert response.json()["active"] is True
    assert response.json()["limits"] == {"smsLimit": 0, "voiceMinutesLimit": 0, "emailLimit": 0}


async def test_absent_and_null_fields_stay_as_they_are(integrator: Integrator) -> None:
    await integrator.post("/merchants", {**GYM, "active": False})
    response = await integrator.post(
        "/merchants",
        {"merchantId": "gym-a", "displayName": "New", "smsLimit": 7, "emailLimit": None},
    )
    assert response.json()["displayName"] == "New"
    assert response.json()["active"] is False
    assert response.json()["limits"] == {
        "smsLimit": 7,
        "voiceMinutesLimit": 1000,
        "emailLimit": 25000,
    }


async def test_a_hundred_at_once_make_one_merchant_with_three_accounts(
    integrator: Integrator, database: Database
) -> None:
    answers = await asyncio.gather(*(integrator.post("/merchants", GYM) for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    async with database.read() as db:
        merchants = await db.scalar(
            select(func.count())
            .select_from(Merchant)
            .where(col(Merchant.tenant_id) == integrator.tenant_id)
        )
        accounts = await db.scalar(
            select(func.count())
            .select_from(CreditAccount)
            .where(col(CreditAccount.tenant_id) == integrator.tenant_id)
        )
    assert (merchants, accounts) == (1, 3)


async def test_counters_show_this_months_use_and_available_credits(
    integrator: Integrator, database: Database
) -> None:
    await integrator.post("/merchants", GYM)
    tenant = integrator.tenant_id
    async with database.transaction() as db:
        account = (
            await db.scalars(
                select(CreditAccount).where(
                    col(CreditAccount.tenant_id) == tenant,
                    col(CreditAccount.channel) == Channel.SMS,
                )
            )
        ).one()
        account.available = 40
        account.held = 2
        for month, used in ((datetime.now(UTC).strftime("%Y-%m"), 5), ("2020-01", 900)):
            db.add(
                AllowanceMonth(
                    tenant_id=tenant,
                    merchant_id=account.merchant_id,
                    channel=Channel.SMS,
                    month=month,
                    used=used,
                    held=3,
                    credits_used=6,
                )
            )
    answer = (await integrator.get("/merchants/gym-a")).json()
    assert (answer["usage"]["smsUsed"], answer["credits"]["smsCredits"]) == (11, 40)


async def test_merchants_are_listed_newest_first(integrator: Integrator) -> None:
    for name in ("one", "two", "three"):
        await integrator.post("/merchants", {"merchantId": name, "displayName": name})
    listed = (await integrator.get("/merchants")).json()
    assert [merchant["merchantId"] for merchant in listed] == ["three", "two", "one"]


async def test_a_merchants_key_reads_its_own_merchant_and_writes_none(
    integrator: Integrator, database: Database, merchant_key: MerchantKey
) -> None:
    own = await make_merchant(database, integrator.tenant_id, "own")
    await make_merchant(database, integrator.tenant_id, "other")
    key = await merchant_key(integrator.tenant_id, own)
    assert [m["merchantId"] for m in (await key.get("/merchants")).json()] == ["own"]
    assert (await key.get("/merchants/own")).status_code == 200
    assert (await key.get("/merchants/other")).status_code == 404
    refused = await key.post("/merchants", {"merchantId": "own", "displayName": "Mine"})
    assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize(
    "zone", ["America/New_York", "UTC", "Etc/GMT+5", "EST5EDT", "Asia/Calcutta", "Europe/Kyiv"]
)
async def test_every_name_of_the_iana_database_is_a_timezone(
    integrator: Integrator, zone: str
) -> None:
    answer = await integrator.post("/merchants", {**GYM, "timezone": zone})
    assert answer.status_code == 200
