"""The texts of the specification: every operation and every value is described in one style."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from tests.api.http.references import resolved

Operation = dict[str, Any]

VERBS = {
    "Assign",
    "Buy",
    "Cancel",
    "Create",
    "Delete",
    "Download",
    "List",
    "Quote",
    "Record",
    "Register",
    "Release",
    "Retrieve",
    "Rotate",
    "Send",
    "Set",
    "Start",
    "Update",
}
"""How a summary may begin; a new verb is added here."""

CAPITALS = {"API", "SMS", "CSV", "SIP", "10DLC"}
"""Words that keep their capitals in the middle of a summary."""


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    """The specification."""
    return app.openapi()


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_every_summary_is_an_imperative_in_sentence_case(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        first, *others = operation["summary"].split()
        assert first in VERBS, (name, operation["summary"])
        assert others, name
        assert all(word in CAPITALS or word == word.lower() for word in others), name
        assert len(operation["summary"]) <= 50, name
        assert operation["summary"][-1].isalnum(), name


def test_no_two_operations_share_a_summary(document: dict[str, Any]) -> None:
    summaries = [operation["summary"] for _, operation in _operations(document)]
    assert len(set(summaries)) == len(summaries)


def test_every_description_is_made_of_sentences(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        text = operation["description"]
        assert re.fullmatch(r"[A-Z].*[.]", text, re.DOTALL), name
        assert text.rstrip(".") != operation["summary"], name


def test_every_parameter_and_header_is_described(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (name, parameter["name"])
        for status, response in operation["responses"].items():
            answer = resolved(document, response)
            assert answer["description"], (name, status)
            for header, facts in answer.get("headers", {}).items():
                described = resolved(document, facts)
                assert described["description"], (name, status, header)


def test_every_schema_and_tag_is_described(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Z].*[.]", schema["description"], re.DOTALL), name
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert len(tags) == len(document["tags"])
    for name, operation in _operations(document):
        assert all(tags[tag].endswith(".") for tag in operation["tags"]), name


def test_no_two_operations_share_an_id(document: dict[str, Any]) -> None:
    sent = [each["post"] for each in document["webhooks"].values()]
    ids = [operation["operationId"] for _, operation in _operations(document)]
    ids += [operation["operationId"] for operation in sent]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+([A-Z][a-z]+)*", id) for id in ids), ids


def test_every_description_of_a_field_is_made_of_sentences(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, facts in schema.get("properties", {}).items():
            assert re.fullmatch(r"\S.*[.]", facts["description"], re.DOTALL), f"{name}.{field}"
