"""Makes a Postman collection of the specification.

Postman's own converter (openapi-to-postmanv2) takes only the first of the two headers of our
credentials. Here both are headers of every request.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from api.http.auth import API_KEY_HEADER, SECRET_HEADER
from api.http.idempotency import KEY_HEADER
from api.http.specification.schemas import example_of

Document = dict[str, Any]

_FORMAT: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_CREDENTIALS: Final = [
    {"key": API_KEY_HEADER, "value": "{{apiKey}}"},
    {"key": SECRET_HEADER, "value": "{{apiSecret}}"},
]
_JSON: Final = "application/json"


def build_collection(document: Document, base_url: str) -> Document:
    """Return a collection (format 2.1) with a folder per tag and a request per operation.

    Its variables are `baseUrl`, `apiKey` and `apiSecret`. Optional parameters are switched off,
    unless they have examples of their own beside those of their schema.
    """
    info = document["info"]
    return {
        "info": {
            "name": info["title"],
            "description": info["description"],
            "version": info["version"],
            "schema": _FORMAT,
        },
        "variable": [
            {"key": "baseUrl", "value": base_url.rstrip("/")},
            {"key": "apiKey", "value": ""},
            {"key": "apiSecret", "value": ""},
        ],
        "item": [
            {
                "name": tag["name"],
                "description": tag["description"],
                "item": list(_requests(document, tag["name"])),
            }
            for tag in document["tags"]
        ],
    }


def _requests(document: Document, tag: str) -> Iterator[Document]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield {
                    "name": operation["summary"],
                    "request": _request(document, method, path, operation),
                }


def _request(document: Document, method: str, path: str, operation: Document) -> Document:
    parameters = [_resolved(document, each) for each in operation.get("parameters", ())]
    request: Document = {
        "method": method.upper(),
        "description": operation["description"],
        "header": [
            *_CREDENTIALS,
            *(_header(document, each) for each in parameters if each["in"] == "header"),
        ],
        "url": _url(document, path, parameters),
    }
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"][_JSON]["schema"]
        example = example_of(schema, document["components"]["schemas"])
        request["header"].append({"key": "Content-Type", "value": _JSON})
        request["body"] = {
            "mode": "raw",
            "raw": json.dumps(example, indent=2, ensure_ascii=False),
            "options": {"raw": {"language": "json"}},
        }
    return request


def _url(document: Document, path: str, parameters: list[Document]) -> Document:
    steps = [
        f":{step[1:-1]}" if step.startswith("{") else step for step in path.strip("/").split("/")
    ]
    return {
        "raw": "{{baseUrl}}/" + "/".join(steps),
        "host": ["{{baseUrl}}"],
        "path": steps,
        "query": [
            {**named, "disabled": not (each["required"] or "examples" in each)}
            for each in parameters
            if each["in"] == "query"
            for named in _query(document, each)
        ],
        "variable": [_named(document, each) for each in parameters if each["in"] == "path"],
    }


def _query(document: Document, parameter: Document) -> list[Document]:
    """Return the members of an object as parameters of their own, as `style: form` says."""
    named = _named(document, parameter)
    if "example" not in parameter:
        return [named]
    return [{**named, "key": key, "value": value} for key, value in parameter["example"].items()]


def _header(document: Document, parameter: Document) -> Document:
    named = _named(document, parameter)
    # Postman makes a new one for each request.
    return {**named, "value": "{{$guid}}"} if parameter["name"] == KEY_HEADER else named


def _named(document: Document, parameter: Document) -> Document:
    if "examples" in parameter:
        example = next(iter(parameter["examples"].values()))["value"]
    else:
        example = example_of(parameter["schema"], document["components"]["schemas"])
    value = json.dumps(example) if isinstance(example, bool) else str(example or "")
    return {
        "key": parameter["name"],
        "value": value,
        "description": parameter["description"],
    }


def _resolved(document: Document, part: Document) -> Document:
    if "$ref" not in part:
        return part
    found: Document = document
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return found
