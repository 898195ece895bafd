"""Access control of the simulator.

It shows all texts and signs webhooks to any address, so a web page in a user's browser must not be
able to use it. Every request is checked for its `Host`, its `Origin` and its content type. A call
of the vendor's API must also be signed, and one of the console must have the token. Reading needs
neither while the simulator listens on the loopback interface only. A webhook to a receiver needs
neither: its signature is stored, not required. `/healthz` is open.
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulator.answers import problem
from simulator.messages.vocabulary import Code
from simulator.signing import HEADER, verify_request

SHORTEST_SECRET: Final = 16
LARGEST_BODY: Final = 8 * 1024 * 1024
"""Bytes; the largest e-mail, HTML and text, with every character escaped."""
LARGEST_WEBHOOK: Final = 256 * 1024
"""Bytes of a body that a receiver of webhooks stores."""

_TOO_LARGE: Final = problem(413, Code.TOO_LARGE, "the body is too large")
_NO_TOKEN: Final = problem(
    401,
    Code.UNAUTHENTICATED,
    "Authorization must be: Bearer, and the value of HEXAVOX_SIMULATOR_TOKEN",
    {"WWW-Authenticate": "Bearer"},
)
_READS: Final = ("GET", "HEAD", "OPTIONS")
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{0,5})?")
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, kw_only=True)
class Access:
    """The secrets and the host names of the simulator.

    `bound_to` is the address it listens on, `url` the address that adapters use.
    """

    signing_secret: str
    token: str
    bound_to: str = "127.0.0.1"
    url: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a short secret."""
        if min(len(self.signing_secret), len(self.token)) < SHORTEST_SECRET:
            raise ValueError(f"a secret has {SHORTEST_SECRET} characters or more")

    @property
    def reading_is_open(self) -> bool:
        """Return whether only this machine can reach the simulator."""
        if self.bound_to == "localhost":
            return True
        try:
            return ip_address(self.bound_to).is_loopback
        except ValueError:
            return False

    @property
    def names(self) -> frozenset[str]:
        """Accepted host names, in lower case."""
        named = {self.bound_to, urlsplit(self.url or "").hostname or ""}
        return _LOOPBACK_NAMES | {name.lower() for name in named if name}

    def bears_token(self, headers: Headers) -> bool:
        """Return whether a request has the console's token."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        fits = hmac.compare_digest(given.strip().encode(), self.token.encode())
        return fits and scheme.lower() == "bearer"


class SameSite:
    """ASGI middleware for all routes: refuses requests from pages of other sites."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._names = access.names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle or refuse a request."""
        app = self._app
        if scope["type"] == "http" and scope["path"] != "/healthz":
            app = self._refusal(scope["method"], Headers(scope=scope)) or app
        await app(scope, receive, send)

    def _refusal(self, method: str, headers: Headers) -> ASGIApp | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _host_name(hosts[0]) not in self._names:
            return problem(421, Code.FORBIDDEN, "Host names another server")
        if not _same_site(method, hosts[0], headers):
            return problem(403, Code.FORBIDDEN, "a page of another site may ask nothing here")
        if method in _READS or (method == "DELETE" and not _has_body(headers)):
            return None
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != "application/json":
            return problem(415, Code.UNSUPPORTED, "the Content-Type must be application/json")
        return None


class VendorCall:
    """ASGI middleware of the vendor's API: requires a signature."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle or refuse a request; the body that was read is passed on."""
        headers = Headers(scope=scope)
        reading = scope["method"] in _READS
        if reading and (self._access.reading_is_open or self._access.bears_token(headers)):
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            await _TOO_LARGE(scope, receive, send)
            return
        target = scope["raw_path"] + (
            b"?" + scope["query_string"] if scope["query_string"] else b""
        )
        given = headers.get(HEADER, "")
        secret = self._access.signing_secret
        if not verify_request(secret, given, scope["method"], target, body):
            refusal = problem(401, Code.UNAUTHENTICATED, f"{HEADER} is missing, wrong or old")
            await refusal(scope, receive, send)
            return
        await self._app(scope, _again(body, receive), send)


class ConsoleCall:
    """ASGI middleware of the simulator's own API: requires the token for changes."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle or refuse a request."""
        open = scope["method"] in _READS and self._access.reading_is_open
        if not open and not self._access.bears_token(Headers(scope=scope)):
            await _NO_TOKEN(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            await _TOO_LARGE(scope, receive, send)
            return
        await self._app(scope, _again(body, receive), send)


class HookCall:
    """ASGI middleware of the receivers of webhooks: limits the body, requires no credentials."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle or refuse a request."""
        body = await _read(receive, LARGEST_WEBHOOK)
        if body is None:
            await _TOO_LARGE(scope, receive, send)
            return
        await self._app(scope, _again(body, receive), send)


def vendor_checks(access: Access) -> Sequence[Middleware]:
    """Return the middleware of the vendor's API."""
    return [Middleware(VendorCall, access)]


def console_checks(access: Access) -> Sequence[Middleware]:
    """Return the middleware of the console."""
    return [Middleware(ConsoleCall, access)]


def hook_checks() -> Sequence[Middleware]:
    """Return the middleware of the receivers of webhooks."""
    return [Middleware(HookCall)]


def _host_name(host: str) -> str:
    """Return the name in a Host header, in lower case; empty if missing."""
    found = _HOST.fullmatch(host)
    return "" if found is None else found[1].strip("[]").lower()


def _same_site(method: str, host: str, headers: Headers) -> bool:
    """Return whether a request comes from no page, from one of ours, or from a followed link.

    Browsers send the page's site in `Origin` whenever they send a body or would let the page read
    the response, and in `Sec-Fetch-Site` always.
    """
    own = {f"{scheme}://{host.lower()}" for scheme in ("http", "https")}
    if any(origin.lower() not in own for origin in headers.getlist("origin")):
        return False
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    return method in _READS and headers.get("sec-fetch-mode") == "navigate"


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def _read(receive: Receive, limit: int = LARGEST_BODY) -> bytes | None:
    """Read a body; None if it is too large, or if the client disconnected."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields the whole body once, then the messages that follow."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return waiting.pop() if waiting else await receive()

    return give
