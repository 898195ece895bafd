"""The OpenAPI document of the public API."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from api.http.auth import API_KEY_HEADER, SECRET_HEADER
from api.http.problem_response import MEDIA_TYPE
from api.http.public import PREFIX
from api.schemas.batches import V1BatchSendRequest
from api.schemas.problems import Problem
from models.enums import KeyScope

Document = dict[str, Any]

_DESCRIPTION = """\
Send SMS, calls and e-mail for merchants; manage consent, credits and 10DLC registration.

**Authentication.** Every request needs the headers `X-API-KEY` and `X-API-SECRET`. A key belongs to
a tenant or to one merchant of it. With a merchant-scoped key, other merchants are 404. A key has
one or more of the scopes `send`, `read`, `billing` and `admin`; each operation names the one that
it requires, and refuses other keys with 403 `SCOPE_MISSING`.

**Idempotency.** Send an `Idempotency-Key` with every write. The same key with the same request is
executed once; a replayed response has the header `Idempotency-Replayed: true`. The same key with a
different request is refused with 422. A refused request (4xx) stores nothing. After a 5xx or a
broken connection it is safe to retry with the same key.

**Errors** are `application/problem+json` (RFC 9457). `code` is stable; use it in programs.

**Limits.** The maximum size of a body is 384 KiB for SMS and calls, 4 MiB for e-mail and quotes,
10 MiB for batches, and 64 KiB otherwise. `Content-Encoding` is not supported. Rate limits apply per
key and per tenant, to requests per second and to concurrent requests. `RateLimit-Policy` and
`RateLimit` describe the limit that is closest to being reached; a 429 response has `Retry-After`. A
body counts as one more request per 256 KiB; a batch counts as one request.

**Pagination.** Lists are arrays. While there may be more items, the header `Link: <…>; rel="next"`
holds the URL of the next page. A page may hold fewer items than `limit`, even none, while there is
a next one: continue until a page has no link.

