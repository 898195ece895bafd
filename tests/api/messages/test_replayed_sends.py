"""An accepted send is replayed under its key for ever, whatever would refuse it now."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlmodel import col

from models.session import Database
from models.tables.ledger import LedgerEntry
from models.tables.message import Message
from tests.api.doubles import Clock, FakeStarter
from tests.api.integrator import CONSENT, DIRECT, EMAIL, GYM, SMS, VOICE, Integrator

LOCK_FUNDS = [
    text("SELECT 1 FROM allowance_month WHERE tenant_id = :tenant_id FOR UPDATE"),
    text("SELECT 1 FROM credit_account WHERE tenant_id = :tenant_id FOR UPDATE"),
]


async def rows(database: Database, gym: Integrator) -> tuple[int, int]:
    """Return the number of messages and of ledger movements."""
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
async def test_a_replay_ignores_current_refusals(
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


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/messages/sms", SMS),
        ("/messages/voice", VOICE),
        ("/messages/email", EMAIL),
        ("/email/send", {**DIRECT, "merchantId": "gym-a"}),
        ("/email/send", DIRECT),
    ],
    ids=["sms", "voice", "email", "direct email", "direct email of the tenant"],
)
async def test_equal_requests_at_once_are_one_message_on_every_channel(
    gym: Integrator, starter: FakeStarter, path: str, body: dict[str, Any]
) -> None:
    answers = await asyncio.gather(*(gym.post(path, body, key="once") for _ in range(15)))
    assert {answer.status_code for answer in answers} == {200}
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 14
    assert len(set(starter.started)) == 1, "equal starts, of which the queue makes one"
    assert len({answer.json()["messageId"] for answer in answers}) == 1
    another = await gym.post(path, {**body, "type": "MARKETING"}, key="once")
    assert (another.status_code, another.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_equal_requests_at_once_with_units_for_one_are_all_answered_with_it(
    gym: Integrator, database: Database
) -> None:
    await gym.post("/merchants", {**GYM, "smsLimit": 1})
    answers = await asyncio.gather(*(gym.post("/messages/sms", SMS, key="once") for _ in range(15)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["messageId"] for answer in answers}) == 1
    assert await rows(database, gym) == (1, 1)
    assert (await gym.post("/messages/sms", SMS, key="another")).status_code == 402


async def test_a_scheduled_send_answers_after_its_time_was_wanted(
    gym: Integrator, clock: Clock
) -> None:
    body = {**SMS, "sendAt": (clock.now + timedelta(hours=1)).isoformat()}
    first = (await gym.post("/messages/sms", body, key="once")).json()
    assert first["status"] == "SCHEDULED"
    clock.now += timedelta(hours=2)
    assert (await gym.post("/messages/sms", body, key="once")).json() == first


async def test_a_key_is_free_after_a_refusal(gym: Integrator, starter: FakeStarter) -> None:
    refused = await gym.post("/messages/sms", {**SMS, "merchantId": "nobody"}, key="once")
    assert refused.status_code == 404
    answer = await gym.post("/messages/sms", SMS, key="once")
    assert (answer.status_code, answer.headers.get("Idempotency-Replayed")) == (200, None)
    assert len(starter.started) == 1


async def test_a_retry_does_not_wait_for_the_merchants_account_lock(
    gym: Integrator, database: Database
) -> None:
    first = (await gym.post("/messages/sms", SMS, key="once")).json()
    async with database.transaction() as db:
        for lock in LOCK_FUNDS:
            assert (await db.execute(lock, {"tenant_id": gym.tenant_id})).all()
        async with asyncio.timeout(5):
            again = await gym.post("/messages/sms", SMS, key="once")
    assert again.json() == first
