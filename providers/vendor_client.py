"""The HTTP client of all vendors: httpx's requests and responses over connections of httpcore.

httpx's own way from a request to a connection costs more than the exchange itself: redirects,
cookies, authentication and hooks, which no vendor needs, and a pool that checks every connection
before and after every call.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import httpcore
import httpx

_KEEP_SECONDS: Final = 5.0
"""How long an idle connection is kept."""

_Origin: TypeAlias = tuple[bytes, bytes, int | None]


class VendorClient(httpx.AsyncClient):
    """Sends each request once, on one connection, without redirects, cookies or authentication."""

    def __init__(
        self, *, timeout: httpx.Timeout, connections: int, kept: int, ssl_context: ssl.SSLContext
    ) -> None:
        self._kept = KeptConnections(connections=connections, kept=kept, ssl_context=ssl_context)
        super().__init__(transport=self._kept, timeout=timeout, trust_env=False)

    async def send(
        self, request: httpx.Request, *, stream: bool = False, **_: Any
    ) -> httpx.Response:
        """Send a request; with `stream` the caller closes the response.

        Raises httpx.TransportError.
        """
        response = await self._kept.handle_async_request(request)
        response.request = request
        if stream:
            return response
        try:
            await response.aread()
        except BaseException:
            await response.aclose()
            raise
        return response


class KeptConnections(httpx.AsyncBaseTransport):
    """Connections by origin, of which the most recently used one is taken first.

    At most `connections` are in use, and `kept` of each origin are kept idle.
    """

    def __init__(self, *, connections: int, kept: int, ssl_context: ssl.SSLContext) -> None:
        self._slots = asyncio.Semaphore(connections)
        self._kept = kept
        self._ssl_context = ssl_context
        self._idle: dict[_Origin, deque[httpcore.AsyncHTTPConnection]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Make one exchange; the response is read by the caller. Raises httpx.TransportError."""
        url = request.url
        origin = (url.raw_scheme, url.raw_host, url.port)
        passed_on = httpcore.Request(
            request.method,
            httpcore.URL(scheme=origin[0], host=origin[1], port=origin[2], target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        if url.scheme not in ("http", "https"):
            raise httpx.UnsupportedProtocol("neither http nor https")
        await self._take_slot(request.extensions.get("timeout", {}).get("pool"))
        connection = None
        try:
            connection = await self._connection(origin, passed_on.url.origin)
            with _httpx_errors():
                response = await connection.handle_async_request(passed_on)
        except BaseException:
            self._slots.release()
            if connection is not None:
                await connection.aclose()
            raise
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Body(self, origin, connection, response),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close all idle connections."""
        while self._idle:
            _, connections = self._idle.popitem()
            for connection in connections:
                await connection.aclose()

    async def give_back(self, origin: _Origin, connection: httpcore.AsyncHTTPConnection) -> None:
        """Keep a connection whose response was read to its end, or close it."""
        self._slots.release()
        idle = self._idle.setdefault(origin, deque())
        if not connection.is_idle():
            await connection.aclose()
            return
        idle.append(connection)
        if len(idle) > self._kept or idle[0].has_expired():
            await idle.popleft().aclose()

    async def _take_slot(self, patience: float | None) -> None:
        try:
            async with asyncio.timeout(patience):
                await self._slots.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout("too many calls are under way") from None

    async def _connection(
        self, key: _Origin, origin: httpcore.Origin
    ) -> httpcore.AsyncHTTPConnection:
        """Return the connection that was used last and is still open, or a new one."""
        idle = self._idle.get(key)
        while idle:
            connection = idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            origin, ssl_context=self._ssl_context, keepalive_expiry=_KEEP_SECONDS
        )


class _Body(httpx.AsyncByteStream):
    """The body of a response; closing it gives its connection back."""

    def __init__(
        self,
        pool: KeptConnections,
        origin: _Origin,
        connection: httpcore.AsyncHTTPConnection,
        response: httpcore.Response,
    ) -> None:
        self._pool = pool
        self._origin = origin
        self._connection = connection
        self._response = response
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for chunk in self._response.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            await self._response.aclose()
        finally:
            await self._pool.give_back(self._origin, self._connection)


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """Raise httpx's error of the same name for one of httpcore."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error
