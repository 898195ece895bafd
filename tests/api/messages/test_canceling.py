"""Canceling: only while the message waits, once, and all held units are released."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from models.enums import MessageStatus
from models.session import Database
from models.tables.ledger import AllowanceMonth, LedgerEntry
from tests.api.doubles import FakeStarter
from tests.api.integrator import SMS, Integrator, make_merchant, make_message
from tests.shown_ids import row_of, shown
from workflows.messages.start import SendSignal

MerchantKey = Callable[[int, int], Awaitable[Integrator]]


@pytest.fixture
async def waiting(gym: Integrator) -> str:
    """The id of a message that is due in an hour."""
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    answer = (await gym.post("/messages/sms", {**SMS, "sendAt": later})).json()
    assert answer["status"] == "SCHEDULED"
    message_id: str = answer["messageId"]
    return message_id


async def cancel(
    integrator: Integrator, message_id: str | int, key: str | None = None
) -> httpx.Response:
    """Send the request without a body."""
    extra = {} if key is None else {"Idempotency-Key": key}
    return await integrator.client.post(
        f"/api/v1/messages/{message_id}/cancel", headers={**integrator.headers, **extra}
    )


async def test_without_credentials_it_is_401(client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/v1/messages/1/cancel")).status_code == 401


async def test_another_tenants_message_is_404_and_stays(
    gym: Integrator, stranger: Integrator, waiting: str
) -> None:
    answer = await cancel(stranger, waiting)
    assert (answer.status_code, answer.json()["code"]) == (404, "MESSAGE_NOT_FOUND")
    assert (await gym.get(f"/messages/{waiting}")).json()["status"] == "SCHEDULED"


async def test_another_merchants_message_is_404(
    gym: Integrator, waiting: str, database: Database, merchant_key: MerchantKey
) -> None:
    own = await make_merchant(database, gym.tenant_id, "own")
    key = await merchant_key(gym.tenant_id, own)
    assert (await cancel(key, waiting)).status_code == 404


async def test_a_waiting_message_is_canceled_and_its_hold_released(
    gym: Integrator, waiting: str, database: Database, starter: FakeStarter
) -> None:
    answer = await cancel(gym, waiting)
    assert answer.status_code == 200
    view = answer.json()
    assert (view["status"], view["billedUnits"], view["errorCode"]) == ("CANCELED", 0, None)
    assert view["completedAt"] is not None
    assert [(e["status"], e["detail"]) for e in view["events"]][-1] == (
        "CANCELED",
        "Canceled before it was sent.",
    )
    message_id = await row_of(database, "message", waiting)
    async with database.read() as db:
        kinds = await db.scalars(
            select(col(LedgerEntry.kind))
            .where(
                col(LedgerEntry.tenant_id) == gym.tenant_id,
                col(LedgerEntry.message_id) == message_id,
            )
            .order_by(col(LedgerEntry.id))
        )
        month = (
            await db.scalars(
                select(AllowanceMonth).where(col(AllowanceMonth.tenant_id) == gym.tenant_id)
            )
        ).one()
    assert list(kinds) == ["HOLD", "RELEASE"]
    assert (month.held, month.used) == (0, 0)
    assert [signal for _, signal in starter.row_changed] == [SendSignal.ROW_CHANGED]


async def test_it_is_idempotent(
    gym: Integrator, waiting: str, database: Database, starter: FakeStarter
) -> None:
    answers = await asyncio.gather(*(cancel(gym, waiting, key="c") for _ in range(10)))
    assert {(a.status_code, a.json()["status"]) for a in answers} == {(200, "CANCELED")}
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 9
    async with database.read() as db:
        kinds = await db.scalars(
            select(col(LedgerEntry.kind)).where(col(LedgerEntry.tenant_id) == gym.tenant_id)
        )
    assert sorted(kinds) == ["HOLD", "RELEASE"]
    assert len(starter.row_changed) == 1


async def test_without_a_key_a_second_time_is_200_too(gym: Integrator, waiting: str) -> None:
    first = await cancel(gym, waiting)
    again = await cancel(gym, waiting)
    assert (again.status_code, again.json()) == (200, first.json())
    assert "Idempotency-Replayed" not in again.headers


async def test_a_key_belongs_to_one_message(gym: Integrator, waiting: str) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    other = (await gym.post("/messages/sms", {**SMS, "sendAt": later})).json()["messageId"]
    await cancel(gym, waiting, key="c")
    answer = await cancel(gym, other, key="c")
    assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (await gym.get(f"/messages/{other}")).json()["status"] == "SCHEDULED"


async def test_two_messages_at_once_under_one_key_have_one_winner(gym: Integrator) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    ids = [
        (await gym.post("/messages/sms", {**SMS, "sendAt": later})).json()["messageId"]
        for _ in range(8)
    ]
    answers = await asyncio.gather(*(cancel(gym, number, key="c") for number in ids))
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 7
    statuses = [(await gym.get(f"/messages/{number}")).json()["status"] for number in ids]
    assert sorted(statuses) == ["CANCELED"] + ["SCHEDULED"] * 7


async def test_a_refused_cancel_leaves_its_key_free(
    gym: Integrator, waiting: str, database: Database
) -> None:
    merchant = await make_merchant(database, gym.tenant_id, "m")
    over = await make_message(database, gym.tenant_id, merchant, status=MessageStatus.DELIVERED)
    assert (await cancel(gym, await shown(database, "message", over), key="c")).status_code == 409
    assert (await cancel(gym, "123456789", key="c")).status_code == 404
    answer = await cancel(gym, waiting, key="c")
    assert (answer.status_code, "Idempotency-Replayed" in answer.headers) == (200, False)


@pytest.mark.parametrize(
    "status", [s for s in MessageStatus if s.value not in ("QUEUED", "SCHEDULED", "CANCELED")]
)
async def test_a_message_that_no_longer_waits_is_409(
    gym: Integrator, database: Database, status: MessageStatus
) -> None:
    merchant = await make_merchant(database, gym.tenant_id, "m")
    message = await make_message(database, gym.tenant_id, merchant, status=status)
    answer = await cancel(gym, await shown(database, "message", message))
    assert (answer.status_code, answer.json()["code"]) == (409, "NOT_CANCELABLE")


@pytest.mark.parametrize("number", ["0", "x", "-1", "9" * 40, "%D9%A1"])
async def test_an_invalid_message_id_is_404(gym: Integrator, number: str) -> None:
    assert (await cancel(gym, number, key="c")).status_code == 404
