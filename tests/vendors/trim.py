"""Reduces Twilio's OpenAPI descriptions to what our adapters use, in one file.

    python -m tests.vendors.trim [folder of the whole descriptions]

It keeps the operations named below with their parameters, bodies and responses, and the schemas
that they refer to. It drops prose, examples, response headers and Twilio's own extensions. It adds
what Prism needs: that a list in a form is a repeated field, as Twilio's prose states, and the
statuses of errors, which Twilio describes on separate pages.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
WHOLE: Final = HERE.parents[2] / "shared" / "specs"
TRIMMED: Final = HERE / "specs" / "twilio.json"

_ACCOUNT: Final = "/2010-04-01/Accounts/{AccountSid}"
_SIP: Final = f"{_ACCOUNT}/SIP"
_USA2P: Final = "/v1/Services/{MessagingServiceSid}/Compliance/Usa2p"

USED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "twilio_api_v2010.json": {
        f"{_ACCOUNT.replace('AccountSid', 'Sid')}.json": ("get",),
        f"{_ACCOUNT}/Addresses.json": ("get", "post"),
        f"{_ACCOUNT}/Addresses/{{Sid}}.json": ("post",),
        f"{_ACCOUNT}/AvailablePhoneNumbers/{{CountryCode}}/Local.json": ("get",),
        f"{_ACCOUNT}/AvailablePhoneNumbers/{{CountryCode}}/TollFree.json": ("get",),
        f"{_ACCOUNT}/IncomingPhoneNumbers.json": ("get", "post"),
        f"{_ACCOUNT}/IncomingPhoneNumbers/{{Sid}}.json": ("delete",),
        f"{_ACCOUNT}/Messages.json": ("get", "post"),
        f"{_ACCOUNT}/Messages/{{Sid}}.json": ("get",),
        f"{_SIP}/CredentialLists.json": ("get", "post"),
        f"{_SIP}/CredentialLists/{{CredentialListSid}}/Credentials.json": ("get", "post"),
        f"{_SIP}/CredentialLists/{{CredentialListSid}}/Credentials/{{Sid}}.json": (
            "post",
            "delete",
        ),
        f"{_SIP}/Domains/{{DomainSid}}/Auth/Calls/CredentialListMappings.json": ("get", "post"),
        f"{_SIP}/Domains/{{DomainSid}}/Auth/Registrations/CredentialListMappings.json": (
            "get",
            "post",
        ),
    },
    "twilio_messaging_v1.json": {
        "/v1/Services": ("get", "post"),
        "/v1/Services/{ServiceSid}/PhoneNumbers": ("post",),
        "/v1/Services/{ServiceSid}/PhoneNumbers/{Sid}": ("get", "delete"),
        "/v1/a2p/BrandRegistrations": ("get", "post"),
        "/v1/a2p/BrandRegistrations/{Sid}": ("get", "post"),
        _USA2P: ("get", "post"),
        f"{_USA2P}/{{Sid}}": ("get", "post", "delete"),
    },
    "twilio_trusthub_v1.json": {
        "/v1/CustomerProfiles": ("get", "post"),
        "/v1/CustomerProfiles/{Sid}": ("get", "post"),
        "/v1/CustomerProfiles/{CustomerProfileSid}/EntityAssignments": ("get", "post"),
        "/v1/CustomerProfiles/{CustomerProfileSid}/Evaluations": ("post",),
        "/v1/EndUsers": ("get", "post"),
        "/v1/EndUsers/{Sid}": ("post",),
        "/v1/SupportingDocuments": ("get", "post"),
        "/v1/SupportingDocuments/{Sid}": ("post",),
        "/v1/TrustProducts": ("get", "post"),
        "/v1/TrustProducts/{Sid}": ("get", "post"),
        "/v1/TrustProducts/{TrustProductSid}/EntityAssignments": ("get", "post"),
        "/v1/TrustProducts/{TrustProductSid}/Evaluations": ("post",),
    },
}

_ERRORS: Final = ("400", "401", "404", "409", "429")
_ERROR: Final[dict[str, Any]] = {
    "application/json": {
        "schema": {
            "type": "object",
            "required": ["code", "message", "status"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "status": {"type": "integer"},
            },
        }
    }
}

_PROSE: Final = frozenset({"description", "summary", "examples", "example", "externalDocs", "tags"})


def trimmed(whole: Path) -> dict[str, Any]:
    """Return one description of everything in `USED`.

    Raises:
        KeyError: a description lacks an operation that is used.
        ValueError: two descriptions define one name differently.
    """
    paths: dict[str, Any] = {}
    components: dict[str, dict[str, Any]] = {}
    for name, wanted in USED.items():
        document = json.loads((whole / name).read_text())
        kept = {
            path: {method: _operation(document["paths"][path][method]) for method in methods}
            for path, methods in wanted.items()
        }
        paths |= kept
        for kind, key in sorted(_needed(document, kept)):
            part = _bare(document["components"][kind][key])
            if components.setdefault(kind, {}).setdefault(key, part) != part:
                raise ValueError(f"{kind} {key} means two things")
    return {
        "openapi": "3.0.1",
        "info": {
            "title": "Twilio, as far as HexaVox asks it",
            "version": "1.0.0",
            "license": {
                "name": "Apache 2.0",
                "url": "https://www.apache.org/licenses/LICENSE-2.0.html",
            },
        },
        "paths": dict(sorted(paths.items())),
        "components": dict(sorted(components.items())),
        "security": [{"accountSid_authToken": []}],
    }


def _operation(whole: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = _bare(whole)
    for body in operation.get("requestBody", {}).get("content", {}).values():
        lists = {
            name: {"style": "form", "explode": True, "allowReserved": True}
            for name, schema in body["schema"]["properties"].items()
            if schema.get("type") == "array"
        }
        if lists:
            body["encoding"] = lists
    for answer in operation["responses"].values():
        answer["description"] = ""  # required by the format
    for status in _ERRORS:
        operation["responses"].setdefault(status, {"description": "", "content": _ERROR})
    return operation


def _bare(node: Any, *, names: bool = False) -> Any:
    """Return a part of a description without prose; the keys of `names` are names, not keywords."""
    if isinstance(node, list):
        return [_bare(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _bare(value, names=key == "properties" and not names)
        for key, value in node.items()
        if names or not (key in _PROSE or key.startswith("x-") or key == "headers")
    }


def _needed(document: dict[str, Any], kept: Any) -> set[tuple[str, str]]:
    """Return the components that the kept operations refer to, transitively."""
    found = {("securitySchemes", "accountSid_authToken")}
    waiting = [kept]
    while waiting:
        for reference in _references(waiting.pop()):
            _, _, kind, key = reference.split("/")
            if (kind, key) not in found:
                found.add((kind, key))
                waiting.append(_bare(document["components"][kind][key]))
    return found


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for item in node:
            yield from _references(item)


def main() -> None:
    """Write the reduced description beside this file."""
    whole = Path(sys.argv[1]) if len(sys.argv) > 1 else WHOLE
    TRIMMED.parent.mkdir(exist_ok=True)
    TRIMMED.write_text(json.dumps(trimmed(whole), indent=1) + "\n")


if __name__ == "__main__":
    main()
