"""The OpenAPI document of the public API."""

from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from api.http.auth import API_KEY_HEADER, SECRET_HEADER
from api.http.public import PREFIX
from api.http.specification.error_responses import complete_error_responses
from api.http.specification.parameters import complete_parameters
from api.http.specification.schemas import complete_schemas, schemas_of
from api.http.specification.texts import CONTACT, DESCRIPTION, LICENSE, TAGS
from api.schemas.batches import V1BatchSendRequest
from api.schemas.problems import Problem
from models.enums import KeyScope

Document = dict[str, Any]

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
"""Response headers; operations refer to them."""

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
        description=DESCRIPTION,
        contact=CONTACT,
        license_info=LICENSE,
        routes=app.routes,
        webhooks=app.webhooks.routes,
        tags=TAGS,
        servers=[{"url": "/", "description": "This server"}],
    )
    for path, methods in document["paths"].items():
        assert path.startswith(PREFIX), f"{path} must not be in the public specification"
        for method, operation in methods.items():
            _complete(method, operation)
            _require(scopes[f"{method.upper()} {path}"], operation)
    for operations in document["webhooks"].values():
        for operation in operations.values():
            operation["responses"].pop("422")  # FastAPI assumes that it validates the body
            operation["security"] = []  # it is sent to the integrator, with a signature
    _share(document)
    document["security"] = [{scheme: [] for scheme in _SECURITY}]
    return document


def _share(document: Document) -> None:
    """Complete the components, and let operations refer to what they share.

    Written out in each operation, it would be most of the document.
    """
    operations, events = (
        [each for methods in document[part].values() for each in methods.values()]
        for part in ("paths", "webhooks")
    )
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components: Document = {
        # No route declares the last two as FastAPI does.
        "schemas": {**schemas, **schemas_of(V1BatchSendRequest), **schemas_of(Problem)},
        "responses": {},
        "parameters": complete_parameters([*operations, *events]),
        "examples": {},
        "headers": _HEADERS,
        "securitySchemes": _SECURITY,
    }
    complete_error_responses(operations, components)
    complete_schemas(components["schemas"])
    document["components"] = components


def _complete(method: str, operation: Document) -> None:
    """Add the headers every operation has; remove the responses that FastAPI assumes."""
    responses = operation["responses"]
    if "application/json" in responses.get("422", {}).get("content", {}):
        responses["422"]["content"].pop("application/json")
        if not responses["422"]["content"]:
            responses.pop("422")
    success = responses["204" if "204" in responses else "200"]
    answered = success.get("content", {}).get("application/json", {"schema": {}})
    answered["schema"].pop("title", None)
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


def _require(scope: KeyScope, operation: Document) -> None:
    """State the scope of an operation.

    OpenAPI 3.1 could list it as a role of the security scheme; linters take that for a mistake.
    """
    described = operation.get("description", "")
    operation["description"] = f"{described}\n\nRequires the scope `{scope}`.".strip()
    operation["x-required-scope"] = scope.value
