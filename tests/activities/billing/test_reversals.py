"""Charges that are refunded or disputed at the gateway, before and after the credits."""

from datetime import UTC, datetime, timedelta

import pytest

from models.enums import ChargeState, PaymentStatus, ReversalState
from models.queries.billing.upgrades.payments import ForeignCharge
from models.rules.billing.payments import PaymentAction
from tests.activities.gateways import OwnGateway, PaymentHarness

REFUNDED, DISPUTED = ReversalState.REFUNDED, ReversalState.DISPUTED
WON, LOST = ReversalState.DISPUTE_WON, ReversalState.DISPUTE_LOST
OPEN_DISPUTE = [("PAYMENT_DISPUTED", "CRITICAL", 1)]
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


async def granted(harness: PaymentHarness) -> int:
    payment_id = await harness.order()
    assert await harness.carry(payment_id) is PaymentStatus.SUCCEEDED
    return payment_id


@pytest.mark.parametrize("cents", [4, 10])
async def test_a_refund_after_the_grant_is_shown_and_takes_no_credits(
    harness: PaymentHarness, cents: int
) -> None:
    payment_id = await granted(harness)
    for event in ("one", "one"):
        await harness.reverse(payment_id, REFUNDED, cents=cents, event_id=event)
    row = await harness.row(payment_id)
    assert (row.status, row.refunded_cents) == ("SUCCEEDED", cents)
    assert None not in (row.fulfilled_at, row.completed_at)
    assert await harness.open_alerts() == [("PAYMENT_DISPUTED", "WARNING", 1)]
    assert await harness.broken_laws() == []


async def test_reports_of_refunds_come_in_any_order(harness: PaymentHarness) -> None:
    payment_id = await granted(harness)
    for cents in (4, 10, 7, 4):
        await harness.reverse(payment_id, REFUNDED, cents=cents)
    assert (await harness.row(payment_id)).refunded_cents == 10
    assert await harness.open_alerts() == [("PAYMENT_DISPUTED", "WARNING", 2)]


async def test_a_dispute_after_the_grant_is_open_until_it_is_won(harness: PaymentHarness) -> None:
    payment_id = await granted(harness)
    await harness.reverse(payment_id, DISPUTED, at=NOON)
    assert await harness.open_alerts() == OPEN_DISPUTE
    await harness.reverse(payment_id, WON, at=NOON + timedelta(days=9))
    assert await harness.open_alerts() == []
    await harness.reverse(payment_id, DISPUTED, at=NOON)
    assert await harness.open_alerts() == [], "reported before"
    assert (await harness.row(payment_id)).dispute == "DISPUTE_WON"
    assert await harness.broken_laws() == []


async def test_a_dispute_that_is_lost_stays_open_for_an_operator(harness: PaymentHarness) -> None:
    payment_id = await granted(harness)
    await harness.reverse(payment_id, LOST, at=NOON)
    await harness.reverse(payment_id, DISPUTED, at=NOON)
    assert (await harness.row(payment_id)).dispute == "DISPUTE_LOST"
    assert await harness.open_alerts() == OPEN_DISPUTE
    assert (await harness.row(payment_id)).status == "SUCCEEDED"


async def test_another_dispute_of_the_same_charge_raises_another_alert(
    harness: PaymentHarness,
) -> None:
    payment_id = await granted(harness)
    await harness.reverse(payment_id, WON, at=NOON)
    await harness.reverse(payment_id, DISPUTED, at=NOON + timedelta(hours=1))
    assert await harness.open_alerts() == OPEN_DISPUTE


@pytest.mark.parametrize("known", [False, True])
async def test_a_refund_before_the_grant_leaves_nothing_to_refund(
    harness: PaymentHarness, gateway: OwnGateway, known: bool
) -> None:
    payment_id = await charged(harness, known)
    gateway.returned.add(str(await harness.reference(payment_id)))
    await harness.reverse(payment_id, REFUNDED, cents=10)
    assert await harness.carry(payment_id) is PaymentStatus.REFUNDED
    row = await harness.row(payment_id)
    assert (row.failure, row.fulfilled_at, row.refunded_cents) == ("REVERSED", None, 10)
    assert gateway.refunds == {}
    assert await harness.open_alerts() == []
    assert await harness.broken_laws() == []


