"""The specification lets generators make clients that work and stay compatible."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic.fields import FieldInfo

from api.schemas.base import RequestBody
from tests.api.http.references import resolved

PROBLEM = "application/problem+json"


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    """The specification."""
    return app.openapi()


@pytest.fixture
def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Every operation."""
    return [each for methods in document["paths"].values() for each in methods.values()]


@pytest.fixture
def parameters(
    document: dict[str, Any], operations: list[dict[str, Any]]
) -> list[tuple[str, dict[str, Any]]]:
    """Every parameter with the operation that it belongs to."""
    return [
        (operation["operationId"], resolved(document, parameter))
        for operation in operations
        for parameter in operation.get("parameters", ())
    ]


def fields_with_default(kind: type[RequestBody] = RequestBody) -> Iterator[tuple[str, FieldInfo]]:
    for child in kind.__subclasses__():
        for name, field in child.model_fields.items():
            if not field.is_required() and field.default is not None:
                yield f"{child.__name__}.{name}", field
        yield from fields_with_default(child)


def test_no_field_has_a_default_that_a_client_would_send_or_require(
    document: dict[str, Any],
) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, facts in schema.get("properties", {}).items():
            assert "default" not in facts, f"{name}.{field}"


UNCHANGED = "V1WebhookUpdateRequest"
"""Its absent fields are unchanged, whatever the model holds for them."""


def test_every_default_is_described() -> None:
    found = dict(fields_with_default())
    assert len(found) > 15
    for name, field in found.items():
        if not name.startswith(UNCHANGED):
            assert field.description is not None, name
            assert "Default: " in field.description, name


def test_no_parameter_is_null(parameters: list[tuple[str, dict[str, Any]]]) -> None:
    for operation, parameter in parameters:
        assert "null" not in str(parameter["schema"]), (operation, parameter["name"])
        assert "title" not in parameter["schema"], (operation, parameter["name"])


def test_every_text_in_a_query_or_a_header_has_a_form(
    parameters: list[tuple[str, dict[str, Any]]],
) -> None:
    checked = 0
    for operation, parameter in parameters:
        schema = parameter["schema"]
        if parameter["in"] != "path" and schema.get("type") == "string":
            limits = {"maxLength", "pattern", "format", "enum"} & set(schema)
            assert limits, (operation, parameter["name"])
            checked += 1
    assert checked > 50


def test_an_idempotency_key_is_described_as_it_is_checked(
    parameters: list[tuple[str, dict[str, Any]]],
) -> None:
    keys = [
        parameter["schema"]
        for _, parameter in parameters
        if parameter["name"] in ("Idempotency-Key", "idempotencyKey")
    ]
    assert len(keys) > 20
    for schema in keys:
        limits = {name: schema[name] for name in ("type", "minLength", "maxLength", "pattern")}
        assert limits == {
            "type": "string",
            "minLength": 1,
            "maxLength": 257,
            "pattern": "^[!-~]{1,257}$",
        }


def codes_of(document: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    found: list[str] = resolved(document, schema)["properties"]["code"]["enum"]
    return found


def test_every_error_response_lists_its_codes(
    document: dict[str, Any], operations: list[dict[str, Any]]
) -> None:
    for operation in operations:
        for status, response in operation["responses"].items():
            content = resolved(document, response).get("content", {})
            if PROBLEM in content:
                codes = codes_of(document, content[PROBLEM]["schema"])
                where = (operation["operationId"], status)
                assert codes == sorted(content[PROBLEM]["examples"]), where


def test_errors_of_an_operation_are_listed_by_status(operations: list[dict[str, Any]]) -> None:
    for operation in operations:
        assert list(operation["responses"]) == sorted(operation["responses"])
        assert "500" in operation["responses"], operation["operationId"]


def test_a_problem_without_field_errors_lacks_them(document: dict[str, Any]) -> None:
    problem = document["components"]["schemas"]["Problem"]
    assert problem["properties"]["errors"]["type"] == "array"
    assert "errors" not in problem["required"]


@pytest.mark.parametrize(
    "code",
    [
        "VALIDATION_FAILED",
        "INVALID_PHONE_NUMBER",
        "INVALID_EMAIL",
        "INVALID_DATE_RANGE",
        "MESSAGE_TOO_LONG",
    ],
)
def test_the_example_of_a_wrong_field_names_it(document: dict[str, Any], code: str) -> None:
    value = document["components"]["examples"][code]["value"]
    [wrong] = value["errors"]
    assert value["detail"] == f"{wrong['field']}: {wrong['message']}"


def test_every_field_has_an_example(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, facts in schema.get("properties", {}).items():
            whole = name.endswith("Webhook") and field == "data"  # an object with examples
            assert whole or facts.get("examples"), f"{name}.{field}"


def test_a_recording_can_be_had_as_bytes(document: dict[str, Any]) -> None:
    operation = document["paths"]["/api/v1/messages/{messageId}/recording"]["get"]
    assert list(operation["responses"]["200"]["content"]) == [
        "audio/wav",
        "application/octet-stream",
    ]


def test_it_says_how_versions_are_kept(document: dict[str, Any]) -> None:
    told = " ".join(document["info"]["description"].split())
    assert "values of enumerations" in told
    assert "ignore fields that you do not know" in told
    assert "`v1` stays beside it" in told


def test_components_are_used(document: dict[str, Any]) -> None:
    written = str({part: document[part] for part in ("paths", "webhooks", "components")})
    for part in ("schemas", "responses", "parameters", "examples", "headers"):
        assert document["components"][part]
        for name in document["components"][part]:
            assert f"'#/components/{part}/{name}'" in written, name
