"""The details of one upgrade: the state of its payment, as gateways report it by webhook."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from models.enums import ChargeState
from models.session import Database
from tests.activities.gateways import OwnGateway, PaymentHarness
from tests.api.billing.charge_reports import SECRET, charge_report, everything, post
from tests.api.doubles import FakeUpgradeStarter
from tests.api.integrator import Integrator
from tests.factories import Owner, make_owner

FIELDS = [
    *("merchantId", "channel", "unitsRequested", "amountCents", "currency", "paymentId"),
    *("paymentStatus", "fulfilled", "remainingCredits", "nextActionUrl", "refundedCents"),
    *("disputed", "failureCode", "createdAt", "completedAt"),
]


@pytest.fixture
def harness(database: Database, owner: Owner, upgrades: FakeUpgradeStarter) -> PaymentHarness:
    """Payments at the simulator's gateway."""
    return PaymentHarness(database, owner, OwnGateway(name="simulator"))


@pytest.fixture
def who(client: httpx.AsyncClient, owner: Owner) -> Integrator:
    """The buyer."""
    return Integrator(client, owner.tenant_id, owner.tenant_public_id, 0, owner.headers)


def reversal(reference: str, status: str, **changed: Any) -> dict[str, Any]:
    """Build a webhook of the simulator about a charge after it succeeded."""
    return {
        "eventId": f"evt-{status}-{reference}",
        "type": "reversal",
        "chargeId": f"ch-{reference}",
        "reference": reference,
        "status": status,
        "refundedCents": 10 if status == "refunded" else 0,
        "currency": "USD",
        "at": "2026-11-27T00:00:00.000Z",
        **changed,
    }


async def shown(harness: PaymentHarness, who: Integrator, payment_id: int) -> dict[str, Any]:
    """Return the details of an upgrade."""
    row = await harness.row(payment_id)
    answer = await who.get(f"/billing/upgrades/pay_{row.public_id}")
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def granted(harness: PaymentHarness) -> tuple[int, str]:
    payment_id = await harness.order(key="k")
    await harness.carry(payment_id)
    return payment_id, str(await harness.reference(payment_id))


async def test_it_shows_the_fields_of_the_list_and_what_became_of_the_payment(
    harness: PaymentHarness, who: Integrator
) -> None:
    payment_id = await harness.order(key="k")
    first = await shown(harness, who, payment_id)
    assert list(first) == FIELDS
    assert (first["completedAt"], first["failureCode"]) == (None, None)
    await harness.carry(payment_id)
    view = await shown(harness, who, payment_id)
    [listed] = (await who.get("/billing/upgrades")).json()
    assert {name: view[name] for name in listed} == listed
    assert (view["refundedCents"], view["disputed"]) == (0, False)
    assert view["createdAt"] <= view["completedAt"]


@pytest.mark.parametrize("cents", [4, 10])
async def test_a_refund_at_the_gateway_is_shown_and_takes_no_credits(
    client: httpx.AsyncClient, harness: PaymentHarness, who: Integrator, cents: int
) -> None:
    payment_id, reference = await granted(harness)
    told = reversal(reference, "refunded", refundedCents=cents)
    for _ in range(2):
        assert (await post(client, reference, told)).status_code == 204
    view = await shown(harness, who, payment_id)
    assert (view["paymentStatus"], view["refundedCents"]) == ("SUCCEEDED", cents)
    assert (view["fulfilled"], view["remainingCredits"]) == (True, 5)
    [alert] = (await who.get("/alerts", type="PAYMENT_DISPUTED", open="true")).json()
    assert (alert["severity"], alert["count"], alert["threshold"]) == ("WARNING", 1, None)
    assert view["paymentId"] in alert["message"]


