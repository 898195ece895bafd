"""Quotes: units and price of a send, and why it would be refused."""

from typing import Any

import pytest
from sqlalchemy import text

from models.enums import Channel, DeliveryMode, UnpricedReason
from models.session import Database
from tests.api.integrator import (
    EMAIL,
    SMS,
    VOICE,
    Integrator,
    make_integrator,
    make_merchant,
    suppress_contact,
)
from tests.delivery_modes import make_over
from tests.factories import add_card

QUOTES = {
    "SMS": {**SMS, "channel": "SMS"},
    "VOICE": {**VOICE, "channel": "VOICE", "maxDurationSeconds": 90},
    "EMAIL": {**EMAIL, "channel": "EMAIL"},
}
UNPRICED = {"providerCost": None, "carrierFee": None, "markup": None, "total": None}


async def quote(integrator: Integrator, order: dict[str, Any]) -> dict[str, Any]:
    response = await integrator.post("/messages/quote", order)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def carded(database: Database, gym: Integrator) -> None:
    for channel in Channel:
        await add_card(
            database,
            gym.tenant_id,
            channel=channel,
            provider="simulator",
            unit_cost="0.0083",
            carrier_fee="0.0045",
            basis_points=2000,
            flat="0.001",
        )


@pytest.mark.parametrize(
    ("channel", "units", "encoding", "cost", "fee", "markup", "total"),
    [
        ("SMS", 1, "GSM-7", "0.008300", "0.004500", "0.003560", "0.016360"),
        ("VOICE", 2, None, "0.016600", "0.009000", "0.007120", "0.032720"),
        ("EMAIL", 1, None, "0.008300", "0.004500", "0.003560", "0.016360"),
    ],
)
async def test_every_channel_is_quoted_to_six_places(
    gym: Integrator,
    database: Database,
    channel: str,
    units: int,
    encoding: str | None,
    cost: str,
    fee: str,
    markup: str,
    total: str,
) -> None:
    await carded(database, gym)
    assert await quote(gym, QUOTES[channel]) == {
        "channel": channel,
        "units": units,
        "encoding": encoding,
        "providerCost": cost,
        "carrierFee": fee,
        "markup": markup,
        "total": total,
        "currency": "USD",
        "priceGap": None,
        "allowed": True,
        "reason": None,
    }


@pytest.mark.parametrize(
    ("message", "units", "encoding"),
    [
        ("a" * 160, 1, "GSM-7"),
        ("a" * 161, 2, "GSM-7"),
        ("a" * 152 + "€" + "a" * 152, 3, "GSM-7"),
        ("я" * 70, 1, "UCS-2"),
        ("я" * 66 + "😀" + "я" * 66, 3, "UCS-2"),
    ],
)
async def test_a_quote_counts_segments_as_a_send_does(
    gym: Integrator, message: str, units: int, encoding: str
) -> None:
    answer = await quote(gym, {**QUOTES["SMS"], "message": message})
    assert (answer["units"], answer["encoding"]) == (units, encoding)


async def test_without_a_card_there_are_no_amounts_and_it_may_be_sent(gym: Integrator) -> None:
    answer = await quote(gym, QUOTES["SMS"])
    assert answer.items() >= UNPRICED.items()
    assert (answer["priceGap"], answer["allowed"]) == (UnpricedReason.RATE_MISSING, True)


async def test_without_a_provider_there_is_no_price_either(
    gym: Integrator, database: Database
) -> None:
    await carded(database, gym)
    async with database.transaction() as db:
        await make_over(db, gym.tenant_id, DeliveryMode.LIVE)
    assert (await quote(gym, QUOTES["SMS"]))["priceGap"] == "RATE_MISSING"


async def test_a_version_that_is_not_in_force_yet_quotes_nothing(
    gym: Integrator, database: Database
) -> None:
    await carded(database, gym)
    await add_card(database, gym.tenant_id, provider="simulator", unit_cost="9", valid_in_days=1)
    assert (await quote(gym, QUOTES["SMS"]))["providerCost"] == "0.008300"


@pytest.mark.parametrize("order", QUOTES.values(), ids=QUOTES)
async def test_quoting_leaves_nothing_behind(
    gym: Integrator, database: Database, order: dict[str, Any]
) -> None:
    for _ in range(2):
        response = await gym.post("/messages/quote", order, key="one-key")
        assert response.status_code == 200
        assert "Idempotency-Replayed" not in response.headers
    assert (await gym.post("/messages/quote", QUOTES["SMS"], key="one-key")).status_code == 200
    async with database.read() as db:
        for table in ("message", "ledger_entry", "allowance_month", "idempotency_record"):
            rows = f"SELECT count(*) FROM {table} WHERE tenant_id = :t"
            if table == "idempotency_record":
                rows += " AND route LIKE '%quote%'"
            assert await db.scalar(text(rows), {"t": gym.tenant_id}) == 0, table


