"""Every field of a brand and a campaign: accepted values, and refusals with the field's name."""

from typing import Any

import httpx
import pytest

from models.rules.registration.vocabulary import EntityType, UseCase, Vertical
from tests.api.registrar import Registrar

SOLE = {"entityType": "SOLE_PROPRIETOR", "legalName": None, "ein": None}
PERSON = {"firstName": "Ada", "lastName": "Smith", "mobilePhone": "+18135551234"}
PUBLIC = {"entityType": "PUBLIC_PROFIT"}
LISTED = {
    "stockSymbol": "GYMA",
    "stockExchange": "NASDAQ",
    "businessContactEmail": "legal@gym-a.example.com",
}


@pytest.mark.parametrize("entity_type", [*EntityType])
async def test_every_kind_of_business_may_register(
    registrar: Registrar, entity_type: EntityType
) -> None:
    extra: dict[str, Any] = {"entityType": entity_type, **PERSON, **LISTED}
    response = await registrar.brand(**extra)
    assert response.status_code == 200, response.text
    assert response.json()["entityType"] == entity_type


async def test_a_sole_proprietor_has_neither_legal_name_nor_tax_number(
    registrar: Registrar,
) -> None:
    response = await registrar.brand(**{**SOLE, **PERSON})
    assert (response.status_code, response.json()["ein"]) == (200, None)


async def test_all_23_verticals_are_known(registrar: Registrar) -> None:
    for vertical in Vertical:
        response = await registrar.brand(vertical=vertical, submit=False)
        assert response.status_code == 200
    assert len(Vertical) == 23


WRONG_BRANDS: list[tuple[dict[str, Any], set[str]]] = [
    ({"legalName": None}, {"legalName"}),
    ({"legalName": " "}, {"legalName"}),
    ({"legalName": "\u200b"}, {"legalName"}),
    ({"legalName": "Gym A\x1b LLC"}, {"legalName"}),
    ({"legalName": "Gym A\u2028LLC"}, {"legalName"}),
    ({"displayName": "Gym\nA"}, {"displayName"}),
    ({"displayName": "\u3164"}, {"displayName"}),
    ({"legalName": "x" * 256}, {"legalName"}),
    ({"displayName": None}, {"displayName"}),
    ({"displayName": "x" * 101}, {"displayName"}),
    ({"entityType": "PRIVATE"}, {"entityType"}),
    ({"vertical": "SPORTS"}, {"vertical"}),
    ({"ein": None}, {"ein"}),
    ({"ein": "12-345678"}, {"ein"}),
    ({"ein": "12345678X"}, {"ein"}),
    ({"ein": 123456789}, {"ein"}),
    ({"ein": "1" * 21}, {"ein"}),
    ({"phone": "8135551234"}, {"phone"}),
    ({"phone": "+15551234"}, {"phone"}),
    ({"phone": "+18131551234"}, {"phone"}),
    ({"email": "owner"}, {"email"}),
    ({"street": None}, {"street"}),
    ({"street": "x" * 101}, {"street"}),
    ({"city": "x" * 101}, {"city"}),
    ({"state": "Fla"}, {"state"}),
    ({"postalCode": "3360"}, {"postalCode"}),
    ({"country": "USA"}, {"country"}),
    ({"country": "ZZ"}, {"country"}),
    ({"country": "ZZ", "submit": False}, {"country"}),
    ({"state": "ZZ"}, {"state"}),
    ({"website": "not a site"}, {"website"}),
    ({"website": "https://gym-a.example.com:٨٠"}, {"website"}),
    ({"website": f"https://{'x' * 60}.{'y' * 40}.com"}, {"website"}),
    ({**SOLE}, {"firstName", "lastName", "mobilePhone"}),
    ({**SOLE, **PERSON, "mobilePhone": "1"}, {"mobilePhone"}),
    ({**PUBLIC}, {"stockSymbol", "stockExchange", "businessContactEmail"}),
    ({**PUBLIC, **LISTED, "businessContactEmail": "x"}, {"businessContactEmail"}),
    ({**PUBLIC, **LISTED, "stockSymbol": "gym a"}, {"stockSymbol"}),
    ({"altBusinessId": "1"}, {"altBusinessIdType"}),
    ({"altBusinessIdType": "VAT", "altBusinessId": "1"}, {"altBusinessIdType"}),
    ({"submit": "no"}, {"submit"}),
    ({"isReseller": True}, {"isReseller"}),
]


