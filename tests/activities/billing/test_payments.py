"""Payments: charged once, canceled, refunded once; credits are granted once."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.enums import ChargeState, DeliveryMode, PaymentStatus
from models.rules.billing.payments import PaymentAction
from providers.ports.messages import NotFound
from providers.ports.payments import Refunded, RefundRefused
from tests.activities.gateways import BUSY, LOST, UNREACHABLE, Died, OwnGateway, PaymentHarness
from tests.delivery_modes import make_over

PENDING, SUCCEEDED, FAILED = PaymentStatus.PENDING, PaymentStatus.SUCCEEDED, PaymentStatus.FAILED
REFUNDED = PaymentStatus.REFUNDED


async def test_the_gateway_gets_amount_and_callback_url(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await harness.order()
    before = datetime.now(UTC)
    await harness.take("charge", payment_id)
    [request] = gateway.requests
    reference = str(await harness.reference(payment_id))
    assert (request.reference, request.amount_cents, request.currency) == (reference, 10, "USD")
    assert request.payment_method_id == "pm_secret"
    assert request.callback_url == f"http://us/webhooks/own/payments/{reference}"
    assert request.not_after == (await harness.row(payment_id)).deadline
    assert request.not_after > before + gateway.timeout
    assert "pm_secret" not in repr(request)


async def test_a_step_that_runs_twice_moves_nothing_the_second_time(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await harness.order()
    for step in (
        "charge",
        "charge",
        "grant",
        "grant",
        "charge",
        "await_payment",
        "cancel_charge",
        "refund",
    ):
        progress = await harness.take(step, payment_id)
    assert (progress.status, progress.next_action, progress.moved) == (
        SUCCEEDED,
        PaymentAction.NONE,
        False,
    )
    assert gateway.calls == ["charge"]
    assert await harness.broken_laws() == []


async def test_many_at_once_charge_and_grant_once(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await harness.order()
    await asyncio.gather(*(harness.take("charge", payment_id) for _ in range(10)))
    granted = await asyncio.gather(*(harness.take("grant", payment_id) for _ in range(10)))
    assert sum(progress.moved for progress in granted) == 1
    assert len(gateway.states) == 1
    assert await harness.broken_laws() == []


async def test_a_lost_answer_is_looked_up_before_another_charge(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.answers = [LOST]
    payment_id = await harness.order()
    first = await harness.take("charge", payment_id)
    assert (first.status, first.next_action) == (PENDING, PaymentAction.CHARGE)
    second = await harness.take("charge", payment_id)
    assert (second.status, second.next_action) == (SUCCEEDED, PaymentAction.GRANT)
    assert gateway.calls == ["charge", "look_up"]


async def test_a_charge_that_was_not_made_is_repeated_with_the_same_key(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.answers = [BUSY]
    payment_id = await harness.order()
    first = await harness.take("charge", payment_id)
    assert (first.next_action, first.retry_after) == (PaymentAction.CHARGE, BUSY.retry_after)
    assert (await harness.take("charge", payment_id)).next_action is PaymentAction.GRANT
    assert gateway.calls == ["charge", "look_up", "charge"]
    assert len({request.reference for request in gateway.requests}) == 1


async def test_without_an_answer_to_the_look_up_nothing_is_charged(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.answers, gateway.truths = [LOST], [UNREACHABLE]
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    assert (await harness.take("charge", payment_id)).next_action is PaymentAction.CHARGE
    assert gateway.calls == ["charge", "look_up"]


async def test_a_tenant_without_a_gateway_gets_an_error(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await harness.order()
    async with harness.database.transaction() as db:
        await make_over(db, harness.owner.tenant_id, DeliveryMode.LIVE)
    assert await harness.carry(payment_id) is FAILED
    assert (await harness.row(payment_id)).failure == "NO_GATEWAY"
    assert gateway.calls == []


async def test_a_payment_whose_gateway_is_gone_waits_for_it_to_come_back(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.answers = [LOST]
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    gateway.name = "renamed"
    for step, next_action in (
        ("charge", PaymentAction.CHARGE),
        ("cancel_charge", PaymentAction.CANCEL_CHARGE),
    ):
        progress = await harness.take(step, payment_id)
        assert (progress.status, progress.next_action) == (PENDING, next_action)
    gateway.name = "own"
    assert await harness.carry(payment_id) is SUCCEEDED
    assert await harness.broken_laws() == []


@pytest.mark.parametrize(
    ("state", "failure"),
    [(ChargeState.DECLINED, "DECLINED"), (ChargeState.FAILED, "CHARGE_FAILED")],
)
async def test_a_failure_is_written_down_with_an_alert_that_names_no_method(
    harness: PaymentHarness, gateway: OwnGateway, state: ChargeState, failure: str
) -> None:
    gateway.state = state
    payment_id = await harness.order()
    assert await harness.carry(payment_id) is FAILED
    row = await harness.row(payment_id)
    assert (row.failure, row.completed_at is not None) == (failure, True)
    message = f"Payment pay_{row.public_id} for 5 SMS units failed: {failure}."
    assert await harness.alerts() == [(message, 1, True)]
    assert await harness.broken_laws() == []


async def test_the_next_success_resolves_the_alert(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.state = ChargeState.DECLINED
    for _ in range(2):
        await harness.carry(await harness.order())
    gateway.state = ChargeState.SUCCEEDED
    await harness.carry(await harness.order())
    assert [(count, open) for _, count, open in await harness.alerts()] == [(2, False)]


async def test_a_pending_charge_is_polled_until_it_ends(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.state = ChargeState.PROCESSING
    payment_id = await harness.order()
    assert (await harness.take("charge", payment_id)).next_action is PaymentAction.AWAIT
    assert (await harness.take("await_payment", payment_id)).next_action is PaymentAction.AWAIT
    [reference] = gateway.states
    gateway.states[reference] = ChargeState.SUCCEEDED
    assert (await harness.take("await_payment", payment_id)).next_action is PaymentAction.GRANT


async def test_a_report_is_in_the_row_before_any_poll(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.state = ChargeState.PROCESSING
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    [reference] = gateway.states
    gateway.states[reference] = ChargeState.SUCCEEDED
    assert await harness.tell(payment_id, ChargeState.SUCCEEDED) is not None
    calls = list(gateway.calls)
    assert (await harness.take("await_payment", payment_id)).next_action is PaymentAction.GRANT
    assert gateway.calls == calls


async def test_a_canceled_payment_is_not_charged_again(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.state = ChargeState.NEEDS_ACTION
    payment_id = await harness.order()
    assert (await harness.take("charge", payment_id)).status is PaymentStatus.REQUIRES_ACTION
    gateway.answers = [LOST]
    assert (
        await harness.take("cancel_charge", payment_id)
    ).next_action is PaymentAction.CANCEL_CHARGE
    assert (await harness.take("cancel_charge", payment_id)).status is FAILED
    assert (await harness.row(payment_id)).failure == "EXPIRED"
    assert gateway.calls == ["charge", "look_up", "cancel", "look_up"]
    assert await harness.broken_laws() == []


async def test_a_charge_that_succeeds_during_its_cancellation_is_granted(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.state = ChargeState.PROCESSING
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    [reference] = gateway.states
    gateway.truths = [replace(gateway._tell(reference))]  # the look-up comes too early
    gateway.states[reference] = ChargeState.SUCCEEDED
    assert (await harness.take("cancel_charge", payment_id)).next_action is PaymentAction.GRANT
    assert (await harness.take("grant", payment_id)).status is SUCCEEDED
    assert await harness.broken_laws() == []


async def test_a_payment_that_was_never_charged_is_canceled_at_once(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await harness.order()
    assert (await harness.take("cancel_charge", payment_id)).status is FAILED
    assert (await harness.take("charge", payment_id)).status is FAILED
    assert gateway.calls == []


async def test_absence_is_concluded_only_after_the_deadline_and_the_window(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.answers = [BUSY]
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    assert (
        await harness.take("cancel_charge", payment_id)
    ).next_action is PaymentAction.CANCEL_CHARGE
    await harness.outlive(payment_id)
    gateway.absence_window = timedelta(seconds=30)
    assert (
        await harness.take("cancel_charge", payment_id)
    ).next_action is PaymentAction.CANCEL_CHARGE
    gateway.absence_window = timedelta(0)
    assert (await harness.take("cancel_charge", payment_id)).status is FAILED
    assert "charge" not in gateway.calls[1:]


async def test_a_request_in_progress_during_a_cancellation_is_not_taken_for_absent(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.answers = [LOST]
    gateway.truths = [NotFound()]  # the gateway has not processed it yet
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    assert (
        await harness.take("cancel_charge", payment_id)
    ).next_action is PaymentAction.CANCEL_CHARGE
    assert (await harness.take("cancel_charge", payment_id)).next_action is PaymentAction.GRANT


async def test_an_inactive_merchants_charge_is_refunded_and_never_granted(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    await harness.switch(active=False)
    assert (await harness.take("grant", payment_id)).next_action is PaymentAction.REFUND
    await harness.switch(active=True)
    assert (await harness.take("grant", payment_id)).next_action is PaymentAction.REFUND
    gateway.answers = [LOST, BUSY]
    for _ in range(2):
        assert (await harness.take("refund", payment_id)).next_action is PaymentAction.REFUND
    assert (await harness.take("refund", payment_id)).status is REFUNDED
    row = await harness.row(payment_id)
    assert (row.failure, row.failed_at, row.fulfilled_at) == ("MERCHANT_INACTIVE", None, None)
    assert len(gateway.refunds) == 1
    assert await harness.broken_laws() == []


async def test_a_manual_refund_counts_as_refunded(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    await harness.switch(active=False)
    await harness.take("grant", payment_id)
    gateway.answers = [RefundRefused(provider_code="50409"), Refunded(refund_id=None)]
    assert (await harness.take("refund", payment_id)).next_action is PaymentAction.REFUND
    assert (await harness.take("refund", payment_id)).status is REFUNDED


@pytest.mark.parametrize(
    "moment", ["before charge", "after charge", "before refund", "after refund"]
)
@pytest.mark.parametrize("active", [True, False])
async def test_whenever_the_process_is_killed_the_charge_is_made_once(
    harness: PaymentHarness, gateway: OwnGateway, moment: str, active: bool
) -> None:
    await harness.switch(active=active)
    payment_id = await harness.order()
    gateway.dies = moment
    for _ in range(2):
        with contextlib.suppress(Died):
            await harness.carry(payment_id)
    row = await harness.row(payment_id)
    assert row.status == (SUCCEEDED if active else REFUNDED)
    assert (len(gateway.states), len(gateway.refunds)) == (1, 0 if active else 1)
    assert await harness.broken_laws() == []


@pytest.mark.parametrize("moment", ["before look_up", "before cancel", "after cancel"])
async def test_whenever_the_process_is_killed_during_a_cancellation_nothing_is_charged(
    harness: PaymentHarness, gateway: OwnGateway, moment: str
) -> None:
    gateway.state = ChargeState.NEEDS_ACTION
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    gateway.dies = moment
    with pytest.raises(Died):
        await harness.take("cancel_charge", payment_id)
    assert await harness.carry(payment_id) is FAILED
    assert [*gateway.states.values()] == [ChargeState.CANCELED]
    assert await harness.broken_laws() == []