async def refuse_inactive(gym: Integrator, database: Database) -> None:
    await gym.post("/merchants", {"merchantId": "gym-a", "displayName": "Gym", "active": False})


async def refuse_funds(gym: Integrator, database: Database) -> None:
    await gym.post("/merchants", {"merchantId": "gym-a", "displayName": "Gym", "smsLimit": 0})


async def refuse_opted_out(gym: Integrator, database: Database) -> None:
    body = {"merchantId": "gym-a", "channel": "SMS", "contact": SMS["to"], "source": "test"}
    await gym.post("/consents", {**body, "status": "OPT_OUT"})


async def refuse_suppressed(gym: Integrator, database: Database) -> None:
    async with database.read() as db:
        merchant = await db.scalar(
            text("SELECT id FROM merchant WHERE tenant_id = :t"), {"t": gym.tenant_id}
        )
    await suppress_contact(database, gym.tenant_id, merchant, Channel.SMS, SMS["to"])


async def refuse_senders(gym: Integrator, database: Database) -> None:
    async with database.transaction() as db:
        await db.execute(
            text("DELETE FROM sender_number WHERE tenant_id = :t"), {"t": gym.tenant_id}
        )


@pytest.mark.parametrize(
    ("forbid", "code"),
    [
        (refuse_inactive, "MERCHANT_INACTIVE"),
        (refuse_funds, "INSUFFICIENT_CREDITS"),
        (refuse_opted_out, "CONSENT_OPTED_OUT"),
        (refuse_suppressed, "RECIPIENT_SUPPRESSED"),
        (refuse_senders, "SENDER_NOT_REGISTERED"),
    ],
)
async def test_the_reason_is_the_refusal_a_send_gets(
    gym: Integrator, database: Database, forbid: Any, code: str
) -> None:
    await carded(database, gym)
    await forbid(gym, database)
    answer = await quote(gym, QUOTES["SMS"])
    assert (answer["allowed"], answer["reason"]) == (False, code)
    assert answer["total"] == "0.016360"
    sent = await gym.post("/messages/sms", SMS)
    assert sent.json()["code"] == code


async def test_marketing_without_consent_and_by_voice_is_not_allowed(gym: Integrator) -> None:
    sms = await quote(gym, {**QUOTES["SMS"], "type": "MARKETING"})
    assert sms["reason"] == "CONSENT_REQUIRED"
    call = await quote(gym, {**QUOTES["VOICE"], "type": "MARKETING"})
    assert (call["reason"], call["units"]) == ("CHANNEL_NOT_ALLOWED", 2)


@pytest.mark.parametrize(
    ("order", "status", "code", "field"),
    [
        (SMS, 400, "VALIDATION_FAILED", "channel"),
        ({**SMS, "channel": "FAX"}, 400, "VALIDATION_FAILED", "channel"),
        ({**SMS, "channel": "VOICE"}, 400, "VALIDATION_FAILED", "text"),
        ({**QUOTES["SMS"], "surprise": 1}, 400, "VALIDATION_FAILED", "surprise"),
        ({**QUOTES["SMS"], "to": "12"}, 400, "INVALID_PHONE_NUMBER", None),
        ({**QUOTES["EMAIL"], "to": "nobody"}, 400, "INVALID_EMAIL", None),
        ({**QUOTES["SMS"], "message": "a" * 1531}, 400, "MESSAGE_TOO_LONG", None),
        ({**QUOTES["SMS"], "sendAt": "2999-01-01T00:00:00Z"}, 400, "VALIDATION_FAILED", "sendAt"),
        ({**QUOTES["SMS"], "merchantId": "gym-z"}, 404, "MERCHANT_NOT_FOUND", None),
        ([], 400, "VALIDATION_FAILED", None),
    ],
)
async def test_an_invalid_quote_is_refused_like_a_send(
    gym: Integrator, order: Any, status: int, code: str, field: str | None
) -> None:
    response = await gym.post("/messages/quote", order)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    if field is not None:
        assert field in [error["field"] for error in problem["errors"]]


async def test_a_merchants_key_quotes_for_that_merchant_only(
    gym: Integrator, database: Database
) -> None:
    other = await make_merchant(database, gym.tenant_id, "gym-b")
    theirs = await make_integrator(database, gym.client, gym.tenant_id, other)
    assert (await theirs.post("/messages/quote", QUOTES["SMS"])).status_code == 404


async def test_another_tenants_card_prices_nothing(
    gym: Integrator, stranger: Integrator, database: Database
) -> None:
    await add_card(database, stranger.tenant_id, provider="simulator", unit_cost="5")
    assert (await quote(gym, QUOTES["SMS"]))["priceGap"] == "RATE_MISSING"
