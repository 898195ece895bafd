"""The specification integrators download: the public contract and nothing else."""

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.alias_generators import to_camel

from api.http.auth import KEY_HEADER, SECRET_HEADER
from api.http.public import PREFIX
from api.schemas.problems import Problem

Document = dict[str, Any]

_DESCRIPTION = """\
Merchants, consent, messages by SMS, voice and e-mail, and the credits that pay for them.

**Authentication.** Every call carries `X-API-KEY` and `X-API-SECRET`.

**Idempotency.** Send an `Idempotency-Key` with every write. The same key with the same request is
one action, however often it arrives; the answer then carries `Idempotency-Replayed: true`. The
same key with another request is 422. A refused request (4xx) stores nothing. A 5xx or a broken
connection is always safe to retry with the same key.

**Errors** are `application/problem+json` (RFC 9457); program against `code`.

**Limits.** A body has at most 64 KiB, a send 384 KiB, an e-mail or a quote 4 MiB; it is sent
without `Content-Encoding`. Requests are limited per key and per tenant, in a second and at once:
`RateLimit-Policy` and `RateLimit` tell of the limit that binds first, and 429 carries
`Retry-After`. A body counts for one more request for each 256 KiB.

**Lists** are arrays. While there is more, a `Link: <…>; rel="next"` header names the next page.

**Times** are ISO 8601, UTC, with milliseconds and `Z`. Phone numbers are E.164;
in requests spaces and `( ) . - /` may stand between the digits, which are 0 to 9.
"""

_TAGS = [
    {"name": "Merchants", "description": "The businesses you send for."},
    {"name": "Consents", "description": "What recipients said about hearing from them."},
    {"name": "Messages", "description": "Sending, and reading what became of it."},
    {"name": "Email", "description": "Direct e-mail without the omni wrapper."},
    {"name": "Billing", "description": "Buying credits, and every movement of units."},
    {"name": "Alerts", "description": "What you are warned of."},
    {"name": "Reports", "description": "What was used, and what it costs."},
    {"name": "Voice", "description": "Calls with labels of the system that asks for them."},
    {
        "name": "Messaging",
        "description": "10DLC: who a merchant is to US carriers, what it sends, and from where.",
    },
]

_SECURITY = {
    "ApiKeyAuth": {"type": "apiKey", "in": "header", "name": KEY_HEADER},
    "ApiSecretAuth": {"type": "apiKey", "in": "header", "name": SECRET_HEADER},
}

_HEADERS: Document = {
    "X-Request-Id": {
        "description": "Name it when you ask us.",
        "schema": {"type": "string"},
    },
    "RateLimit": {
        "description": "Requests left (r) and seconds until all are back (t).",
        "schema": {"type": "string", "examples": ['"key";r=99;t=1']},
    },
    "RateLimit-Policy": {
        "description": "The limit that binds first, of the key or the tenant: requests (q) in a "
        "time (w seconds), or requests at once (`qu`).",
        "schema": {"type": "string", "examples": ['"key";q=100;w=2']},
    },
}
_REPLAYED: Document = {
    "Idempotency-Replayed": {
        "description": "`true` when this key had been answered before.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}
_LINK: Document = {
    "Link": {
        "description": 'The next page, `rel="next"`, while there is more (RFC 8288); '
        "relative to the address that was asked.",
        "schema": {"type": "string"},
    }
}


def install(app: FastAPI) -> None:
    """Give the application its specification; it is made once, when first asked for."""

    def specification() -> Document:
        if app.openapi_schema is None:
            app.openapi_schema = _specification(app)
        return app.openapi_schema

    app.openapi = specification  # type: ignore[method-assign]  # FastAPI's documented hook


def release() -> str:
    """The version of this installation."""
    try:
        return version("hexavox")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "0.1.0"


def operation_id(route: APIRoute) -> str:
    """Name an operation as SDK generators like it: sendSms, listMerchants."""
    return to_camel(route.name)


def _specification(app: FastAPI) -> Document:
    document: Document = get_openapi(
        title="HexaVox Public API",
        version=release(),
        summary="SMS, voice and e-mail on durable workflows, with exact money.",
        description=_DESCRIPTION,
        routes=app.routes,
        tags=_TAGS,
        servers=[{"url": "/", "description": "This server"}],
    )
    for path, methods in document["paths"].items():
        assert path.startswith(PREFIX), f"{path} must not be in the public specification"
        for method, operation in methods.items():
            _complete(method, operation)
    components = document["components"]
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["schemas"].update(_problem_schemas())
    for schema in components["schemas"].values():
        for field in schema.get("properties", {}).values():
            field.pop("title", None)  # the name again, in worse spelling
    components["securitySchemes"] = _SECURITY
    document["security"] = [{scheme: [] for scheme in _SECURITY}]
    return document


def _complete(method: str, operation: Document) -> None:
    """Add what every operation has, and take out what FastAPI supposes."""
    for parameter in operation.get("parameters", []):
        parameter["schema"].pop("title", None)
    responses = operation["responses"]
    if "application/json" in responses.get("422", {}).get("content", {}):
        responses["422"]["content"].pop("application/json")
        if not responses["422"]["content"]:
            responses.pop("422")
    success = responses["200"]
    answered = success["content"].get("application/json", {"schema": {}})
    is_list = answered["schema"].get("type") == "array"
    success["description"] = "Done."
    success["headers"] = {
        **_HEADERS,
        **(_REPLAYED if method in ("post", "delete") else {}),
        **(_LINK if is_list else {}),
    }
    for status in ("429", "503"):
        responses[status]["headers"] = {
            "Retry-After": {
                "description": "Seconds to wait before the next try.",
                "schema": {"type": "integer"},
            }
        }


def _problem_schemas() -> Document:
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    nested = schema.pop("$defs")
    return {**nested, "Problem": schema}
