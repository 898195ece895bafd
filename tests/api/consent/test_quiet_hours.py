"""Marketing by SMS waits for the recipient's daytime; other messages are sent at once."""

from datetime import UTC, datetime

import pytest

from tests.api.doubles import Clock
from tests.api.integrator import CONSENT, EMAIL, SMS, Integrator

TAMPA = "+18135551234"
"""Eastern time; in April four hours behind UTC."""
NIGHT = datetime(2026, 4, 16, 2, 30, tzinfo=UTC)
DAY = datetime(2026, 4, 16, 15, 0, tzinfo=UTC)
OFFER = {**SMS, "type": "MARKETING", "message": "Ten percent off"}


@pytest.fixture
async def consenting(gym: Integrator) -> Integrator:
    """An integrator whose recipient has opted in."""
    for channel, contact in (("SMS", TAMPA), ("EMAIL", "member@example.com")):
        await gym.post("/consents", {**CONSENT, "channel": channel, "contact": contact})
    return gym


async def send(integrator: Integrator, order: object) -> tuple[str, str | None, str | None]:
    """Send; return status, sendAt and expiresAt of the message."""
    answer = await integrator.post("/messages/sms", order)
    assert answer.status_code == 200, answer.text
    view = (await integrator.get(f"/messages/{answer.json()['messageId']}")).json()
    assert view["status"] == answer.json()["status"]
    return view["status"], view["sendAt"], view["expiresAt"]


async def test_at_night_it_waits_for_the_morning(consenting: Integrator, clock: Clock) -> None:
    clock.now = NIGHT
    assert await send(consenting, OFFER) == ("SCHEDULED", "2026-04-16T12:00:00.000Z", None)


async def test_validity_counts_from_acceptance_not_from_the_morning(
    consenting: Integrator, clock: Clock
) -> None:
    clock.now = NIGHT
    sent = await send(consenting, {**OFFER, "validForSeconds": 36_000})
    assert sent == ("SCHEDULED", "2026-04-16T12:00:00.000Z", "2026-04-16T12:30:00.000Z")


async def test_by_day_it_goes_at_once(consenting: Integrator, clock: Clock) -> None:
    clock.now = DAY
    assert await send(consenting, OFFER) == ("QUEUED", None, None)


async def test_a_merchant_may_narrow_its_hours(consenting: Integrator, clock: Clock) -> None:
    await consenting.post(
        "/merchants/gym-a/settings", {"marketingFrom": "12:00", "marketingUntil": "13:00"}
    )
    clock.now = DAY
    assert await send(consenting, OFFER) == ("SCHEDULED", "2026-04-16T16:00:00.000Z", None)
    clock.now = datetime(2026, 4, 16, 17, 0, tzinfo=UTC)
    assert await send(consenting, OFFER) == ("SCHEDULED", "2026-04-17T16:00:00.000Z", None)


async def test_a_wish_for_the_night_is_moved_into_the_day(
    consenting: Integrator, clock: Clock
) -> None:
    clock.now = DAY
    sent = await send(
        consenting, {**OFFER, "sendAt": "2026-04-17T03:00:00Z", "validForSeconds": 60}
    )
    # It would expire during the night: the times are returned unchanged, and it will expire.
    assert sent == ("SCHEDULED", "2026-04-17T12:00:00.000Z", "2026-04-17T03:01:00.000Z")


@pytest.mark.parametrize("kind", ["OTP", "TRANSACTIONAL", "REMINDER", "NOTIFICATION"])
async def test_other_messages_than_marketing_are_sent_at_night(
    consenting: Integrator, clock: Clock, kind: str
) -> None:
    clock.now = NIGHT
    status, send_at, _ = await send(consenting, {**SMS, "type": kind})
    assert (status, send_at) == ("QUEUED", None)


async def test_email_has_no_quiet_hours(consenting: Integrator, clock: Clock) -> None:
    clock.now = NIGHT
    answer = await consenting.post("/messages/email", {**EMAIL, "type": "MARKETING"})
    assert answer.json()["status"] == "QUEUED"


async def test_a_send_time_too_far_ahead_is_400(consenting: Integrator, clock: Clock) -> None:
    clock.now = DAY
    answer = await consenting.post("/messages/sms", {**OFFER, "sendAt": "2026-05-16T15:00:01Z"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "sendAt")
    at_most = {**OFFER, "sendAt": "2026-05-16T15:00:00Z"}
    assert (await consenting.post("/messages/sms", at_most)).status_code == 200


async def opted_in(integrator: Integrator, contact: str) -> dict[str, object]:
    """Opt a recipient in; return an offer to it."""
    await integrator.post("/consents", {**CONSENT, "channel": "SMS", "contact": contact})
    return {**OFFER, "to": contact}


async def test_abroad_the_clocks_of_the_country_count(gym: Integrator, clock: Clock) -> None:
    offer = await opted_in(gym, "+212661234567")
    clock.now = datetime(2026, 6, 10, 20, 30, tzinfo=UTC)
    assert await send(gym, offer) == ("SCHEDULED", "2026-06-11T07:00:00.000Z", None)


async def test_where_no_hour_fits_it_is_refused_until_the_merchant_names_a_zone(
    gym: Integrator, clock: Clock
) -> None:
    offer = await opted_in(gym, "+79161234567")
    clock.now = datetime(2026, 6, 10, 3, tzinfo=UTC)
    hours = {"marketingFrom": "11:00", "marketingUntil": "14:00"}
    await gym.post("/merchants/gym-a/settings", hours)
    refused = await gym.post("/messages/sms", offer)
    assert (refused.status_code, refused.json()["code"]) == (403, "CHANNEL_NOT_ALLOWED")
    assert "marketingTimezones" in refused.json()["detail"]
    await gym.post("/merchants/gym-a/settings", {"marketingTimezones": ["Europe/Moscow"]})
    assert await send(gym, offer) == ("SCHEDULED", "2026-06-10T08:00:00.000Z", None)
