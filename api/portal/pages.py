"""Builds the developer portal: static text from files, everything else from the specification.

All pages are built at once: the guide and both downloads need the same specification.
"""

import json
from collections.abc import Iterator, Mapping
from html import escape
from mimetypes import guess_type
from pathlib import Path
from string import Template
from typing import Any, Final

import yaml

from api.http.prebuilt import Prebuilt
from api.http.public import PREFIX
from models import errors

_HERE = Path(__file__).parent
ASSETS = _HERE / "assets"

_HTML: Final = "text/html; charset=utf-8"
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
}

Document = dict[str, Any]


class _PlainDumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes no YAML aliases: some tools that read specifications do not support them."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return True, so that every value is written in full."""
        return True


def build_portal(document: Document, public_url: str) -> Mapping[str, Prebuilt]:
    """Build every page of the portal by path; `public_url` is the address of this server."""
    base_url = public_url.rstrip("/")
    described = {**document, "servers": [{"url": base_url, "description": "This server"}]}
    as_json = json.dumps(described, ensure_ascii=False, separators=(",", ":"))
    as_yaml = yaml.dump(
        described, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=100
    )
    swagger_ui = (_HERE / "swagger-ui.html").read_bytes()
    return {
        "/": Prebuilt.make(_guide(document, base_url).encode(), _HTML, _HEADERS),
        "/swagger-ui": Prebuilt.make(swagger_ui, _HTML, _HEADERS),
        "/v3/api-docs": Prebuilt.make(as_json.encode(), "application/json"),
        "/v3/api-docs.yaml": Prebuilt.make(as_yaml.encode(), "application/yaml"),
        **{f"/assets/{path.name}": _asset(path) for path in ASSETS.iterdir()},
    }


def _asset(path: Path) -> Prebuilt:
    kind = guess_type(path.name)[0] or "application/octet-stream"
    charset = "; charset=utf-8" if kind.startswith("text/") else ""
    return Prebuilt.make(path.read_bytes(), kind + charset)


def _guide(document: Document, base_url: str) -> str:
    page = Template((_HERE / "guide.html").read_text("utf-8"))
    return page.substitute(
        base_url=escape(base_url),
        prefix=PREFIX,
        version=escape(document["info"]["version"]),
        catalogue="".join(_catalogue(document)),
        errors="".join(_errors()),
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
    answered = _answered(operation["responses"])
    if "requestBody" not in operation:
        return f"<code>{answered}</code>"
    sent = _name(operation["requestBody"]["content"]["application/json"]["schema"])
    return f"<code>{sent}</code> → <code>{answered}</code>"


def _answered(responses: Document) -> str:
    if "204" in responses:
        return "204"
    media_type, content = next(iter(responses["200"]["content"].items()))
    is_json = media_type == "application/json"
    return _name(content["schema"]) if is_json else escape(media_type)


def _name(schema: Document) -> str:
    if schema.get("type") == "array":
        return f"{_name(schema['items'])}[]"
    if "oneOf" in schema:
        return " | ".join(map(_name, schema["oneOf"]))
    return escape(str(schema["$ref"]).rpartition("/")[2])


def _errors() -> Iterator[str]:
    for error in sorted(_every(errors.HexavoxError), key=lambda kind: (kind.status, kind.code)):
        yield (
            f'<tr id="{error.code}"><td>{error.status}</td><td><code>{error.code}</code></td>'
            f"<td>{escape(error.default_detail())}</td></tr>\n"
        )


def _every(kind: type[errors.HexavoxError]) -> Iterator[type[errors.HexavoxError]]:
    """Return all errors with a code; abstract classes share their code with a subclass."""
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
