"""A send that was accepted answers under its key for good, whatever would forbid it today."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlmodel import col

from models.session import Database
from models.tables.ledger import LedgerEntry
from models.tables.message import Message
from tests.api.doubles import FakeStarter
from tests.api.integrator import CONSENT, GYM, SMS, Integrator

LOCK_FUNDS = [
    text("SELECT 1 FROM allowance_month WHERE tenant_id = :tenant_id FOR UPDATE"),
    text("SELECT 1 FROM credit_account WHERE tenant_id = :tenant_id FOR UPDATE"),
]


async def rows(database: Database, gym: Integrator) -> tuple[int, int]:
    """Return how many messages and how many movements of units there are."""
    async with database.read() as db:
        messages = await db.scalars(
            select(col(Message.id)).where(col(Message.tenant_id) == gym.tenant_id)
        )
        entries = await db.scalars(
            select(col(LedgerEntry.id)).where(col(LedgerEntry.tenant_id) == gym.tenant_id)
        )
        return len(messages.all()), len(entries.all())


@pytest.mark.parametrize(
    "meanwhile",
    [
        ("/merchants", {**GYM, "active": False}),
        ("/merchants", {**GYM, "smsLimit": 0}),
        ("/consents", {**CONSENT, "status": "OPT_OUT"}),
    ],
    ids=["merchant inactive", "no units left", "opted out"],
)
async def test_what_forbids_it_today_is_of_no_matter(
    gym: Integrator, database: Database, meanwhile: tuple[str, dict[str, Any]]
) -> None:
    first = (await gym.post("/messages/sms", SMS, key="once")).json()
    assert (await gym.post(*meanwhile)).status_code == 200
    assert (await gym.post("/messages/sms", SMS, key="another")).status_code in {402, 403}
    again = await gym.post("/messages/sms", SMS, key="once")
    assert (again.status_code, again.json()) == (200, first)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert await rows(database, gym) == (1, 1)


@pytest.mark.parametrize(
    "changed",
    [{"message": "Another"}, {"to": "nobody"}, {"merchantId": "nobody"}],
    ids=["text", "no number", "no merchant"],
)
async def test_another_request_under_the_key_is_422_whatever_else_is_wrong_with_it(
    gym: Integrator, database: Database, changed: dict[str, str]
) -> None:
    await gym.post("/messages/sms", SMS, key="once")
    answer = await gym.post("/messages/sms", {**SMS, **changed}, key="once")
    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await rows(database, gym) == (1, 1)


async def test_a_key_is_free_after_a_refusal(gym: Integrator, starter: FakeStarter) -> None:
    refused = await gym.post("/messages/sms", {**SMS, "merchantId": "nobody"}, key="once")
    assert refused.status_code == 404
    answer = await gym.post("/messages/sms", SMS, key="once")
    assert (answer.status_code, answer.headers.get("Idempotency-Replayed")) == (200, None)
    assert len(starter.started) == 1


async def test_a_retry_waits_for_nobody_who_moves_the_merchants_units(
    gym: Integrator, database: Database
) -> None:
    first = (await gym.post("/messages/sms", SMS, key="once")).json()
    async with database.transaction() as db:
        for lock in LOCK_FUNDS:
            assert (await db.execute(lock, {"tenant_id": gym.tenant_id})).all()
        async with asyncio.timeout(5):
            again = await gym.post("/messages/sms", SMS, key="once")
    assert again.json() == first
