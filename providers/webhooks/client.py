"""Sends webhooks to integrators' servers, whose URLs and answers are not trusted."""

import asyncio
import re
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic
from typing import Final

import httpcore
import httpx

from models.enums import WebhookFailureReason
from models.errors import ValidationFailed
from models.rules.webhooks.answers import EXCERPT_BYTES, excerpt, parse_retry_after
from models.rules.webhooks.urls import WebhookTarget, check_webhook_url
from providers.webhooks.connection import AnswerTooLong, BoundedStream, checked_addresses, connect
from providers.webhooks.resolver import Resolve, look_up
from providers.webhooks.results import WebhookBusy, WebhookFailure, WebhookResponse

DEADLINE_SECONDS: Final = 15.0
"""Of a whole request: look-up, connection, TLS, request and answer."""
CONNECTIONS: Final = 400
CONNECTIONS_PER_OWNER: Final = 100
CONNECTIONS_PER_HOST: Final = 40
"""Of one owner: what others do at the same host does not count."""
HEAD_BYTES: Final = 16 * 1024
"""Status line and headers of an answer, with all that precedes them (1xx)."""
BODY_BYTES: Final = 64 * 1024
"""Read of a body at most, with the framing of its chunks."""

_NAME: Final = re.compile(r"[A-Za-z0-9-]+")
_VALUE: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_OWN_HEADERS: Final = frozenset(
    ("host", "connection", "content-length", "transfer-encoding", "accept-encoding")
)
_DEFAULT_HEADERS: Final = {"content-type": "application/json", "user-agent": "HexaVox-Webhooks/1"}


class WebhookClient:
    """Posts to URLs of integrators; at most `connections` at once.

    At most `per_owner` of them are of one owner, and `per_host` of one owner to one host. There is
    no limit per host over all owners, because an owner could use it up for the others: it may name
    any host, also one with which many work.

    Each request has a connection of its own, so the address is checked each time, and no idle
    connection fails the next request. Nothing is shared that an endpoint could occupy but these
    limits. Redirects, proxies and cookies are not supported, and nothing is sent twice.
    """

    def __init__(
        self,
        *,
        local: bool,
        resolve: Resolve = look_up,
        ssl_context: ssl.SSLContext | None = None,
        backend: httpcore.AsyncNetworkBackend | None = None,
        deadline: float = DEADLINE_SECONDS,
        connections: int = CONNECTIONS,
        per_owner: int = CONNECTIONS_PER_OWNER,
        per_host: int = CONNECTIONS_PER_HOST,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._local = local
        self._resolve = resolve
        self._ssl_context = ssl_context or webhook_ssl_context()
        self._backend = backend or httpcore.AnyIOBackend()
        self._deadline = deadline
        self._connections = connections
        self._per_owner = per_owner
        self._per_host = per_host
        self._clock = clock
        self._owners: Counter[int] = Counter()
        self._hosts: Counter[tuple[int, str]] = Counter()

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, owner: int
    ) -> WebhookResponse:
        """Send one request, once; return any answer but a redirect.

        `owner` is the tenant that the endpoint belongs to, for the limits.

        Raises WebhookFailure if there is none within the deadline. Raises WebhookBusy, at once, if
        too many requests are open: then nothing was sent. Raises ValueError for a header that
        cannot be sent or that the client sets itself.
        """
        sent = _checked_headers(headers)
        started = monotonic()
        try:
            target = check_webhook_url(url, local=self._local)
            with self._slot(owner, target.host):
                async with asyncio.timeout(self._deadline):
                    return await self._exchange(target, sent, body, started)
        except ValidationFailed:
            reason, status = WebhookFailureReason.ADDRESS_NOT_ALLOWED, None
        except TimeoutError:
            reason, status = WebhookFailureReason.TIMEOUT, None
        except WebhookFailure as failure:
            reason, status = failure.reason, failure.status_code
        raise WebhookFailure(reason, duration_ms=_since(started), status_code=status)

    @contextmanager
    def _slot(self, owner: int, host: str) -> Iterator[None]:
        if (
            self._owners.total() >= self._connections
            or self._owners[owner] >= self._per_owner
            or self._hosts[owner, host] >= self._per_host
        ):
            raise WebhookBusy
        self._owners[owner] += 1
        self._hosts[owner, host] += 1
        try:
            yield
        finally:
            self._owners -= Counter([owner])  # drops what is zero
            self._hosts -= Counter([(owner, host)])

    async def _exchange(
        self, target: WebhookTarget, headers: dict[str, str], body: bytes, started: float
    ) -> WebhookResponse:
        addresses = await checked_addresses(target, self._resolve, local=self._local)
        stream = await connect(target, addresses, self._backend, self._ssl_context)
        try:
            status, given, text = await _answer(stream, _request(target, headers, body))
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
            raise WebhookFailure(_reason(error, stream)) from None
        finally:
            await stream.aclose()
        return WebhookResponse(
            status_code=status,
            duration_ms=_since(started),
            text=excerpt(text),
            retry_after=None if given is None else parse_retry_after(given, self._clock()),
        )


def webhook_ssl_context() -> ssl.SSLContext:
    """Return the usual certificate checks, for HTTP/1.1 alone.

    Reads all trusted authorities, which takes some 150 ms: once, before the process serves.
    """
    context = httpx.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _answer(
    stream: BoundedStream, request: httpcore.Request
) -> tuple[int, str | None, bytes]:
    """Return status, Retry-After and the first bytes of the body."""
    stream.allow(HEAD_BYTES)
    connection = httpcore.AsyncHTTP11Connection(request.url.origin, stream)
    try:
        response = await connection.handle_async_request(request)
    except AnswerTooLong:
        raise WebhookFailure(WebhookFailureReason.RESPONSE_TOO_LARGE) from None
    if 300 <= response.status <= 399:
        raise WebhookFailure(WebhookFailureReason.REDIRECT, status_code=response.status)
    if not 200 <= response.status <= 599:
        raise WebhookFailure(WebhookFailureReason.PROTOCOL)
    stream.allow(BODY_BYTES)
    kept = bytearray()
    try:
        async for chunk in response.aiter_stream():
            kept += chunk[: EXCERPT_BYTES - len(kept)]
    except AnswerTooLong:
        pass  # the status decides
    return response.status, _retry_after(response), bytes(kept)


def _retry_after(response: httpcore.Response) -> str | None:
    values = [value for name, value in response.headers if name.lower() == b"retry-after"]
    return values[0].decode("latin-1") if len(values) == 1 else None


def _reason(error: Exception, stream: BoundedStream) -> WebhookFailureReason:
    if isinstance(error, ssl.SSLError):
        return WebhookFailureReason.TLS
    if isinstance(error, httpcore.ProtocolError) and not stream.ended:
        return WebhookFailureReason.PROTOCOL
    return WebhookFailureReason.CONNECTION


def _request(target: WebhookTarget, headers: dict[str, str], body: bytes) -> httpcore.Request:
    complete = {
        "host": target.host_header,
        **_DEFAULT_HEADERS,
        **headers,
        "accept-encoding": "identity",
        "content-length": str(len(body)),
        "connection": "close",
    }
    url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    pairs = [(name.encode("ascii"), value.encode("ascii")) for name, value in complete.items()]
    return httpcore.Request("POST", url, headers=pairs, content=body)


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with lower-case names; the error does not contain the value."""
    checked = {name.lower(): value for name, value in headers.items()}
    for name, value in checked.items():
        if name in _OWN_HEADERS or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise ValueError(f"the header {name!r} cannot be sent")
    return checked


def _since(started: float) -> int:
    return round((monotonic() - started) * 1000)
