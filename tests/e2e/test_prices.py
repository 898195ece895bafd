"""The price of a send, to the millionth: in its view, its quote and its usage day."""

from decimal import Decimal
from typing import Any

import pytest

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number

pytestmark = pytest.mark.xdist_group("stack")

_DAY = (
    "SELECT channel, messages, units, aws_cost, provider_cost, carrier_fees, markup"
    " FROM usage_day WHERE tenant_id = :tenant"
)


async def priced(integrator: Integrator, message_id: str) -> dict[str, Any]:
    view = await integrator.ended(message_id)
    price: dict[str, Any] = view["price"]
    return price


@pytest.mark.parametrize("last_four", ["1234", "9004", "9010"])
async def test_a_text_to_the_us_costs_parts_carrier_fee_and_markup(
    harness: Harness, integrator: Integrator, last_four: str
) -> None:
    """Reported, found after a lost answer, or looked up: the simulator states the same price."""
    to = f"+1813620{last_four}"
    body = {"message": "x" * 161, "type": "TRANSACTIONAL", "merchantId": integrator.owner.merchant}
    quoted = await integrator.post("/messages/quote", {**body, "to": to, "channel": "SMS"})
    message_id = await integrator.accepted(to, message="x" * 161)
    price = await priced(integrator, message_id)
    assert price == {
        "providerCost": "0.016600",
        "carrierFee": "0.009000",
        "markup": "0.005120",
        "total": "0.030720",
        "currency": "USD",
        "state": "FINAL",
    }
    assert quoted.json().items() >= {k: v for k, v in price.items() if k != "state"}.items()
    assert await harness.rows(_DAY, tenant=integrator.owner.tenant_id) == [
        ("SMS", 1, 2, Decimal(0), Decimal("0.0256"), Decimal("0.009"), Decimal("0.00512"))
    ]
    assert await harness.rows(
        "SELECT priced_by, country FROM usage_record WHERE tenant_id = :tenant",
        tenant=integrator.owner.tenant_id,
    ) == [("VENDOR", "US")]
    assert await violations(integrator) == []


async def test_an_unsent_message_costs_nothing_and_unknown_keeps_its_cards_price(
    integrator: Integrator,
) -> None:
    refused = await integrator.accepted(number("9002"))
    unknown = await integrator.accepted(number("9011"))
    assert await priced(integrator, refused) is None
    price = await priced(integrator, unknown)
    assert (price["total"], price["state"]) == ("0.010960", "FINAL")
    assert await violations(integrator) == []


async def test_calls_and_mails_are_priced_by_minute_and_recipient(integrator: Integrator) -> None:
    merchant = integrator.owner.merchant
    call = {"merchantId": merchant, "text": "Hello", "type": "REMINDER"}
    answered = await integrator.post("/messages/voice", {**call, "to": "+18135559207"})
    busy = await integrator.post("/messages/voice", {**call, "to": "+18135559101"})
    mail = {"merchantId": merchant, "subject": "Hello", "body": "Hello", "type": "TRANSACTIONAL"}
    mailed = await integrator.post("/messages/email", {**mail, "to": "member@example.com"})
    totals = [
        (await priced(integrator, sent.json()["messageId"]))["total"]
        for sent in (answered, busy, mailed)
    ]
    assert totals == ["0.033600", "0.000000", "0.000220"]
    assert await violations(integrator) == []
