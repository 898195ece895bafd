"""The sender number of an integrator's send, and the error without one."""

from datetime import UTC, datetime

from sqlalchemy import text

from models.enums import DeliveryMode
from models.session import Database
from models.tables.tenant import SenderNumber
from tests.api.integrator import SMS, VOICE, Integrator
from tests.delivery_modes import make_over


async def live_with_own_number(
    gym: Integrator, database: Database, *, registered: bool = False
) -> str:
    """Switch the tenant to LIVE and give its merchant a US long code."""
    number = f"+1213556{gym.tenant_id % 10_000:04}"
    find = text("SELECT id FROM merchant WHERE tenant_id = :t AND external_id = 'gym-a'")
    async with database.transaction() as db:
        merchant_id = await db.scalar(find, {"t": gym.tenant_id})
        await make_over(db, gym.tenant_id, DeliveryMode.LIVE)
        now = datetime.now(UTC)
        db.add(
            SenderNumber(
                number=number,
                tenant_id=gym.tenant_id,
                merchant_id=merchant_id,
                registered_at=now if registered else None,
                created_at=now,
            )
        )
    return number


async def sender_of(gym: Integrator, path: str, order: dict[str, object]) -> str:
    accepted = (await gym.post(path, order)).json()["messageId"]
    told: str = (await gym.get(f"/messages/{accepted}")).json()["from"]
    return told


async def test_in_live_mode_an_unassigned_number_refuses_a_text_and_says_why(
    gym: Integrator, database: Database
) -> None:
    number = await live_with_own_number(gym, database)
    for type in ("OTP", "TRANSACTIONAL"):
        answer = await gym.post("/messages/sms", {**SMS, "type": type})
        assert (answer.status_code, answer.json()["code"]) == (403, "SENDER_NOT_REGISTERED")
        assert "campaign" in answer.json()["detail"]
    assert (await gym.get("/messages")).json() == []
    assert await sender_of(gym, "/messages/voice", VOICE) == number


async def test_an_assigned_number_sends_and_keeps_sending(
    gym: Integrator, database: Database
) -> None:
    number = await live_with_own_number(gym, database, registered=True)
    assert await sender_of(gym, "/messages/sms", SMS) == number
    assert await sender_of(gym, "/messages/voice", VOICE) == number


async def test_another_merchants_number_is_never_used(gym: Integrator, database: Database) -> None:
    number = await live_with_own_number(gym, database, registered=True)
    await gym.post("/merchants", {"merchantId": "gym-b", "displayName": "Gym B", "smsLimit": 5})
    sender = await sender_of(gym, "/messages/sms", {**SMS, "merchantId": "gym-b"})
    assert sender not in (number, "")
    assert sender == f"+{15_005_560_000 + gym.tenant_id % 10_000}"