async def test_each_wrong_field_of_a_brand_is_named_and_nothing_is_kept(
    registrar: Registrar,
) -> None:
    for changed, fields in WRONG_BRANDS:
        assert _named(await registrar.brand(key="k", **changed)) == fields, changed
    assert await registrar.rows() == []


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("12-3456789", "*****6789"),
        ("12 3456789", "*****6789"),
        ("12.345.6789", "*****6789"),
        ("123 45 67 89", "*****6789"),
    ],
)
async def test_a_tax_number_may_be_grouped(registrar: Registrar, given: str, shown: str) -> None:
    response = await registrar.brand(ein=given)
    assert (response.status_code, response.json()["ein"]) == (200, shown)


@pytest.mark.parametrize(
    "site",
    [
        "https://gym-a.example",
        "HTTPS://Gym-A.Example",
        "gym-a.app",
        "https://gym-a.example?page=about",
        "https://gym-a.example#about",
        "gym-a.example:8443/a?b#c",
        "https://gym-a.example/?next=https://gym-b.example",
        "https://straße.example",
        "https://xn--strae-oqa.example",
        "http://помощь.рф/о-нас",
        "https://例え.テスト",
    ],
)
async def test_a_web_address_of_any_domain_is_kept_as_given(
    registrar: Registrar, site: str
) -> None:
    response = await registrar.brand(website=site)
    assert (response.status_code, response.json().get("website")) == (200, site), response.text


@pytest.mark.parametrize(
    ("country", "address"),
    [
        ("US", {"postalCode": "33602-1234"}),
        ("IE", {"state": None, "postalCode": None}),
        ("AE", {"state": "Dubai", "postalCode": None}),
        ("FR", {"state": None, "postalCode": "75001"}),
    ],
)
async def test_an_address_is_taken_as_its_country_writes_it(
    registrar: Registrar, country: str, address: dict[str, Any]
) -> None:
    response = await registrar.brand(country=country, **address)
    assert response.status_code == 200, response.text
    assert {name: response.json()[name] for name in address} == address


async def test_a_campaign_in_another_language_is_taken_with_warnings(
    registrar: Registrar,
) -> None:
    await registrar.brand()
    await registrar.stands("brand", "APPROVED")
    texts = {
        "optOutMessage": "Gym A: ya no recibirá más mensajes.",
        "helpMessage": "Gym A: escriba al 12345.",
    }
    response = await registrar.campaign(key="k", **texts)
    assert response.status_code == 200, response.text
    warnings = response.json()["warnings"]
    assert [(warning["code"], warning["field"]) for warning in warnings] == [
        ("OPT_OUT_TEXT_UNCLEAR", "optOutMessage"),
        ("HELP_CONTACT_UNCLEAR", "helpMessage"),
    ]
    assert all(warning["message"] for warning in warnings)
    again = await registrar.campaign(key="k", **texts)
    assert again.json()["warnings"] == warnings
    [listed] = (await registrar.get("campaigns")).json()
    assert listed["warnings"] == warnings


async def test_an_english_campaign_has_no_warnings(registrar: Registrar) -> None:
    await registrar.brand()
    await registrar.stands("brand", "APPROVED")
    assert (await registrar.campaign()).json()["warnings"] == []


async def test_all_28_use_cases_are_known(registrar: Registrar) -> None:
    await registrar.brand()
    await registrar.stands("brand", "APPROVED")
    subs = {UseCase.MIXED: ["MARKETING", "2FA"], UseCase.LOW_VOLUME: ["MARKETING"]}
    for use_case in UseCase:
        response = await registrar.campaign(
            useCase=use_case, subUseCases=subs.get(use_case, []), submit=False
        )
        assert response.status_code == 200, response.text
    assert len(UseCase) == 28


@pytest.mark.parametrize(
    "changed",
    [
        {"description": "d" * 40, "messageFlow": "m" * 40, "samples": ["s" * 20] * 2},
        {"description": "d" * 4096, "messageFlow": "m" * 2048, "samples": ["s" * 1024] * 5},
        {"useCase": "MIXED", "subUseCases": ["MARKETING", "2FA", "CHARITY", "SOCIAL", "M2M"]},
        {"optInKeywords": ["START"], "optInMessage": "Gym A: you are subscribed now."},
    ],
)
async def test_the_limits_themselves_are_taken(
    registrar: Registrar, changed: dict[str, Any]
) -> None:
    await registrar.brand()
    await registrar.stands("brand", "APPROVED")
    response = await registrar.campaign(**changed)
    assert response.status_code == 200, response.text


