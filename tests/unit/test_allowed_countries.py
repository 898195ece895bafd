"""Where a tenant's texts and calls may go."""

import pytest

from models.enums import Channel, DeliveryMode
from models.rules.tenants.allowed_countries import AllowedCountries, read_country

LIVE, SIMULATOR = DeliveryMode.LIVE, DeliveryMode.SIMULATOR
NUMBERS = {
    "US": "+18135551234",
    "US, a new exchange": "+18132001234",
    "US, toll-free": "+18005551234",
    "PR": "+17875551234",
    "GU": "+16715551234",
    "CA": "+14165551234",
    "JM": "+18765551234",
    "DO": "+18095551234",
    "GB": "+447400123456",
    "JE": "+447797712345",
    "DE": "+4915123456789",
    "KZ": "+77012345678",
    "RU": "+79161234567",
    "satellite": "+881612345678",
    "freephone": "+80012345678",
}


def allowed(countries: AllowedCountries) -> set[str]:
    return {name for name, n in NUMBERS.items() if countries.allow(Channel.SMS, n)}


US = {"US", "US, a new exchange", "US, toll-free", "PR", "GU"}


@pytest.mark.parametrize(
    ("countries", "expected"),
    [
        (AllowedCountries(mode=LIVE), US),
        (AllowedCountries(mode=SIMULATOR), set(NUMBERS)),
        (AllowedCountries(mode=LIVE, country="PR"), US),
        (AllowedCountries(mode=LIVE, country="CA"), {"CA"}),
        (AllowedCountries(mode=LIVE, country="GB"), {"GB"}),
        (AllowedCountries(mode=LIVE, country="DE"), {"DE"}),
        (AllowedCountries(mode=LIVE, chosen=["CA", "US"]), US | {"CA"}),
        (AllowedCountries(mode=LIVE, country="US", chosen=["JM"]), {"JM"}),
        (AllowedCountries(mode=SIMULATOR, chosen=["KZ"]), {"KZ"}),
        (AllowedCountries(mode=LIVE, chosen=["GU"]), US),
        (AllowedCountries(mode=LIVE, chosen=["*"]), set(NUMBERS)),
        (AllowedCountries(mode=LIVE, chosen=[]), set()),
    ],
)
def test_a_number_is_allowed_by_its_country(
    countries: AllowedCountries, expected: set[str]
) -> None:
    assert allowed(countries) == expected


PLACELESS = [
    *("+19005551234", "+19765551234", "+12129765432", "+14169765432"),  # pay-per-call
    *("+15005551234", "+15215551234", "+15335551234", "+15445551234", "+15665551234"),
    *("+15775551234", "+15885551234", "+17005551234", "+17105551234", "+14565551234"),
    *("+16005551234", "+16225551234"),  # Canada
    *("+12115551234", "+19115551234", "+19995551234", "+18895551234", "+15555551234"),
    *("+12955551234", "+13705551234", "+19605551234", "+12995551234"),
]


@pytest.mark.parametrize("channel", [Channel.SMS, Channel.VOICE])
@pytest.mark.parametrize("number", PLACELESS)
def test_a_north_american_number_without_a_place_has_no_country(
    channel: Channel, number: str
) -> None:
    for allowed in ([], ["US"], ["US", "CA", "PR"]):
        assert not AllowedCountries(mode=LIVE, chosen=allowed).allow(channel, number)
    assert not AllowedCountries(mode=LIVE).allow(channel, number)
    assert AllowedCountries(mode=LIVE, chosen=["US", "*"]).allow(channel, number)
    assert AllowedCountries(mode=SIMULATOR).allow(channel, number)


@pytest.mark.parametrize(
    "code", ["800", "822", "833", "844", "855", "866", "877", "888", "212", "465", "679"]
)
def test_toll_free_numbers_and_new_area_codes_are_those_of_the_us(code: str) -> None:
    for exchange in ("201", "555"):
        assert AllowedCountries(mode=LIVE).allow(Channel.SMS, f"+1{code}{exchange}1234")


def test_calls_are_held_to_the_same_countries_and_mail_to_none() -> None:
    countries = AllowedCountries(mode=LIVE)
    assert not countries.allow(Channel.VOICE, NUMBERS["JM"])
    assert countries.allow(Channel.EMAIL, "anna@example.de")


@pytest.mark.parametrize(("given", "country"), [("us", "US"), (" CA ", "CA"), ("XK", "XK")])
def test_a_country_is_read_in_any_case(given: str, country: str) -> None:
    assert read_country(given) == country


@pytest.mark.parametrize("given", ["", "USA", "XX", "1", "*", "001", "UK"])
def test_what_is_no_country_is_refused(given: str) -> None:
    with pytest.raises(ValueError, match="no country"):
        read_country(given)