**Formats.** Times are ISO 8601 in UTC with milliseconds and `Z`. Phone numbers are E.164; in
requests, spaces and `( ) . - /` between the digits are ignored.
"""

_TAGS = [
    {"name": "Merchants", "description": "The businesses that messages are sent for."},
    {"name": "Consents", "description": "Consent of recipients, per merchant and channel."},
    {"name": "Messages", "description": "Send, quote, list and cancel messages."},
    {"name": "Email", "description": "Direct e-mail, with or without a merchant."},
    {"name": "Billing", "description": "Upgrades (purchases of credits) and the ledger of units."},
    {"name": "Alerts", "description": "Alerts on usage, credits, providers and compliance."},
    {
        "name": "Webhooks",
        "description": "Your endpoints, their deliveries, and the events that are posted to them, "
        "signed by [Standard Webhooks](https://www.standardwebhooks.com).",
    },
    {"name": "Reports", "description": "Usage and cost per day."},
    {"name": "Voice", "description": "Labeled calls, SIP and browser configuration, presence."},
    {
        "name": "Messaging",
        "description": "10DLC registration: brand, campaigns, numbers and their assignment.",
    },
    {"name": "Keys", "description": "API keys, their scopes and expiry."},
]

_SECURITY = {
    "ApiKeyAuth": {"type": "apiKey", "in": "header", "name": API_KEY_HEADER},
    "ApiSecretAuth": {"type": "apiKey", "in": "header", "name": SECRET_HEADER},
}

_HEADERS: Document = {
    "X-Request-Id": {
        "description": "Identifier of the request. Include it when you contact support.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "Remaining requests (r) and seconds until the limit resets (t).",
        "schema": {"type": "string", "examples": ['"key";r=99;t=1']},
    },
    "RateLimit-Policy": {
        "description": "The limit of the key or the tenant that is closest to being reached: "
        "requests (q) per window of w seconds, or concurrent requests (`qu`).",
        "schema": {"type": "string", "examples": ['"key";q=100;w=2']},
    },
    "Idempotency-Replayed": {
        "description": "`true` if the response belongs to an earlier request with this key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Link": {
        "description": 'URL of the next page, `rel="next"`; the last page has none (RFC 8288). '
        "It is relative to the URL of the request.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds to wait before the next attempt.",
        "schema": {"type": "integer"},
    },
}
"""Response headers. Operations refer to them, to error examples and to common error responses:
written out in each operation, these would be half of the document."""

_OF_EVERY_SUCCESS = ("X-Request-Id", "RateLimit", "RateLimit-Policy")


def install(app: FastAPI, scopes: Mapping[str, KeyScope]) -> None:
    """Set the OpenAPI document of the application; it is built on first use and cached.

    Args:
        app: the application.
        scopes: the scope that a key needs, by method and path template.
    """

    def specification() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = _specification(app, scopes)
        return app.openapi_schema

    app.openapi = specification  # type: ignore[method-assign]  # FastAPI's documented hook


def release() -> str:
    """The version of this installation."""
    try:
        return version("hexavox")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0.1.0"


def operation_id(route: APIRoute) -> str:
    """Return the operationId in camelCase, such as sendSms or listMerchants."""
    return to_camel(route.name)


def _specification(app: FastAPI, scopes: Mapping[str, KeyScope]) -> Document:
    document: Document = get_openapi(
        title="HexaVox Public API",
        version=release(),
        summary="SMS, voice and e-mail with durable delivery and exact billing.",
        description=_DESCRIPTION,
        routes=app.routes,
        webhooks=app.webhooks.routes,
        tags=_TAGS,
        servers=[{"url": "/", "description": "This server"}],
    )
    examples: Document = {}
    for path, methods in document["paths"].items():
        assert path.startswith(PREFIX), f"{path} must not be in the public specification"
        for method, operation in methods.items():
            _complete(method, operation)
            _refer_to_examples(operation, examples)
            _require(scopes[f"{method.upper()} {path}"], operation)
    for operations in document["webhooks"].values():
        for operation in operations.values():
            operation["responses"].pop("422")  # FastAPI assumes that it validates the body
            operation["security"] = []  # it is sent to the integrator, with a signature
    components = document["components"]
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    # No route declares these as FastAPI does.
    components["schemas"].update(_schemas_of(V1BatchSendRequest) | _schemas_of(Problem))
    for schema in components["schemas"].values():
        for field in schema.get("properties", {}).values():
            field.pop("title", None)  # repeats the name of the field
    components["responses"] = _share_responses(
        operation for methods in document["paths"].values() for operation in methods.values()
    )
    components["examples"] = dict(sorted(examples.items()))
    components["headers"] = _HEADERS
    components["securitySchemes"] = _SECURITY
    document["security"] = [{scheme: [] for scheme in _SECURITY}]
    return document


def _complete(method: str, operation: Document) -> None:
    """Add the headers every operation has; remove the responses that FastAPI assumes."""
    for parameter in operation.get("parameters", []):
        parameter["schema"].pop("title", None)
    responses = operation["responses"]
    if "application/json" in responses.get("422", {}).get("content", {}):
        responses["422"]["content"].pop("application/json")
        if not responses["422"]["content"]:
            responses.pop("422")
    success = responses["204" if "204" in responses else "200"]
    answered = success.get("content", {}).get("application/json", {"schema": {}})
    is_list = answered["schema"].get("type") == "array"
    success["description"] = "Success."
    names = [*_OF_EVERY_SUCCESS]
    if method in ("post", "delete"):
        names.append("Idempotency-Replayed")
    if is_list:
        names.append("Link")
    success["headers"] = _header_references(names)
    for status in ("429", "503"):
        responses[status]["headers"] = _header_references(["Retry-After"])


def _header_references(names: Iterable[str]) -> Document:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _refer_to_examples(operation: Document, shared: Document) -> None:
    """Move the examples of errors to `shared`, and leave references to them."""
    for response in operation["responses"].values():
        problem = response.get("content", {}).get(MEDIA_TYPE, {})
        for code, example in problem.get("examples", {}).items():
            known = shared.setdefault(code, example)
            assert known == example, f"{code} has two examples"
            problem["examples"][code] = {"$ref": f"#/components/examples/{code}"}


def _share_responses(operations: Iterable[Document]) -> Document:
    """Return the commonest response of each error status by name, and refer to it."""
    used = [operation["responses"] for operation in operations]
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for responses in used:
        for status, response in responses.items():
            found[status][json.dumps(response)] += 1
    shared: Document = {}
    for status, counted in sorted(found.items()):
        written, times = counted.most_common(1)[0]
        if times == 1 or status in ("200", "204"):
            continue
        name = f"Problem{status}"
        shared[name] = json.loads(written)
        for responses in used:
            if json.dumps(responses.get(status)) == written:
                responses[status] = {"$ref": f"#/components/responses/{name}"}
    return shared


def _require(scope: KeyScope, operation: Document) -> None:
    """State the scope of an operation: OpenAPI 3.1 lists it as a role of the security scheme."""
    described = operation.get("description", "")
    operation["description"] = f"{described}\n\nRequires the scope `{scope}`.".strip()
    operation["security"] = [{"ApiKeyAuth": [scope.value], "ApiSecretAuth": []}]


def _schemas_of(model: type[BaseModel]) -> Document:
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    nested = schema.pop("$defs")
    return {**nested, model.__name__: schema}
