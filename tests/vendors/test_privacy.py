"""What the requests of a registry show of themselves, in a log or an error."""

import pytest

from models.rules.registration_words import Standing
from providers.registration_ports import RegistryRequest, Stands
from tests.vendors import office
from tests.vendors.office import NUMBER

KNOWN = Stands(standing=Standing.DONE, vendor_id="x1")


@pytest.mark.parametrize(
    "request_",
    [
        office.purchase(),
        office.release("PN1"),
        office.assignment(KNOWN, KNOWN),
        office.unassignment(KNOWN, KNOWN),
        office.brand(),
        office.campaign(KNOWN),
    ],
    ids=lambda request: type(request).__name__,
)
def test_no_request_shows_a_number_or_a_contact(request_: RegistryRequest) -> None:
    shown = repr(request_)
    assert request_.reference in shown
    for private in (NUMBER, office.BRAND.phone, office.BRAND.email, office.BRAND.ein):
        assert str(private) not in shown