async def test_a_part_refunded_before_the_grant_has_the_rest_refunded(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await charged(harness, True)
    await harness.reverse(payment_id, REFUNDED, cents=4)
    assert await harness.carry(payment_id) is PaymentStatus.REFUNDED
    assert len(gateway.refunds) == 1
    assert (await harness.row(payment_id)).refunded_cents == 10
    assert await harness.broken_laws() == []


@pytest.mark.parametrize("known", [False, True])
async def test_a_dispute_before_the_grant_gets_no_credits_and_no_second_refund(
    harness: PaymentHarness, gateway: OwnGateway, known: bool
) -> None:
    payment_id = await charged(harness, known)
    await harness.reverse(payment_id, DISPUTED, at=NOON)
    assert await harness.carry(payment_id) is PaymentStatus.SUCCEEDED
    row = await harness.row(payment_id)
    assert (row.fulfilled_at, row.completed_at is not None) == (None, True)
    assert "refund" not in gateway.calls
    assert await harness.open_alerts() == [("PAYMENT_DISPUTED", "CRITICAL", 2)]
    gateway.returned.add(str(await harness.reference(payment_id)))
    await harness.reverse(payment_id, LOST, at=NOON + timedelta(days=9))
    assert await harness.carry(payment_id) is PaymentStatus.REFUNDED
    assert "refund" not in gateway.calls
    assert await harness.open_alerts() == []
    assert await harness.broken_laws() == []


async def test_a_dispute_before_the_grant_that_is_won_is_refunded(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await charged(harness, True)
    await harness.reverse(payment_id, DISPUTED, at=NOON)
    await harness.carry(payment_id)
    await harness.reverse(payment_id, WON, at=NOON + timedelta(days=9))
    assert await harness.carry(payment_id) is PaymentStatus.REFUNDED
    assert len(gateway.refunds) == 1
    assert await harness.open_alerts() == []


async def test_a_dispute_that_was_won_before_the_grant_is_no_obstacle(
    harness: PaymentHarness,
) -> None:
    payment_id = await charged(harness, True)
    await harness.reverse(payment_id, WON, at=NOON)
    assert await harness.carry(payment_id) is PaymentStatus.SUCCEEDED
    assert (await harness.row(payment_id)).fulfilled_at is not None


async def test_a_refund_of_ours_that_is_reported_as_well_is_one(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await charged(harness, True)
    await harness.switch(active=False)
    assert await harness.carry(payment_id) is PaymentStatus.REFUNDED
    await harness.reverse(payment_id, REFUNDED, cents=10)
    assert await harness.open_alerts() == []
    assert await harness.broken_laws() == []


@pytest.mark.parametrize(("cents", "currency"), [(11, "USD"), (4, "MXN"), (0, "MXN")])
async def test_a_report_about_other_money_is_dropped(
    harness: PaymentHarness, cents: int, currency: str
) -> None:
    payment_id = await granted(harness)
    with pytest.raises(ForeignCharge):
        await harness.reverse(payment_id, REFUNDED, cents=cents, currency=currency)
    assert (await harness.row(payment_id)).refunded_cents == 0
    assert await harness.rows("SELECT 1 FROM payment_event WHERE tenant_id = :t") == []


async def test_what_is_refunded_of_another_amount_is_held_against_that(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.tells = (11, "USD")
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    gateway.returned.add(str(await harness.reference(payment_id)))
    await harness.reverse(payment_id, REFUNDED, cents=11)
    await harness.take("cancel_charge", payment_id)
    assert await harness.carry(payment_id) is PaymentStatus.REFUNDED
    assert gateway.refunds == {}
    assert await harness.broken_laws() == []


async def charged(harness: PaymentHarness, known: bool) -> int:
    """Return a charged payment without credits; `known` states whether its row knows of the
    charge.
    """
    if not known:
        harness.gateway.state = ChargeState.PROCESSING
    payment_id = await harness.order()
    progress = await harness.take("charge", payment_id)
    assert progress.next_action is (PaymentAction.GRANT if known else PaymentAction.AWAIT)
    for reference in harness.gateway.states:
        harness.gateway.states[reference] = ChargeState.SUCCEEDED
    return payment_id
