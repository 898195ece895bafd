"""The service that takes webhooks of charges, with a double of Temporal."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi import FastAPI

from api.services.billing.payment_reports import PaymentWebhooks
from models.session import Database
from providers.simulator import payments
from tests.api.billing.charge_reports import SECRET
from tests.api.container import put_in, restored
from tests.api.doubles import FakeUpgradeStarter


@pytest.fixture
def upgrades(app: FastAPI, database: Database) -> Iterator[FakeUpgradeStarter]:
    """Records signalled workflows, behind the real service."""
    starter = FakeUpgradeStarter()
    webhooks = PaymentWebhooks(
        database,
        starter,
        {"simulator": payments.verifier(SECRET)},
        sweep_grace=timedelta(seconds=5),
        clock=lambda: datetime.now(UTC),
    )
    with restored(app):
        put_in(app, "billing", payment_webhooks=webhooks)
        yield starter
