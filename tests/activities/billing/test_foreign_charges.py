"""A gateway's charge pays one payment, never two."""

from models.enums import ChargeState, PaymentStatus
from models.rules.billing.payments import PaymentAction
from models.session import Database
from providers.ports.payments import Charge
from tests.activities.gateways import OwnGateway, PaymentHarness
from tests.factories import Owner


async def test_an_answer_with_the_charge_of_another_payment_changes_nothing(
    database: Database, owner: Owner
) -> None:
    harness = PaymentHarness(database, owner, OwnGateway())
    first, second = await harness.order(), await harness.order()
    await harness.take("charge", first)
    theirs = (await harness.row(first)).charge_id
    harness.gateway.answers.append(
        Charge(charge_id=theirs, state=ChargeState.SUCCEEDED, amount_cents=10, currency="USD")
    )
    progress = await harness.take("charge", second)
    assert (progress.status, progress.next_action) == (PaymentStatus.PENDING, PaymentAction.CHARGE)
    assert (await harness.row(second)).charge_id is None
