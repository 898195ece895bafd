"""The examples of the specification are accepted as they are: Swagger UI and Postman send them."""

import csv
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from api.http.specification.schemas import example_of
from api.portal.postman import build_collection
from api.schemas.base import RequestBody
from cli.samples.place import PRICES
from simulator.registry.registry_inventory import find_offer
from tests.api.doubles import FakeStarter
from tests.api.http.references import resolved
from tests.api.integrator import Integrator
from tests.api.registrar import FakeRegistrationStarter

NEEDS_MORE = {
    "Register a campaign": "BRAND_NOT_APPROVED",
    "Set the presence of a SIP user": "VOICE_USER_NOT_FOUND",
}
"""Requests that name what only the registry or an earlier answer gives."""


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    """The specification."""
    return app.openapi()


@pytest.fixture
def requests(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The requests of the Postman collection, whose bodies are the examples."""
    collection = build_collection(document, "http://api.test/")
    return [request for folder in collection["item"] for request in folder["item"]]


def request_models(kind: type[RequestBody] = RequestBody) -> Iterator[type[RequestBody]]:
    for child in kind.__subclasses__():
        yield child
        yield from request_models(child)


async def send(
    client: httpx.AsyncClient, request: dict[str, Any], variables: dict[str, str]
) -> httpx.Response:
    """Send a request of a collection as Postman does."""

    def filled(text: str) -> str:
        for name, value in variables.items():
            text = text.replace("{{" + name + "}}", value)
        assert "{{" not in text
        return text.replace("{{$guid}}", str(uuid4()))

    url = request["url"]
    given = {each["key"]: each["value"] for each in url["variable"]}
    path = [given[step[1:]] if step.startswith(":") else step for step in url["path"]]
    return await client.request(
        request["method"],
        "/".join([filled(url["host"][0]), *path]),
        params={each["key"]: each["value"] for each in url["query"] if not each["disabled"]},
        headers={each["key"]: filled(each["value"]) for each in request["header"]},
        content=request["body"]["raw"] if "body" in request else None,
    )


async def test_every_example_is_accepted(
    gym: Integrator,
    registrations: FakeRegistrationStarter,
    starter: FakeStarter,
    requests: list[dict[str, Any]],
) -> None:
    variables = {
        "baseUrl": "http://api.test",
        "apiKey": gym.headers["X-API-KEY"],
        "apiSecret": gym.headers["X-API-SECRET"],
        "$guid": str(uuid4()),
    }
    refused = {}
    for each in requests:
        variables["$guid"] = str(uuid4())
        answer = await send(gym.client, each["request"], variables)
        name, steps = each["name"], each["request"]["url"]["path"]
        found_by_id = [step for step in steps if step[0] == ":" and step != ":merchantId"]
        if found_by_id and answer.status_code in (404, 409):
            continue  # what an earlier answer named, or what must be in another state
        if answer.status_code >= 300 and answer.json()["code"] != NEEDS_MORE.get(name):
            refused[name] = answer.json()
    assert refused == {}


def test_the_collection_has_every_operation_once(
    document: dict[str, Any], requests: list[dict[str, Any]]
) -> None:
    operations = [each for methods in document["paths"].values() for each in methods.values()]
    assert sorted(each["name"] for each in requests) == sorted(
        operation["summary"] for operation in operations
    )


def test_the_collection_sends_both_credentials(requests: list[dict[str, Any]]) -> None:
    for each in requests:
        headers = {header["key"]: header["value"] for header in each["request"]["header"]}
        assert headers["X-API-KEY"] == "{{apiKey}}"
        assert headers["X-API-SECRET"] == "{{apiSecret}}"
        written = each["request"]["method"] in ("POST", "DELETE")
        assert headers.get("Idempotency-Key") == ("{{$guid}}" if written else None)


def test_a_filter_of_metadata_is_a_parameter_of_its_own(requests: list[dict[str, Any]]) -> None:
    [listing] = [each for each in requests if each["name"] == "List messages"]
    query = {each["key"]: each for each in listing["request"]["url"]["query"]}
    assert query["metadata.orderId"]["value"] == "A-1001"
    assert query["metadata.orderId"]["disabled"] is True


def test_every_body_has_an_example_of_all_required_fields(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    bodies = {name: schema for name, schema in schemas.items() if "V1" in name}
    requests = {name: schema for name, schema in bodies.items() if name.endswith("Request")}
    assert len(requests) > 15
    for name, schema in requests.items():
        [example] = schema["examples"]
        assert set(schema.get("required", ())) <= set(example) <= set(schema["properties"]), name
        assert list(example) == [field for field in schema["properties"] if field in example]


def test_fields_that_an_example_shows_exist_and_are_optional() -> None:
    shown = [(kind, name) for kind in request_models() for name in kind.shown]
    assert shown
    for kind, name in shown:
        fields = {field.alias: field for field in kind.model_fields.values()}
        assert not fields[name].is_required(), (kind, name)


def test_the_number_of_the_examples_is_on_sale_at_the_simulator(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    [body] = schemas["V1MerchantMessagingNumberRequest"]["examples"]
    assert find_offer(body["number"]) is not None


def test_the_upgrade_of_the_examples_is_on_the_sample_price_list(document: dict[str, Any]) -> None:
    [body] = document["components"]["schemas"]["V1MerchantUpgradeRequest"]["examples"]
    with PRICES.open(newline="") as file:
        lines = [
            (line["channel"], line["units"], line["amount"], line["currency"])
            for line in csv.DictReader(file)
        ]
    asked = (body["channel"], str(body["units"]), f"{body['amountCents'] / 100:.2f}")
    assert (*asked, body["currency"]) in lines


def test_every_answer_can_be_shown_by_an_example(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            success = resolved(document, operation["responses"].get("200", {"content": {}}))
            for kind, content in success.get("content", {}).items():
                if kind == "application/json":
                    assert example_of(content["schema"], schemas), path
