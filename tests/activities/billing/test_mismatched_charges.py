"""Charges that do not match the payment: never credited, and not open for ever."""

from datetime import UTC, datetime, timedelta

import pytest

from models.enums import ChargeState, PaymentStatus
from models.rules.billing.payments import PaymentAction
from providers.ports.messages import NotFound
from providers.ports.payments import Charge
from tests.activities.gateways import UNREACHABLE, OwnGateway, PaymentHarness

PENDING, SUCCEEDED, FAILED = PaymentStatus.PENDING, PaymentStatus.SUCCEEDED, PaymentStatus.FAILED
REFUNDED = PaymentStatus.REFUNDED
OTHERS = [(11, "USD"), (9, "USD"), (10, "MXN"), (1_000, "JPY")]
LONG_AGO = timedelta(hours=2)


@pytest.mark.parametrize("tells", OTHERS)
async def test_another_amount_is_refunded_after_a_while(
    harness: PaymentHarness,
    gateway: OwnGateway,
    tells: tuple[int, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    gateway.tells = tells
    payment_id = await harness.order()
    for step in ("charge", "await_payment", "grant", "await_payment"):
        progress = await harness.take(step, payment_id)
        assert (progress.status, progress.next_action) == (PENDING, PaymentAction.AWAIT)
    assert "the charge at the gateway does not match the payment" in caplog.messages
    await harness.keep(payment_id, mismatch_at=datetime.now(UTC) - LONG_AGO)
    assert (await harness.take("await_payment", payment_id)).next_action is PaymentAction.REFUND
    assert await harness.carry(payment_id) is REFUNDED
    row = await harness.row(payment_id)
    assert (row.failure, row.fulfilled_at) == ("AMOUNT_MISMATCH", None)
    assert (row.refunded_cents, row.captured_cents, row.captured_currency) == (tells[0], *tells)
    assert len(gateway.refunds) == 1
    assert await harness.open_alerts() == []
    assert await harness.broken_laws() == []


@pytest.mark.parametrize("tells", OTHERS)
async def test_the_right_amount_after_another_one_is_granted(
    harness: PaymentHarness, gateway: OwnGateway, tells: tuple[int, str]
) -> None:
    gateway.tells = tells
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    gateway.tells = None
    assert await harness.carry(payment_id) is SUCCEEDED
    row = await harness.row(payment_id)
    assert (row.mismatch_at, row.captured_cents, row.captured_currency) == (None, None, None)
    assert gateway.refunds == {}
    assert await harness.broken_laws() == []


async def test_another_amount_after_the_right_one_is_refunded_while_there_are_no_credits(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    gateway.tells = (11, "USD")
    await harness.tell(payment_id, ChargeState.SUCCEEDED, amount=(11, "USD"))
    assert (await harness.take("grant", payment_id)).next_action is PaymentAction.REFUND
    assert await harness.carry(payment_id) is REFUNDED
    assert await harness.broken_laws() == []


async def test_another_amount_after_the_credits_is_left_to_an_operator(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await harness.order()
    await harness.carry(payment_id)
    for event in ("one", "one"):
        await harness.tell(payment_id, ChargeState.SUCCEEDED, amount=(11, "USD"), event_id=event)
    assert await harness.open_alerts() == [("PAYMENT_DISPUTED", "CRITICAL", 1)]
    assert (await harness.row(payment_id)).completed_at is not None
    assert await harness.broken_laws() == []


async def test_another_amount_after_the_failure_is_refunded_at_once(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.state = ChargeState.FAILED
    payment_id = await harness.order()
    assert await harness.carry(payment_id) is FAILED
    [reference] = gateway.states
    gateway.states[reference], gateway.tells = ChargeState.SUCCEEDED, (9, "USD")
    await harness.tell(payment_id, ChargeState.SUCCEEDED, amount=(9, "USD"))
    assert (await harness.row(payment_id)).completed_at is None
    assert await harness.carry(payment_id) is REFUNDED
    assert (await harness.row(payment_id)).refunded_cents == 9
    assert await harness.broken_laws() == []


async def test_a_payment_that_is_canceled_meanwhile_is_refunded(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.tells = (11, "USD")
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    assert (await harness.take("cancel_charge", payment_id)).next_action is PaymentAction.REFUND
    assert await harness.carry(payment_id) is REFUNDED
    assert await harness.broken_laws() == []


@pytest.mark.parametrize("answer", [UNREACHABLE, NotFound()], ids=repr)
async def test_a_gateway_that_says_no_more_does_not_keep_it_open(
    harness: PaymentHarness, gateway: OwnGateway, answer: object
) -> None:
    gateway.state = ChargeState.PROCESSING
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    await harness.tell(payment_id, ChargeState.SUCCEEDED, amount=(11, "USD"))
    await harness.keep(payment_id, mismatch_at=datetime.now(UTC) - LONG_AGO)
    gateway.truths = [answer]  # type: ignore[list-item]
    assert (await harness.take("await_payment", payment_id)).next_action is PaymentAction.REFUND


@pytest.mark.parametrize("state", [ChargeState.PROCESSING, ChargeState.NEEDS_ACTION])
@pytest.mark.parametrize("tells", [(11, "USD"), (10, "MXN")])
async def test_one_that_has_taken_nothing_is_canceled_when_it_is_given_up(
    harness: PaymentHarness, gateway: OwnGateway, state: ChargeState, tells: tuple[int, str]
) -> None:
    gateway.state, gateway.tells = state, tells
    payment_id = await harness.order()
    for _ in range(2):
        assert (await harness.take("charge", payment_id)).next_action is PaymentAction.CHARGE
    assert gateway.calls == ["charge", "look_up"]
    assert (await harness.take("cancel_charge", payment_id)).status is FAILED
    assert [*gateway.states.values()] == [ChargeState.CANCELED]
    assert await harness.broken_laws() == []


async def test_one_that_was_declined_ends_the_payment_when_it_is_given_up(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.state, gateway.tells = ChargeState.DECLINED, (11, "USD")
    payment_id = await harness.order()
    assert (await harness.take("charge", payment_id)).status is PENDING
    assert (await harness.take("cancel_charge", payment_id)).status is FAILED
    assert (await harness.row(payment_id)).failure == "DECLINED"


async def test_a_refund_that_the_gateway_refuses_is_left_to_an_operator(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    gateway.tells, gateway.refuses_refunds = (11, "USD"), True
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    await harness.take("cancel_charge", payment_id)
    harness.refund_wait = timedelta(0)
    assert await harness.carry(payment_id) is FAILED
    row = await harness.row(payment_id)
    assert (row.fulfilled_at, row.refund_due_at is not None) == (None, True)
    assert row.completed_at is not None
    assert await harness.open_alerts() == [("PAYMENT_DISPUTED", "CRITICAL", 1)]
    assert await harness.broken_laws() == []


async def test_the_charge_of_another_payment_ends_it_when_none_of_its_own_can_come(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    first, second = await harness.order(), await harness.order()
    await harness.take("charge", first)
    theirs = (await harness.row(first)).charge_id
    foreign = Charge(charge_id=theirs, state=ChargeState.SUCCEEDED, amount_cents=10, currency="USD")
    gateway.answers, gateway.truths = [foreign], [foreign, foreign]
    await harness.take("charge", second)
    progress = await harness.take("cancel_charge", second)
    assert progress.next_action is PaymentAction.CANCEL_CHARGE, "a request may be on its way"
    await harness.outlive(second)
    assert (await harness.take("cancel_charge", second)).status is FAILED
    row = await harness.row(second)
    assert (row.failure, row.charge_id, row.refund_due_at) == ("FOREIGN_CHARGE", None, None)
    assert await harness.open_alerts() == [("PAYMENT_DISPUTED", "CRITICAL", 1)]
    assert gateway.refunds == {}
