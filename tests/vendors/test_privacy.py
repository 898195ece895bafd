"""The repr of registry requests, as in a log or an error."""

import pytest

from models.rules.registration.vocabulary import RegistryStatus
from providers.ports.registration import OperationStatus, RegistryRequest
from tests.vendors import registry_fixtures
from tests.vendors.registry_fixtures import NUMBER

KNOWN = OperationStatus(status=RegistryStatus.DONE, vendor_id="x1")


@pytest.mark.parametrize(
    "request_",
    [
        registry_fixtures.purchase(),
        registry_fixtures.release("PN1"),
        registry_fixtures.assignment(KNOWN, KNOWN),
        registry_fixtures.unassignment(KNOWN, KNOWN),
        registry_fixtures.brand(),
        registry_fixtures.campaign(KNOWN),
    ],
    ids=lambda request: type(request).__name__,
)
def test_no_request_shows_a_number_or_a_contact(request_: RegistryRequest) -> None:
    shown = repr(request_)
    assert request_.reference in shown
    for private in (
        NUMBER,
        registry_fixtures.BRAND.phone,
        registry_fixtures.BRAND.email,
        registry_fixtures.BRAND.ein,
    ):
        assert str(private) not in shown
