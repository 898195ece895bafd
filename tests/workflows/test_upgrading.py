"""The upgrade workflow: every path, with fake steps and skipped waits."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment

from models.enums import PaymentStatus
from tests.fakes import fake
from tests.workflows.harness import Harness, HarnessFactory
from tests.workflows.upgrade_harness import (
    FAILED,
    FAILED_BUT_CHARGED,
    GRANTED,
    NEEDS_ACTION,
    NOT_CANCELED,
    NOT_GRANTED,
    REFUND_STUCK,
    REFUNDED,
    TAKEN,
    UNANSWERED,
    UNDER_WAY,
    WAITS,
    Purchase,
    stands,
)
from workflows import steps
from workflows.billing.types import UpgradeStep

On = Callable[[Harness], Purchase]


@pytest.fixture
def on(skipping: WorkflowEnvironment) -> On:
    """A harness for one upgrade."""
    return lambda harness: Purchase(harness, skipping)


async def test_money_that_is_taken_at_once_becomes_credits_without_a_wait(
    harness: HarnessFactory, on: On
) -> None:
    charge, charged = fake(steps.charge, TAKEN)
    grant, granted = fake(steps.grant, GRANTED)
    async with harness(charge, grant) as acts:
        purchase = on(acts)
        assert await purchase.play() is PaymentStatus.SUCCEEDED
        assert await purchase.gaps() == []
    assert acts.asked == ["charge", "grant"]
    assert charged == granted == [UpgradeStep(tenant_id=3, payment_id=7)]


async def test_a_declined_payment_is_over_at_once(harness: HarnessFactory, on: On) -> None:
    charge, _ = fake(steps.charge, FAILED)
    async with harness(charge) as acts:
        assert await on(acts).play() is PaymentStatus.FAILED
    assert acts.asked == ["charge"]


async def test_a_payment_that_was_over_before_is_left_alone(
    harness: HarnessFactory, on: On
) -> None:
    charge, _ = fake(steps.charge, stands(PaymentStatus.REFUNDED, GRANTED.next_action))
    async with harness(charge) as acts:
        assert await on(acts).play() is PaymentStatus.REFUNDED
    assert acts.asked == ["charge"]


async def test_a_signal_ends_the_wait_and_the_row_is_read(harness: HarnessFactory, on: On) -> None:
    charge, _ = fake(steps.charge, UNDER_WAY)
    await_payment, _ = fake(steps.await_payment, TAKEN)
    grant, _ = fake(steps.grant, GRANTED)
    async with harness(charge, await_payment, grant) as acts:
        purchase = on(acts)
        await purchase.start()
        await purchase.until_it_waits()
        await purchase.report()
        assert await purchase.end() is PaymentStatus.SUCCEEDED
        assert await purchase.took() < WAITS.news_wait
    assert acts.asked == ["charge", "await_payment", "grant"]


async def test_a_gateway_without_reports_is_polled_with_back_off(
    harness: HarnessFactory, on: On
) -> None:
    charge, _ = fake(steps.charge, UNDER_WAY)
    await_payment, _ = fake(steps.await_payment, *[UNDER_WAY] * 30, NEEDS_ACTION, TAKEN)
    grant, _ = fake(steps.grant, GRANTED)
    async with harness(charge, await_payment, grant) as acts:
        purchase = on(acts)
        assert await purchase.play() is PaymentStatus.SUCCEEDED
        gaps = await purchase.gaps()
    assert gaps == sorted(gaps)
    assert (gaps[0], gaps[1], gaps[-1]) == (WAITS.news_wait, WAITS.poll_first, WAITS.poll_longest)


async def test_an_unanswered_charge_is_retried(harness: HarnessFactory, on: On) -> None:
    charge, _ = fake(steps.charge, UNANSWERED, UNANSWERED, TAKEN)
    grant, _ = fake(steps.grant, GRANTED)
    async with harness(charge, grant) as acts:
        purchase = on(acts)
        assert await purchase.play() is PaymentStatus.SUCCEEDED
        assert await purchase.gaps() == [WAITS.retry_every] * 2
    assert acts.asked == ["charge"] * 3 + ["grant"]


async def test_a_retry_after_of_the_gateway_is_respected(harness: HarnessFactory, on: On) -> None:
    wish = timedelta(minutes=7)
    charge, _ = fake(
        steps.charge,
        stands(PaymentStatus.PENDING, UNANSWERED.next_action, retry_after=wish),
        FAILED,
    )
    async with harness(charge) as acts:
        purchase = on(acts)
        await purchase.play()
        assert await purchase.gaps() == [wish]


@pytest.mark.parametrize("word", [UNDER_WAY, NEEDS_ACTION], ids=["processing", "action"])
async def test_an_unpaid_payment_is_canceled_after_the_horizon(
    harness: HarnessFactory, on: On, word: object
) -> None:
    charge, _ = fake(steps.charge, word)
    await_payment, followed = fake(steps.await_payment, word, repeat_last=True)
    cancel_charge, _ = fake(steps.cancel_charge, FAILED)
    async with harness(charge, await_payment, cancel_charge) as acts:
        purchase = on(acts)
        assert await purchase.play() is PaymentStatus.FAILED
        took = await purchase.took()
    assert WAITS.horizon <= took <= WAITS.horizon + WAITS.poll_longest
    assert acts.asked == ["charge", *["await_payment"] * len(followed), "cancel_charge"]
    assert len(followed) < 100


async def test_an_unreachable_gateway_is_given_up_after_the_horizon(
    harness: HarnessFactory, on: On
) -> None:
    charge, tries = fake(steps.charge, UNANSWERED, repeat_last=True)
    cancel_charge, _ = fake(steps.cancel_charge, NOT_CANCELED, NOT_CANCELED, FAILED)
    async with harness(charge, cancel_charge) as acts:
        purchase = on(acts)
        assert await purchase.play() is PaymentStatus.FAILED
        assert await purchase.took() >= WAITS.horizon
    assert acts.asked == ["charge"] * len(tries) + ["cancel_charge"] * 3
    assert len(tries) < 100


async def test_a_charge_found_during_the_cancellation_is_granted(
    harness: HarnessFactory, on: On
) -> None:
    charge, _ = fake(steps.charge, UNDER_WAY)
    await_payment, _ = fake(steps.await_payment, UNDER_WAY, repeat_last=True)
    cancel_charge, _ = fake(steps.cancel_charge, TAKEN)
    grant, _ = fake(steps.grant, GRANTED)
    async with harness(charge, await_payment, cancel_charge, grant) as acts:
        assert await on(acts).play() is PaymentStatus.SUCCEEDED
    assert acts.asked[-2:] == ["cancel_charge", "grant"]


async def test_an_order_older_than_the_horizon_is_never_charged(
    harness: HarnessFactory, on: On
) -> None:
    cancel_charge, _ = fake(steps.cancel_charge, FAILED)
    async with harness(cancel_charge) as acts:
        purchase = on(acts)
        assert await purchase.play(ordered_before=WAITS.horizon) is PaymentStatus.FAILED
    assert acts.asked == ["cancel_charge"]


async def test_credits_that_cannot_be_granted_are_refunded(harness: HarnessFactory, on: On) -> None:
    charge, _ = fake(steps.charge, TAKEN)
    grant, _ = fake(steps.grant, NOT_GRANTED)
    refund, _ = fake(steps.refund, REFUNDED)
    async with harness(charge, grant, refund) as acts:
        purchase = on(acts)
        assert await purchase.play() is PaymentStatus.REFUNDED
        assert await purchase.gaps() == []
    assert acts.asked == ["charge", "grant", "refund"]


async def test_a_refund_is_tried_until_it_succeeds_however_long_that_takes(
    harness: HarnessFactory, on: On
) -> None:
    charge, _ = fake(steps.charge, NOT_GRANTED)
    refund, _ = fake(steps.refund, *[NOT_GRANTED] * 80, REFUNDED)
    async with harness(charge, refund) as acts:
        purchase = on(acts)
        assert await purchase.play() is PaymentStatus.REFUNDED
        gaps = await purchase.gaps()
        assert await purchase.took() > WAITS.horizon
    assert (gaps[0], gaps[-1]) == (WAITS.retry_every, WAITS.poll_longest)
    assert len(gaps) == 80


async def test_a_refund_that_is_given_up_ends_it_and_no_step_is_taken_any_more(
    harness: HarnessFactory, on: On
) -> None:
    charge, charged = fake(steps.charge, FAILED_BUT_CHARGED)
    refund, refunded = fake(steps.refund, FAILED_BUT_CHARGED, REFUND_STUCK)
    async with harness(charge, refund) as acts:
        assert await on(acts).play() is REFUND_STUCK.status
    assert (len(charged), len(refunded)) == (1, 2)
    bounds = {(asked.mismatch_wait, asked.refund_wait) for asked in (*charged, *refunded)}
    assert bounds == {(WAITS.mismatch_wait, WAITS.refund_wait)}


async def test_a_step_that_raises_is_tried_again(harness: HarnessFactory, on: On) -> None:
    away = ConnectionError("no database")
    charge, charged = fake(steps.charge, away, away, UNDER_WAY)
    await_payment, followed = fake(steps.await_payment, away, TAKEN)
    grant, granted = fake(steps.grant, away, NOT_GRANTED)
    refund, refunded = fake(steps.refund, away, REFUNDED)
    async with harness(charge, await_payment, grant, refund) as acts:
        assert await on(acts).play() is PaymentStatus.REFUNDED
    assert [len(asked) for asked in (charged, followed, granted, refunded)] == [3, 2, 2, 2]


async def test_an_unknown_payment_fails_the_workflow(harness: HarnessFactory, on: On) -> None:
    missing = ApplicationError("details are in the worker's log", type="PaymentMissing")
    charge, charged = fake(steps.charge, missing)
    async with harness(charge) as acts:
        with pytest.raises(WorkflowFailureError):
            await on(acts).play()
    assert len(charged) == 1


async def test_it_goes_on_from_history_alone(harness: HarnessFactory, on: On) -> None:
    charge, _ = fake(steps.charge, UNANSWERED, UNDER_WAY)
    await_payment, _ = fake(steps.await_payment, UNDER_WAY, TAKEN)
    grant, _ = fake(steps.grant, NOT_GRANTED)
    refund, _ = fake(steps.refund, NOT_GRANTED, REFUNDED)
    async with harness(charge, await_payment, grant, refund, cached=0) as acts:
        assert await on(acts).play() is PaymentStatus.REFUNDED
    assert acts.asked == ["charge"] * 2 + ["await_payment"] * 2 + ["grant"] + ["refund"] * 2
