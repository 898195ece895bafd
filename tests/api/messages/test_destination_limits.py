"""Limits against toll fraud: OTPs to a contact, new recipients of a merchant behind a prefix."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from activities.system.expired_records import ExpiredWindows
from models.session import Database
from tests.api.doubles import Clock
from tests.api.integrator import EMAIL, SMS, VOICE, Integrator
from tests.api.messages.test_senders import live_with_own_number

NOTICE = {**SMS, "type": "TRANSACTIONAL"}


async def limit(database: Database, gym: Integrator, **limits: int) -> None:
    """Set limits of the tenant, as the operator's command does."""
    columns = ", ".join(f"{name} = :{name}" for name in limits)
    async with database.transaction() as db:
        await db.execute(
            text(f"UPDATE tenant SET {columns} WHERE id = :t"),
            {**limits, "t": gym.tenant_id},
        )


def numbers(count: int, prefix: str = "+1813555") -> list[str]:
    return [f"{prefix}{n:04}" for n in range(1000, 1000 + count)]


def statuses(answers: list[httpx.Response]) -> list[int]:
    return sorted(answer.status_code for answer in answers)


async def sms(gym: Integrator, to: str, **facts: Any) -> httpx.Response:
    return await gym.post("/messages/sms", {**NOTICE, "to": to, **facts})


async def stored(database: Database, gym: Integrator, table: str) -> int:
    async with database.read() as db:
        return int(
            await db.scalar(
                text(f"SELECT count(*) FROM {table} WHERE tenant_id = :t"),
                {"t": gym.tenant_id},
            )
            or 0
        )


async def test_the_simulator_has_no_limits_and_stores_nothing_for_them(
    gym: Integrator, database: Database
) -> None:
    for _ in range(7):
        assert (await gym.post("/messages/sms", SMS)).status_code == 200
    assert await stored(database, gym, "destination_window") == 0


async def test_live_tenants_have_limits_unless_they_are_taken_away(
    gym: Integrator, database: Database, clock: Clock
) -> None:
    await live_with_own_number(gym, database, registered=True)
    answers = [await gym.post("/messages/sms", SMS) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    await limit(database, gym, otps_per_10_minutes=0, otps_per_day=0)
    assert (await gym.post("/messages/sms", SMS)).status_code == 200


async def test_one_otp_too_many_is_429_says_when_and_stores_nothing(
    gym: Integrator, database: Database, clock: Clock
) -> None:
    await limit(database, gym, otps_per_10_minutes=2)
    assert (await gym.post("/messages/sms", SMS)).status_code == 200
    clock.now += timedelta(minutes=4)
    assert (await gym.post("/messages/sms", SMS)).status_code == 200
    before = await stored(database, gym, "ledger_entry")
    refused = await gym.post("/messages/sms", SMS, key="k")
    assert (refused.status_code, refused.json()["code"]) == (429, "DESTINATION_LIMITED")
    assert refused.headers["Retry-After"] == "360"
    assert SMS["to"] not in refused.text
    assert await stored(database, gym, "message") == 2
    assert await stored(database, gym, "ledger_entry") == before
    clock.now += timedelta(seconds=360)
    assert (await gym.post("/messages/sms", SMS, key="k")).status_code == 200


async def test_the_day_counts_beside_the_ten_minutes(
    gym: Integrator, database: Database, clock: Clock
) -> None:
    await limit(database, gym, otps_per_10_minutes=2, otps_per_day=3)
    for _ in range(3):
        assert (await gym.post("/messages/sms", SMS)).status_code == 200
        clock.now += timedelta(hours=1)
    refused = await gym.post("/messages/sms", SMS)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(21 * 3600))


async def test_only_otps_to_this_contact_count_on_either_channel_for_every_merchant(
    gym: Integrator, database: Database
) -> None:
    await limit(database, gym, otps_per_10_minutes=1)
    await gym.post("/merchants", {"merchantId": "gym-b", "displayName": "B", "smsLimit": 9})
    assert (await sms(gym, SMS["to"])).status_code == 200
    assert (await gym.post("/messages/email", {**EMAIL, "type": "OTP"})).status_code == 200
    assert (await gym.post("/messages/email", {**EMAIL, "type": "OTP"})).status_code == 200
    assert (await gym.post("/messages/sms", SMS)).status_code == 200
    otp_call = {**VOICE, "type": "OTP", "to": SMS["to"]}
    assert (await gym.post("/messages/voice", otp_call)).status_code == 429
    assert (await gym.post("/messages/sms", {**SMS, "merchantId": "gym-b"})).status_code == 429
    assert (await gym.post("/messages/sms", {**SMS, "to": "+18135551235"})).status_code == 200
    assert (await sms(gym, SMS["to"])).status_code == 200


