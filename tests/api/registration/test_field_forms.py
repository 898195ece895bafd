"""Web addresses, repeated keywords, and the texts of refused fields."""

from typing import Any

import pytest

from tests.api.registrar import Registrar

HIDDEN = [
    "https://gym\u200b.example",
    "https://x.example\u200b",
    "https://x.example/\u202e",
    "https://gym.example/\u2066about",
    "https://gym.example/about\u200d",
    "https://gym.example/?a=\u2060b",
    "https://gym.example/#\ufeff",
    "https://gym\u00ad.example",
    "https://gym.example/\u061c",
    "https://gym.example/\x01",
    "https://gym.example/\x7f",
    "https://gym.example/\u3164",
    "https://gym.example/\U000e0041",
    "\u200ehttps://gym.example",
]
PORTS = [
    "https://gym.example:0",
    "https://gym.example:00000",
    "gym.example:0/about",
    "https://gym.example:65536",
]
ONE_LINE = "must be one line without line breaks, control characters and changes of direction"


def _errors(response: Any) -> list[tuple[str, str]]:
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_FAILED")
    return [(wrong["field"], wrong["message"]) for wrong in response.json()["errors"]]


@pytest.mark.parametrize("site", [*HIDDEN, *PORTS])
async def test_a_web_address_has_no_hidden_character_and_no_port_0(
    registrar: Registrar, site: str
) -> None:
    assert [field for field, _ in _errors(await registrar.brand(website=site))] == ["website"]
    await registrar.brand()
    await registrar.stands("brand", "APPROVED")
    for name in ("privacyPolicyUrl", "termsUrl"):
        refused = await registrar.campaign(**{name: site})
        assert [field for field, _ in _errors(refused)] == [name]


@pytest.mark.parametrize("site", ["https://gym.example:1", "gym.example:65535/ü?ä=%E2%80%8B#é"])
async def test_a_visible_address_with_a_port_is_kept(registrar: Registrar, site: str) -> None:
    response = await registrar.brand(website=site)
    assert (response.status_code, response.json().get("website")) == (200, site)


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("optOutKeywords", ["STOP", "stop"], ["STOP"]),
        ("optOutKeywords", ["stop", "BYE", "Stop", "bye", "STOP"], ["stop", "BYE"]),
        ("helpKeywords", ["HELP", "Help", "INFO"], ["HELP", "INFO"]),
        ("optInKeywords", ["START", "START"], ["START"]),
    ],
)
async def test_a_repeated_keyword_is_kept_once(
    registrar: Registrar, name: str, given: list[str], kept: list[str]
) -> None:
    await registrar.brand()
    await registrar.stands("brand", "APPROVED")
    changed: dict[str, Any] = {"optInMessage": "Gym A: you are subscribed now.", name: given}
    response = await registrar.campaign(**changed)
    assert (response.status_code, response.json().get(name)) == (200, kept), response.text


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"street": "1 Main\nStreet"}, ("street", ONE_LINE)),
        ({"legalName": "Gym\u202eA"}, ("legalName", ONE_LINE)),
        ({"altBusinessId": "1"}, ("altBusinessIdType", "is required with altBusinessId")),
        ({"altBusinessIdType": "DUNS"}, ("altBusinessId", "is required with altBusinessIdType")),
        ({"stockSymbol": "GYMA"}, ("stockExchange", "is required with stockSymbol")),
        ({"stockExchange": "NASDAQ"}, ("stockSymbol", "is required with stockExchange")),
    ],
)
async def test_a_refused_field_has_a_fitting_text(
    registrar: Registrar, changed: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert _errors(await registrar.brand(**changed)) == [expected]