WRONG_CAMPAIGNS: list[tuple[dict[str, Any], str]] = [
    ({"useCase": "SPAM"}, "useCase"),
    ({"useCase": "MIXED"}, "subUseCases"),
    ({"useCase": "MIXED", "subUseCases": ["MARKETING"]}, "subUseCases"),
    ({"useCase": "MIXED", "subUseCases": [*UseCase][:6]}, "subUseCases"),
    ({"useCase": "LOW_VOLUME"}, "subUseCases"),
    ({"description": "d" * 39}, "description"),
    ({"description": "d" * 4097}, "description"),
    ({"messageFlow": "m" * 39}, "messageFlow"),
    ({"messageFlow": "m" * 2049}, "messageFlow"),
    ({"messageFlow": " " * 40}, "messageFlow"),
    ({"messageFlow": "\u200b" * 40}, "messageFlow"),
    ({"messageFlow": f"Ask us.{' ' * 40}"}, "messageFlow"),
    ({"messageFlow": f"Ask{' ' * 40}us."}, "messageFlow"),
    ({"description": "\n" * 40}, "description"),
    ({"samples": ["s" * 20, "\t" * 20]}, "samples.1"),
    ({"optOutMessage": f"Gym A:{' ' * 20}"}, "optOutMessage"),
    ({"helpMessage": "\u00a0" * 20}, "helpMessage"),
    ({"privacyPolicyUrl": "https://gym-a.example:99999"}, "privacyPolicyUrl"),
    ({"privacyPolicyUrl": "https://anna:secret@gym-a.example"}, "privacyPolicyUrl"),
    ({"privacyPolicyUrl": "ftp://gym-a.example"}, "privacyPolicyUrl"),
    ({"privacyPolicyUrl": "https://-gym.example"}, "privacyPolicyUrl"),
    ({"privacyPolicyUrl": "https://gym-a"}, "privacyPolicyUrl"),
    ({"privacyPolicyUrl": "https://127.0.0.1/privacy"}, "privacyPolicyUrl"),
    ({"privacyPolicyUrl": "https://gym-a..example"}, "privacyPolicyUrl"),
    ({"samples": ["s" * 20]}, "samples"),
    ({"samples": ["s" * 20] * 6}, "samples"),
    ({"samples": ["s" * 20, "s" * 19]}, "samples.1"),
    ({"samples": ["s" * 1025, "s" * 20]}, "samples.0"),
    ({"optOutKeywords": ["STOP NOW"]}, "optOutKeywords.0"),
    ({"helpKeywords": ["H" * 256]}, "helpKeywords.0"),
    ({"helpKeywords": ["H" * 200, "I" * 55]}, "helpKeywords"),
    ({"optInKeywords": ["START"]}, "optInMessage"),
    ({"optOutKeywords": ["BAJA", "SALIR"]}, "optOutKeywords"),
    ({"optOutKeywords": []}, "optOutKeywords"),
    ({"optInKeywords": ["stop"], "optInMessage": "Gym A: you are subscribed."}, "optInKeywords"),
    ({"optOutMessage": None}, "optOutMessage"),
    ({"optOutMessage": "You will receive no more of these."}, "optOutMessage"),
    ({"helpMessage": None}, "helpMessage"),
    ({"helpMessage": "Gym A: ask anybody at the desk."}, "helpMessage"),
    ({"helpMessage": "Write to help@gym-a.example.com."}, "helpMessage"),
    ({"privacyPolicyUrl": "nowhere"}, "privacyPolicyUrl"),
    ({"embeddedLink": 1}, "embeddedLink"),
    ({"campaignId": "x"}, "campaignId"),
    ({"campaignId": "١"}, "campaignId"),
]


async def test_each_wrong_field_of_a_campaign_is_named_and_nothing_is_kept(
    registrar: Registrar,
) -> None:
    await registrar.brand()
    await registrar.stands("brand", "APPROVED")
    before = await registrar.rows()
    for changed, field in WRONG_CAMPAIGNS:
        assert _named(await registrar.campaign(key="k", **changed)) == {field}, changed
    assert await registrar.rows() == before


def _named(response: httpx.Response) -> set[str]:
    """Return the fields that a refusal names."""
    body = response.json()
    assert (response.status_code, body["code"]) == (400, "VALIDATION_FAILED")
    return {error["field"] for error in body["errors"]}


async def test_only_a_number_of_the_us_can_be_bought(registrar: Registrar) -> None:
    others = ("+14165551234", "+18765551234", "+19005551234", "+15005550006")
    for number in ("+442071838750", "8132201000", "+1813", "", *others):
        assert _named(await registrar.buy(number)) == {"number"}


async def test_a_wrong_search_is_refused(registrar: Registrar) -> None:
    for wrong in (
        {"areaCode": "81"},
        {"areaCode": "012"},
        {"areaCode": "8١٢"},
        {"type": "MOBILE"},
        {"limit": "0"},
    ):
        assert _named(await registrar.get("numbers/available", **wrong)) == set(wrong)