async def test_an_accepted_send_is_replayed_however_full_the_limit_is(
    gym: Integrator, database: Database
) -> None:
    await limit(database, gym, otps_per_10_minutes=1, new_recipients_per_hour=1)
    first = await gym.post("/messages/sms", SMS, key="k")
    for _ in range(3):
        again = await gym.post("/messages/sms", SMS, key="k")
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
        assert again.json()["messageId"] == first.json()["messageId"]
    assert (await gym.post("/messages/sms", SMS)).status_code == 429


async def test_new_recipients_behind_a_prefix_are_limited_and_known_ones_are_not(
    gym: Integrator, database: Database, clock: Clock
) -> None:
    known, *new = numbers(4)
    assert (await sms(gym, known)).status_code == 200
    await limit(database, gym, new_recipients_per_hour=2)
    answers = [await sms(gym, to) for to in (known, *new, known, new[0])]
    assert [a.status_code for a in answers] == [200, 200, 200, 429, 200, 200]
    assert answers[3].headers["Retry-After"] == "3600"
    assert (await sms(gym, "+12125551000")).status_code == 200
    await gym.post("/merchants", {"merchantId": "gym-b", "displayName": "B", "smsLimit": 9})
    assert (await sms(gym, new[2], merchantId="gym-b")).status_code == 200
    clock.now += timedelta(hours=1)
    assert (await sms(gym, new[2])).status_code == 200


async def test_a_recipient_of_a_canceled_message_is_still_new(
    gym: Integrator, database: Database
) -> None:
    first, second, third = numbers(3)
    sent = (await sms(gym, first)).json()["messageId"]
    assert (await gym.post(f"/messages/{sent}/cancel", None)).status_code == 200
    await limit(database, gym, new_recipients_per_hour=1)
    assert (await sms(gym, second)).status_code == 200
    assert (await sms(gym, first)).status_code == 429
    assert (await sms(gym, third)).status_code == 429
    assert (await sms(gym, second)).status_code == 200


@pytest.mark.parametrize("most", [1, 5])
async def test_fifty_racing_otps_never_exceed_the_limit(
    gym: Integrator, database: Database, most: int
) -> None:
    await limit(database, gym, otps_per_10_minutes=most)
    answers = await asyncio.gather(*(gym.post("/messages/sms", SMS) for _ in range(50)))
    assert await stored(database, gym, "message") == statuses(answers).count(200) == most
    assert set(statuses(answers)) <= {200, 429, 503}


async def test_fifty_racing_new_recipients_never_exceed_the_limit(
    gym: Integrator, database: Database
) -> None:
    await limit(database, gym, new_recipients_per_hour=7)
    answers = await asyncio.gather(*(sms(gym, to) for to in numbers(50)))
    assert await stored(database, gym, "message") == statuses(answers).count(200) == 7
    assert set(statuses(answers)) <= {200, 429, 503}


async def test_what_is_kept_holds_no_number_is_bounded_and_is_deleted(
    gym: Integrator, database: Database, clock: Clock
) -> None:
    await limit(database, gym, otps_per_10_minutes=3, new_recipients_per_hour=3)
    for _ in range(6):
        await gym.post("/messages/sms", SMS)
        clock.now += timedelta(minutes=5)
    async with database.read() as db:
        rows = await db.execute(
            text(
                "SELECT w::text, cardinality(sent_at) FROM destination_window w"
                " WHERE tenant_id = :t"
            ),
            {"t": gym.tenant_id},
        )
        kept = [tuple(row) for row in rows]
    assert len(kept) == 2
    assert not any("813555" in shown for shown, _ in kept)
    assert all(times <= 3 for _, times in kept)
    while await ExpiredWindows(database).delete(clock.now + timedelta(days=2), 100):
        pass
    assert await stored(database, gym, "destination_window") == 0
