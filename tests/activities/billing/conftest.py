"""A gateway that answers as it is told, and a tenant whose payments it takes."""

import pytest

from models.session import Database
from tests.activities.gateways import OwnGateway, PaymentHarness
from tests.factories import Owner


@pytest.fixture
def gateway() -> OwnGateway:
    return OwnGateway()


@pytest.fixture
def harness(database: Database, owner: Owner, gateway: OwnGateway) -> PaymentHarness:
    return PaymentHarness(database, owner, gateway)