async def test_a_dispute_is_shown_for_good_and_its_alert_goes_when_it_is_won(
    client: httpx.AsyncClient, harness: PaymentHarness, who: Integrator
) -> None:
    payment_id, reference = await granted(harness)
    told = reversal(reference, "disputed")
    answers = await asyncio.gather(*(post(client, reference, told) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {204}
    assert (await shown(harness, who, payment_id))["disputed"] is True
    [alert] = (await who.get("/alerts", type="PAYMENT_DISPUTED", open="true")).json()
    assert (alert["severity"], alert["count"]) == ("CRITICAL", 1)
    await post(client, reference, reversal(reference, "dispute_won", at="2026-11-28T00:00:00Z"))
    assert (await who.get("/alerts", type="PAYMENT_DISPUTED", open="true")).json() == []
    view = await shown(harness, who, payment_id)
    assert (view["disputed"], view["remainingCredits"]) == (True, 5)


async def test_an_action_is_shown_while_it_is_to_be_done(
    client: httpx.AsyncClient, harness: PaymentHarness, who: Integrator
) -> None:
    harness.gateway.state = ChargeState.PROCESSING
    payment_id = await harness.order(key="k")
    await harness.take("charge", payment_id)
    reference = str(await harness.reference(payment_id))
    url = "https://payments.example/actions/1"
    told = charge_report(reference, status="requires_action", nextActionUrl=url, eventId="act")
    assert (await post(client, reference, told)).status_code == 204
    view = await shown(harness, who, payment_id)
    assert (view["paymentStatus"], view["nextActionUrl"]) == ("REQUIRES_ACTION", url)
    await post(client, reference, charge_report(reference))
    assert (await shown(harness, who, payment_id))["nextActionUrl"] is None


async def test_another_amount_is_shown_as_failed_and_then_refunded(
    client: httpx.AsyncClient, harness: PaymentHarness, who: Integrator
) -> None:
    harness.gateway.tells = (11, "USD")
    payment_id = await harness.order(key="k")
    await harness.take("charge", payment_id)
    await harness.take("cancel_charge", payment_id)
    view = await shown(harness, who, payment_id)
    assert (view["paymentStatus"], view["failureCode"]) == ("FAILED", "AMOUNT_MISMATCH")
    assert (view["completedAt"], view["refundedCents"]) == (None, 0)
    harness.gateway.refuses_refunds, harness.refund_wait = True, timedelta(0)
    await harness.take("refund", payment_id)
    stuck = await shown(harness, who, payment_id)
    assert (stuck["paymentStatus"], stuck["completedAt"]) == ("FAILED", None)


@pytest.mark.parametrize(
    "shown_id",
    ["pay_1", "1", "pay_", "pay_x", "pay_-1", "PAY_1", "pay_01", "pay_١", "pay_" + "9" * 30],
)
async def test_an_id_that_no_upgrade_has_is_404(who: Integrator, shown_id: str) -> None:
    answer = await who.get(f"/billing/upgrades/{shown_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "PAYMENT_NOT_FOUND")


async def test_another_tenants_upgrade_is_404(
    client: httpx.AsyncClient, harness: PaymentHarness, database: Database
) -> None:
    payment_id, _ = await granted(harness)
    other = await make_owner(database)
    stranger = Integrator(client, other.tenant_id, other.tenant_public_id, 0, other.headers)
    public_id = (await harness.row(payment_id)).public_id
    answer = await stranger.get(f"/billing/upgrades/pay_{public_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "PAYMENT_NOT_FOUND")


@pytest.mark.parametrize(
    ("changed", "secret", "status"),
    [
        ({}, "guessed", 403),
        ({"refundedCents": 11}, SECRET, 204),
        ({"currency": "MXN"}, SECRET, 204),
        ({"chargeId": "ch-another"}, SECRET, 204),
        ({"status": "succeeded"}, SECRET, 400),
        ({"refundedCents": -1}, SECRET, 400),
        ({"refundedCents": "10"}, SECRET, 400),
        ({"refundedCents": None}, SECRET, 400),
        ({"eventId": ""}, SECRET, 400),
        ({"at": "yesterday"}, SECRET, 400),
        ({"reference": "hxp-1-1"}, SECRET, 403),
    ],
    ids=repr,
)
async def test_a_report_that_is_forged_or_not_about_this_charge_changes_nothing(
    client: httpx.AsyncClient,
    harness: PaymentHarness,
    changed: dict[str, Any],
    secret: str,
    status: int,
) -> None:
    _, reference = await granted(harness)
    before = await everything(harness)
    told = reversal(reference, "refunded") | changed
    assert (await post(client, reference, told, secret=secret)).status_code == status
    assert await everything(harness) == before


async def test_a_report_about_another_tenants_payment_has_no_effect(
    client: httpx.AsyncClient, harness: PaymentHarness, database: Database
) -> None:
    _, reference = await granted(harness)
    stranger = await make_owner(database)
    own = str(harness.owner.tenant_public_id)
    crossed = reference.replace(own, str(stranger.tenant_public_id), 1)
    before = await everything(harness)
    assert (await post(client, crossed, reversal(crossed, "disputed"))).status_code == 404
    assert (await post(client, reference, reversal(crossed, "disputed"))).status_code == 403
    assert await everything(harness) == before


async def test_a_refund_that_ends_a_stuck_one_opens_the_payment_for_its_workflow(
    client: httpx.AsyncClient,
    harness: PaymentHarness,
    who: Integrator,
    upgrades: FakeUpgradeStarter,
) -> None:
    payment_id = await harness.order(key="k")
    await harness.take("charge", payment_id)
    await harness.switch(active=False)
    harness.gateway.refuses_refunds, harness.refund_wait = True, timedelta(0)
    await harness.carry(payment_id)
    assert (await who.get("/alerts", type="REFUND_STUCK", open="true")).json() != []
    reference = str(await harness.reference(payment_id))
    await post(client, reference, reversal(reference, "refunded"))
    assert upgrades.row_changed == [f"upgrade/{harness.owner.tenant_public_id}/k"]
    await harness.carry(payment_id)
    view = await shown(harness, who, payment_id)
    assert (view["paymentStatus"], view["refundedCents"]) == ("REFUNDED", 10)
    assert (await who.get("/alerts", type="REFUND_STUCK", open="true")).json() == []
