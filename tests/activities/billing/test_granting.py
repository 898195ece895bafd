"""Granting credits checks the payment itself: its caller may have read it long ago."""

from datetime import UTC, datetime, timedelta

import pytest

from models.enums import ChargeState, PaymentFailure
from models.queries.billing.upgrades import payments
from models.queries.billing.upgrades.payment_rows import PaymentRow, get_payment
from models.session import Database
from tests.activities.gateways import OwnGateway, PaymentHarness
from tests.factories import Owner


@pytest.fixture
def harness(database: Database, owner: Owner) -> PaymentHarness:
    """A tenant with a gateway."""
    return PaymentHarness(database, owner, OwnGateway(state=ChargeState.PROCESSING))


async def paid(harness: PaymentHarness) -> PaymentRow:
    """Return a payment with the money taken, as it was read then."""
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    await harness.tell(payment_id, ChargeState.SUCCEEDED)
    async with harness.database.read() as db:
        return await get_payment(db, harness.owner.tenant_id, payment_id)


async def granted(harness: PaymentHarness) -> list[int]:
    """Return the units of every grant."""
    entries = await harness.rows("SELECT units FROM ledger_entry WHERE tenant_id = :t")
    return [entry.units for entry in entries]


async def test_credits_are_granted_once_whatever_the_caller_had_read(
    harness: PaymentHarness,
) -> None:
    read = await paid(harness)
    moved = []
    for _ in range(3):
        async with harness.database.transaction() as db:
            moved.append(await payments.grant(db, read, datetime.now(UTC)))
    assert moved == [True, False, False]
    assert await granted(harness) == [read.units]


async def test_no_credits_are_granted_for_a_payment_to_refund(harness: PaymentHarness) -> None:
    read = await paid(harness)
    now = datetime.now(UTC)
    async with harness.database.transaction() as db:
        await payments.schedule_refund(db, read, PaymentFailure.MERCHANT_INACTIVE, now)
        assert await payments.grant(db, read, now) is False
    assert await granted(harness) == []


@pytest.mark.parametrize("state", [ChargeState.DECLINED, ChargeState.PROCESSING])
async def test_no_credits_are_granted_without_a_successful_charge(
    harness: PaymentHarness, state: ChargeState
) -> None:
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    await harness.tell(payment_id, state)
    async with harness.database.transaction() as db:
        read = await get_payment(db, harness.owner.tenant_id, payment_id, locked=True)
        assert await payments.grant(db, read, datetime.now(UTC)) is False
    assert await granted(harness) == []


@pytest.mark.parametrize("moved_by", [timedelta(minutes=-1), timedelta(minutes=1)])
async def test_the_deadline_of_a_charge_never_moves_back(
    harness: PaymentHarness, moved_by: timedelta
) -> None:
    """A worker with a slow clock must not move the deadline back, or absence is concluded too
    early.
    """
    payment_id = await harness.order()
    first = datetime.now(UTC) + timedelta(minutes=5)
    for deadline in (first, first + moved_by):
        async with harness.database.transaction() as db:
            read = await get_payment(db, harness.owner.tenant_id, payment_id, locked=True)
            await payments.claim_charge(db, read, gateway="own", deadline=deadline)
    assert (await harness.row(payment_id)).deadline == max(first, first + moved_by)


async def test_a_repeated_event_id_is_ignored_whatever_its_content(harness: PaymentHarness) -> None:
    payment_id = await harness.order()
    await harness.take("charge", payment_id)
    await harness.tell(payment_id, ChargeState.PROCESSING, event_id="e")
    before = await harness.row(payment_id)
    for state in (ChargeState.DECLINED, ChargeState.SUCCEEDED):
        await harness.tell(payment_id, state, event_id="e")
    after = await harness.row(payment_id)
    assert (after.status, after.taken_at, after.failed_at) == (before.status, None, None)
    await harness.tell(payment_id, ChargeState.SUCCEEDED, event_id="e2")
    assert (await harness.row(payment_id)).status == "SUCCEEDED"
