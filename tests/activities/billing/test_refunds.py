"""Refunds that fail at the gateway: retried for a bounded time, then left to an operator."""

from datetime import UTC, datetime, timedelta

import pytest

from models.enums import PaymentStatus, ReversalState
from models.queries.billing.upgrades import payments
from models.queries.billing.upgrades.payment_rows import get_payment
from models.rules.billing.payments import PaymentAction
from models.session import Database
from providers.ports.payments import RefundAnswer, RefundRefused
from tests.activities.gateways import BUSY, LOST, OwnGateway, PaymentHarness
from tests.factories import Owner

SUCCEEDED, REFUNDED = PaymentStatus.SUCCEEDED, PaymentStatus.REFUNDED
REFUSED = RefundRefused(provider_code="50409")


async def owed(harness: PaymentHarness) -> int:
    """Return a charged payment that must be refunded."""
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    await harness.switch(active=False)
    assert (await harness.take("grant", payment_id)).next_action is PaymentAction.REFUND
    return payment_id


async def stuck(harness: PaymentHarness) -> int:
    """Return a payment whose refund waits for an operator."""
    payment_id = await owed(harness)
    harness.gateway.refuses_refunds = True
    await harness.keep(payment_id, refund_due_at=datetime.now(UTC) - timedelta(hours=73))
    progress = await harness.take("refund", payment_id)
    assert (progress.next_action, progress.moved) == (PaymentAction.NONE, False)
    harness.gateway.refuses_refunds = False
    return payment_id


@pytest.mark.parametrize("answer", [REFUSED, BUSY, LOST], ids=repr)
async def test_one_that_is_not_made_is_tried_again(
    harness: PaymentHarness, gateway: OwnGateway, answer: RefundAnswer
) -> None:
    payment_id = await owed(harness)
    gateway.answers = [answer]
    assert (await harness.take("refund", payment_id)).next_action is PaymentAction.REFUND
    assert (await harness.take("refund", payment_id)).status is REFUNDED
    row = await harness.row(payment_id)
    assert (row.refunded_cents, row.refund_stuck_at) == (10, None)
    assert await harness.open_alerts() == []
    assert await harness.broken_laws() == []


@pytest.mark.parametrize("answer", [REFUSED, BUSY, LOST], ids=repr)
async def test_one_that_is_never_made_ends_with_an_alert_and_stays_owed(
    harness: PaymentHarness, gateway: OwnGateway, answer: RefundAnswer
) -> None:
    payment_id = await owed(harness)
    await harness.keep(payment_id, refund_due_at=datetime.now(UTC) - timedelta(hours=73))
    gateway.answers = [answer]
    assert (await harness.take("refund", payment_id)).next_action is PaymentAction.NONE
    row = await harness.row(payment_id)
    assert (row.status, row.refunded_cents) == ("SUCCEEDED", 0)
    assert None not in (row.refund_due_at, row.refund_stuck_at, row.completed_at)
    assert await harness.open_alerts() == [("REFUND_STUCK", "CRITICAL", 1)]
    calls = len(gateway.calls)
    for step in ("charge", "await_payment", "cancel_charge", "grant", "refund"):
        assert (await harness.take(step, payment_id)).next_action is PaymentAction.NONE
    assert len(gateway.calls) == calls
    assert await harness.open_alerts() == [("REFUND_STUCK", "CRITICAL", 1)]


class ReportingGateway(OwnGateway):
    """A gateway whose refund takes effect and is reported while its answer is lost."""

    harness: PaymentHarness
    payment_id: int

    async def refund(self, charge_id: str, key: str) -> RefundAnswer:
        await super().refund(charge_id, key)
        await self.harness.keep(self.payment_id, refunded_cents=10)
        return LOST


async def test_one_that_is_reported_during_its_last_try_is_not_stuck(
    database: Database, owner: Owner
) -> None:
    gateway = ReportingGateway()
    harness = gateway.harness = PaymentHarness(database, owner, gateway)
    payment_id = gateway.payment_id = await owed(harness)
    await harness.keep(payment_id, refund_due_at=datetime.now(UTC) - timedelta(hours=73))
    assert (await harness.take("refund", payment_id)).status is REFUNDED
    assert await harness.open_alerts() == []
    assert await harness.broken_laws() == []


async def test_a_gateway_that_is_gone_ends_it_likewise(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await owed(harness)
    gateway.name = "renamed"
    assert (await harness.take("refund", payment_id)).next_action is PaymentAction.REFUND
    harness.refund_wait = timedelta(0)
    assert (await harness.take("refund", payment_id)).next_action is PaymentAction.NONE
    assert await harness.open_alerts() == [("REFUND_STUCK", "CRITICAL", 1)]


async def test_an_operator_has_it_tried_again(harness: PaymentHarness, gateway: OwnGateway) -> None:
    payment_id = await stuck(harness)
    assert await retry(harness, payment_id)
    assert not await retry(harness, payment_id), "it is being tried"
    row = await harness.row(payment_id)
    assert (row.completed_at, row.sweep_at <= datetime.now(UTC)) == (None, True)
    assert await harness.open_alerts() == [("REFUND_STUCK", "CRITICAL", 1)]
    gateway.answers = [REFUSED]
    assert (await harness.take("refund", payment_id)).next_action is PaymentAction.REFUND
    assert (await harness.take("refund", payment_id)).status is REFUNDED
    assert await harness.open_alerts() == []
    assert not await retry(harness, payment_id)
    assert await harness.broken_laws() == []


async def test_one_that_is_refunded_at_the_gateway_by_hand_ends(
    harness: PaymentHarness, gateway: OwnGateway
) -> None:
    payment_id = await stuck(harness)
    await harness.reverse(payment_id, ReversalState.REFUNDED, cents=4)
    assert (await harness.row(payment_id)).completed_at is not None, "a part is not all"
    stored = await harness.reverse(payment_id, ReversalState.REFUNDED, cents=10)
    assert stored is not None
    assert not stored.completed
    calls = len(gateway.calls)
    assert (await harness.take("refund", payment_id)).status is REFUNDED
    assert len(gateway.calls) == calls, "the gateway is not asked to refund it again"
    assert await harness.open_alerts() == []


async def retry(harness: PaymentHarness, payment_id: int) -> bool:
    async with harness.database.transaction() as db:
        payment = await get_payment(db, harness.owner.tenant_id, payment_id, locked=True)
        return await payments.retry_refund(db, payment, datetime.now(UTC))
