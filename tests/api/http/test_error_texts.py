"""Error texts state what is wrong, how to correct it, and the name and form of a field."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.http.metadata_filter import METADATA_FILTER
from api.schemas.patterns import form_of
from models.errors import BadRequest, HexavoxError, RateLimited
from tests.api.integrator import SMS, Integrator


def every_error(kind: type[HexavoxError] = HexavoxError) -> Iterator[type[HexavoxError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from every_error(child)


def patterns(part: Any) -> Iterator[str]:
    """Find every pattern of a specification."""
    if isinstance(part, dict):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from patterns(inner)


@pytest.mark.parametrize("kind", list(dict.fromkeys(every_error())), ids=str)
def test_an_error_without_a_detail_says_more_than_its_title(kind: type[HexavoxError]) -> None:
    error = kind(1) if kind is RateLimited else kind()
    assert error.title not in error.detail
    assert error.detail.endswith(".")


def test_an_error_with_wrong_fields_names_them_in_its_detail() -> None:
    error = BadRequest(errors=(("sendAt", "must be at most 30 days ahead"), ("to", "is required")))
    assert error.detail == "sendAt: must be at most 30 days ahead; to: is required"


def test_every_pattern_of_the_specification_has_an_error_text(app: FastAPI) -> None:
    found = set(patterns(app.openapi()["paths"])) | set(patterns(app.openapi()["components"]))
    assert len(found) > 10
    # A validator describes the form of a time of day and a currency; amounts are in responses only;
    # the filter of metadata names what is wrong with a name.
    told_elsewhere = {
        r"([01]\d|2[0-3]):[0-5]\d",
        "^[A-Z]{3}$",
        r"^-?\d+\.\d{6}$",
        METADATA_FILTER["schema"]["propertyNames"]["pattern"],
    }
    assert [p for p in found - told_elsewhere if "must match" in form_of(p)] == []


MERCHANT_FORM = (
    "must be 1 to 64 letters, digits, dots, hyphens and underscores that begin with a letter or "
    "digit, such as gym-a"
)
TIME_FORM = "must be an ISO 8601 time with a time zone, such as 2026-04-16T13:20:00Z"
NO_SUCH_TIME = (
    "must be a time that exists, in ISO 8601 with a time zone, such as 2026-04-16T13:20:00Z"
)


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"merchantId": "-gym"}, "merchantId", MERCHANT_FORM),
        ({"sendAt": "2026-04-16T13:20:00"}, "sendAt", TIME_FORM),
        ({"sendAt": 1776345600}, "sendAt", TIME_FORM),
        ({"sendAt": "2026-02-30T13:20:00Z"}, "sendAt", NO_SUCH_TIME),
        ({"sendAt": "2026-04-16T25:00:00Z"}, "sendAt", NO_SUCH_TIME),
        ({"sendAt": "9999-12-31T23:59:59-14:00"}, "sendAt", NO_SUCH_TIME),
        ({"sendAt": "0001-01-01T00:00:00+14:00"}, "sendAt", NO_SUCH_TIME),
        ({"sendAt": "9999-01-01T00:00:00Z"}, "sendAt", "must be at most 30 days ahead"),
        (
            {"to": "8135551234"},
            "to",
            "must be in E.164 form, + and country code first, such as +12015550123",
        ),
        ({"to": "+1813555"}, "to", "has too many or too few digits for its country"),
        ({"message": "a" * 1531}, "message", "needs 11 segments, and 10 are allowed"),
    ],
)
async def test_a_refused_send_names_the_field_and_the_form(
    gym: Integrator, change: dict[str, Any], field: str, reason: str
) -> None:
    problem = (await gym.post("/messages/sms", {**SMS, **change})).json()
    assert problem["status"] == 400
    assert problem["detail"] == f"{field}: {reason}"
    assert problem["errors"] == [{"field": field, "message": reason}]


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/messages", {"to": "12"}, "to"),
        ("/messages/inbound", {"to": "12"}, "to"),
        ("/consents", {"contact": "12"}, "contact"),
        (
            "/consents/history",
            {"merchantId": "gym-a", "channel": "SMS", "contact": "12"},
            "contact",
        ),
        ("/messages", {"cursor": "nonsense"}, "cursor"),
        ("/messages", {"from": "2026-02-30"}, "from"),
        ("/reports/usage", {"from": "2026-04-02", "to": "2026-04-01"}, "to"),
    ],
)
async def test_a_refused_query_names_the_parameter(
    gym: Integrator, path: str, query: dict[str, str], field: str
) -> None:
    problem = (await gym.get(path, **query)).json()
    assert problem["status"] == 400
    assert problem["errors"][0]["field"] == field
    assert field in problem["detail"]


async def test_the_guide_states_the_remedy_of_each_error(client: httpx.AsyncClient) -> None:
    page = (await client.get("/")).text
    assert "Base of all errors" not in page
    assert "The request cannot be processed now. Repeat it with the same" in page
