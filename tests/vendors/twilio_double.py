"""A double of Twilio with the state that our adapters need.

It also plays the network: the response to a call can be lost, before or after its effect.
"""

import json
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import parse_qs

import httpx

ACCOUNT: Final = "AC" + "0a" * 16
TOKEN: Final = "for-tests-only-too"
PRIMARY: Final = "BU" + "0b" * 16
DOMAIN: Final = "SD" + "0c" * 16
AUTHORIZATION: Final = "Basic " + b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()

Document = dict[str, Any]
Form = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of resource: the prefix of its ids, its name in lists, and the defaults of a new
    one.
    """

    prefix: str
    listed: str
    fresh: Callable[[Form], Document]
    found_by: tuple[str, ...] = ()
    newest_first: bool = False


def one(form: Form, name: str) -> str | None:
    return form.get(name, [None])[0]


def flag(form: Form, name: str) -> bool:
    return one(form, name) == "true"


def bundle(form: Form) -> Document:
    return {
        "friendly_name": one(form, "FriendlyName"),
        "policy_sid": one(form, "PolicySid"),
        "email": one(form, "Email"),
        "status": "draft",
        "errors": [],
    }


def described(form: Form) -> Document:
    attributes = json.loads(one(form, "Attributes") or "{}")
    return {
        "friendly_name": one(form, "FriendlyName"),
        "type": one(form, "Type"),
        "attributes": attributes,
    }


def campaign(form: Form) -> Document:
    return {
        "brand_registration_sid": one(form, "BrandRegistrationSid"),
        "us_app_to_person_usecase": one(form, "UsAppToPersonUsecase"),
        "description": one(form, "Description"),
        "message_samples": form["MessageSamples"],
        "campaign_status": "IN_PROGRESS",
        "rate_limits": None,
        "errors": [],
    }


def message(form: Form) -> Document:
    now = format_datetime(datetime.now(UTC))
    return {
        "account_sid": ACCOUNT,
        "to": one(form, "To"),
        "from": one(form, "From"),
        "body": one(form, "Body"),
        "direction": "outbound-api",
        "status": "queued",
        "date_created": now,
        "date_updated": now,
        "date_sent": None,
        "error_code": None,
        "error_message": None,
        "num_segments": "1",
        "num_media": "0",
        "price": None,
        "price_unit": "USD",
    }


KINDS: Final[dict[str, Kind]] = {
    "CustomerProfiles": Kind("BU", "results", bundle, ("FriendlyName", "PolicySid")),
    "TrustProducts": Kind("BU", "results", bundle, ("FriendlyName", "PolicySid")),
    "EntityAssignments": Kind("BV", "results", lambda f: {"object_sid": one(f, "ObjectSid")}),
    "Evaluations": Kind("EL", "results", lambda _: {"status": "compliant", "results": []}),
    "EndUsers": Kind("IT", "results", described),
    "SupportingDocuments": Kind("RD", "results", lambda f: {**described(f), "status": "draft"}),
    "BrandRegistrations": Kind(
        "BN",
        "data",
        lambda f: {
            "customer_profile_bundle_sid": one(f, "CustomerProfileBundleSid"),
            "a2p_profile_bundle_sid": one(f, "A2PProfileBundleSid"),
            "brand_type": one(f, "BrandType"),
            "status": "PENDING",
            "brand_feedback": [],
            "errors": [],
        },
    ),
    "Services": Kind("MG", "services", lambda f: {"friendly_name": one(f, "FriendlyName")}),
    "PhoneNumbers": Kind("PN", "phone_numbers", lambda f: {"sid": one(f, "PhoneNumberSid")}),
    "Usa2p": Kind("QE", "compliance", campaign),
    "Addresses": Kind(
        "AD",
        "addresses",
        lambda f: {
            "friendly_name": one(f, "FriendlyName"),
            "street": one(f, "Street"),
            "iso_country": one(f, "IsoCountry"),
        },
        ("FriendlyName",),
    ),
    "IncomingPhoneNumbers": Kind(
        "PN",
        "incoming_phone_numbers",
        lambda f: {
            "phone_number": one(f, "PhoneNumber"),
            "friendly_name": one(f, "FriendlyName"),
        },
        ("FriendlyName", "PhoneNumber"),
    ),
    "CredentialLists": Kind(
        "CL",
        "credential_lists",
        lambda f: {
            "friendly_name": one(f, "FriendlyName"),
            "date_created": format_datetime(datetime.now(UTC)),
        },
    ),
    "Credentials": Kind("CR", "credentials", lambda f: {"username": one(f, "Username")}),
    "Messages": Kind("SM", "messages", message, ("To", "From"), newest_first=True),
    "CredentialListMappings": Kind(
        "CL", "contents", lambda f: {"sid": one(f, "CredentialListSid")}
    ),
}


@dataclass
class TwilioDouble:
    """Twilio's state, by the folder of a resource; `asked` contains every request."""

    folders: dict[str, list[Document]] = field(default_factory=dict)
    for_sale: list[Document] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    told: list[Form] = field(default_factory=list)
    """The forms of all calls that change something."""
    refuses: dict[str, tuple[int, Document]] = field(default_factory=dict)
    """End of a path → response to every POST there."""
    callbacks: dict[str, str] = field(default_factory=dict)
    """Id of a message → the address of its status callback."""
    status: str = "active"
    """Status of the account."""
    loses: str | None = None
    """"before": the next change never arrives; "after": its response never arrives."""

    def all(self, kind: str) -> list[Document]:
        """Return every resource of a kind, in any folder."""
        return [d for folder, found in self.folders.items() if _kind(folder) == kind for d in found]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Play network and Twilio, as httpx's transport."""
        trace = request.extensions.get("trace")
        if trace is not None:
            await trace("http11.send_request_headers.started", {})
        change, lost = request.method != "GET", self.loses
        if change:
            self.loses = None
        if change and lost == "before":
            raise httpx.ReadTimeout("lost")
        answer = self.answer(request.method, request.url, await request.aread(), request.headers)
        if change and lost == "after":
            raise httpx.ReadTimeout("lost")
        return answer

    def answer(
        self, method: str, url: httpx.URL, body: bytes, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Respond to one request."""
        if headers.get("Authorization") != AUTHORIZATION:
            return httpx.Response(401, json=_error(401, 20003, "Authenticate")[1])
        folder = url.path.removesuffix(".json")
        self.asked.append((method, folder))
        form = parse_qs(body.decode(), keep_blank_values=True)
        if method != "GET":
            self.told.append(form)
        refused = next((a for end, a in self.refuses.items() if folder.endswith(end)), None)
        if method == "POST" and refused is not None:
            return httpx.Response(refused[0], json=refused[1])
        status, document = self._carry_out(method, folder, url, form)
        return httpx.Response(status) if document is None else httpx.Response(status, json=document)

    def _carry_out(
        self, method: str, folder: str, url: httpx.URL, form: Form
    ) -> tuple[int, Document | None]:
        if folder == f"/2010-04-01/Accounts/{ACCOUNT}":
            return 200, {"sid": ACCOUNT, "status": self.status, "type": "Full"}
        if "/AvailablePhoneNumbers/" in folder:
            return 200, {"available_phone_numbers": self.for_sale}
        parent = folder.rpartition("/")[0]
        if _kind(folder) == "Credentials" and self._one("GET", parent, {})[0] != 200:
            return _error(404, 20404, "it was not found")
        if _kind(folder) in KINDS:
            return self._add(folder, form) if method == "POST" else (200, self._list(folder, url))
        return self._one(method, folder, form)

    def _add(self, folder: str, form: Form) -> tuple[int, Document]:
        kind = KINDS[_kind(folder)]
        found = self.folders.setdefault(folder, [])
        new = {"sid": kind.prefix + secrets.token_hex(16), **kind.fresh(form)}
        for unique in ("phone_number", "username"):
            if unique in new and any(d[unique] == new[unique] for d in found):
                return _error(400, 21422, "it is taken")
        if any(d["sid"] == new["sid"] for d in found):
            return _error(409, 21710, "it is in there")
        found.append(new)
        if "StatusCallback" in form:
            self.callbacks[new["sid"]] = form["StatusCallback"][0]
        return 201, new

    def _list(self, folder: str, url: httpx.URL) -> Document:
        kind, found = KINDS[_kind(folder)], self.folders.get(folder, [])
        for name in kind.found_by:
            if name in url.params:
                found = [d for d in found if d[_snake(name)] == url.params[name]]
        if kind.newest_first:
            found = found[::-1]
        size, page = int(url.params["PageSize"]), int(url.params.get("Page", 0))
        after = url.copy_set_param("Page", page + 1) if len(found) > size * (page + 1) else None
        following = None if after is None else str(after)
        shown = found[size * page : size * (page + 1)]
        if url.path.startswith("/2010"):
            return {kind.listed: shown, "next_page_uri": following}
        return {kind.listed: shown, "meta": {"next_page_url": following, "key": kind.listed}}

    def _one(self, method: str, path: str, form: Form) -> tuple[int, Document | None]:
        folder, _, sid = path.rpartition("/")
        found = next((d for d in self.folders.get(folder, []) if d["sid"] == sid), None)
        if found is None:
            return _error(404, 20404, "it was not found")
        if method == "DELETE":
            self.folders[folder].remove(found)
            return 204, None
        if method == "POST":
            self._change(_kind(folder), found, form)
            return (202 if _kind(folder) == "BrandRegistrations" else 200), found
        return 200, found

    def _change(self, kind: str, found: Document, form: Form) -> None:
        if "Status" in form:
            found["status"] = one(form, "Status")
        if "Attributes" in form:
            found["attributes"] = json.loads(form["Attributes"][0])
        if kind == "BrandRegistrations":
            found["status"] = "PENDING"
        if kind == "Usa2p":
            found |= {"campaign_status": "IN_PROGRESS", "description": one(form, "Description")}


def _kind(folder: str) -> str:
    return folder.rpartition("/")[2]


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _error(status: int, code: int, message: str) -> tuple[int, Document]:
    return status, {"code": code, "message": message, "status": status}
