"""The portal's pages: what is general comes from files, what can go stale is generated."""

from collections.abc import Iterator
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import yaml

from api.public import PREFIX
from models import errors

_HERE = Path(__file__).parent
ASSETS = _HERE / "assets"

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

Document = dict[str, Any]


def guide(document: Document, base_url: str) -> str:
    """Return the developer guide for the server at this address."""
    page = Template((_HERE / "guide.html").read_text("utf-8"))
    return page.substitute(
        base_url=escape(base_url),
        prefix=PREFIX,
        version=escape(document["info"]["version"]),
        catalogue="".join(_catalogue(document)),
        errors="".join(_errors()),
    )


def swagger_ui() -> str:
    """Return the page of the interactive documentation."""
    return (_HERE / "swagger-ui.html").read_text("utf-8")


def specification(document: Document, base_url: str) -> Document:
    """Return the specification as downloaded from the server at this address."""
    return {**document, "servers": [{"url": base_url, "description": "This server"}]}


def specification_as_yaml(document: Document, base_url: str) -> str:
    """Return the same as YAML."""
    return yaml.safe_dump(
        specification(document, base_url), sort_keys=False, allow_unicode=True, width=100
    )


def _catalogue(document: Document) -> Iterator[str]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            purpose = operation["description"].split("\n")[0]
            yield (
                f'<tr><td><span class="method {method}">{method.upper()}</span></td>'
                f"<td><code>{escape(path)}</code></td><td>{escape(purpose)}</td>"
                f"<td>{_payload(operation)}</td></tr>\n"
            )


def _payload(operation: Document) -> str:
    ((media_type, content),) = operation["responses"]["200"]["content"].items()
    is_json = media_type == "application/json"
    answered = _name(content["schema"]) if is_json else escape(media_type)
    if "requestBody" not in operation:
        return f"<code>{answered}</code>"
    sent = _name(operation["requestBody"]["content"]["application/json"]["schema"])
    return f"<code>{sent}</code> → <code>{answered}</code>"


def _name(schema: Document) -> str:
    if schema.get("type") == "array":
        return f"{_name(schema['items'])}[]"
    if "oneOf" in schema:
        return " | ".join(map(_name, schema["oneOf"]))
    return escape(str(schema["$ref"]).rpartition("/")[2])


def _errors() -> Iterator[str]:
    for error in sorted(_every(errors.HexavoxError), key=lambda kind: (kind.status, kind.code)):
        meaning = (error.__doc__ or "").split("\n")[0]
        yield (
            f'<tr id="{error.code}"><td>{error.status}</td><td><code>{error.code}</code></td>'
            f"<td>{escape(meaning)}</td></tr>\n"
        )


def _every(kind: type[errors.HexavoxError]) -> Iterator[type[errors.HexavoxError]]:
    """Walk the tree; a class that only groups others shares its code with one of them."""
    seen: set[str] = set()
    waiting = [kind]
    while waiting:
        current = waiting.pop(0)
        children = current.__subclasses__()
        waiting += children
        if not children and current.code not in seen:
            seen.add(current.code)
            yield current
    if kind.code not in seen:
        yield kind
