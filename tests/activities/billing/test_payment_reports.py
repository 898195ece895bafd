"""Reports of payment gateways are applied once, and only to the payment of their own charge."""

import asyncio
from dataclasses import replace

from models.enums import ChargeState, PaymentStatus
from models.queries.billing.upgrades.payment_events import find_named
from providers.ports.messages import NotFound
from tests.activities.gateways import BUSY, OwnGateway, PaymentHarness

PENDING, SUCCEEDED, FAILED = PaymentStatus.PENDING, PaymentStatus.SUCCEEDED, PaymentStatus.FAILED
REFUNDED = PaymentStatus.REFUNDED


async def test_a_charge_after_the_failure_is_refunded(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.state = ChargeState.DECLINED
    reference = "spring"
    payment_id = await harness.order(reference=reference)
    assert await harness.carry(payment_id) is FAILED
    again = await harness.order(reference=reference)  # a failed payment frees its reference
    [key] = gateway.states
    gateway.states[key] = ChargeState.SUCCEEDED
    await harness.tell(payment_id, ChargeState.SUCCEEDED)
    assert (await harness.row(payment_id)).completed_at is None
    assert await harness.carry(payment_id) is REFUNDED
    gateway.state = ChargeState.SUCCEEDED
    assert await harness.carry(again) is SUCCEEDED
    assert await harness.broken_laws() == []


async def test_a_repeated_event_is_applied_once(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.state = ChargeState.PROCESSING
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    [reference] = gateway.states
    gateway.states[reference] = ChargeState.SUCCEEDED
    await asyncio.gather(
        *(harness.tell(payment_id, ChargeState.SUCCEEDED, event_id="evt-1") for _ in range(10))
    )
    stored = await harness.rows("SELECT event_id FROM payment_event WHERE tenant_id = :t")
    assert [row.event_id for row in stored] == ["evt-1"]
    assert await harness.carry(payment_id) is SUCCEEDED
    row = await harness.row(payment_id)
    for state in ChargeState:
        await harness.tell(payment_id, state)
    again = await harness.row(payment_id)
    assert replace_sweep(again) == replace_sweep(row)


async def test_reports_of_an_unknown_payment_or_another_gateway_are_refused(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await harness.order()
    # the charge was never requested
    assert await harness.tell(payment_id, ChargeState.SUCCEEDED) is None
    reference = await harness.reference(payment_id)
    async with harness.database.read() as db:
        assert await find_named(db, replace(reference, payment=reference.payment ^ 1)) is None
        assert await find_named(db, replace(reference, tenant=reference.tenant ^ 1)) is None
    await harness.take("charge", payment_id)
    gateway.name = "another"
    assert await harness.tell(payment_id, ChargeState.FAILED) is None


async def test_an_old_charge_under_the_same_ids_is_not_this_payments_money(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    """A restored database issues the id of a payment that was paid already."""
    payment_id = await harness.order()
    old = f"hxp-{harness.owner.tenant_id}-{payment_id}"
    gateway.states[old] = gateway.state = ChargeState.SUCCEEDED
    gateway.answers = [BUSY]
    await harness.take("charge", payment_id)
    [request] = gateway.requests
    assert request.reference != old
    truth = await gateway.look_up(request.reference)
    assert truth == NotFound()


def replace_sweep(row: object) -> dict[str, object]:
    facts = dict(row._mapping)  # type: ignore[attr-defined]  # a row of the database
    facts.pop("sweep_at")
    return facts
