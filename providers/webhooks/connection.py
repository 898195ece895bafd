"""Connects to checked addresses alone, and limits what is read from the connection."""

import asyncio
import ssl
from collections.abc import Sequence
from typing import Any, Final

import httpcore

from models.enums import WebhookFailureReason
from models.rules.webhooks.addresses import may_receive, read_address
from models.rules.webhooks.urls import WebhookTarget
from providers.webhooks.resolver import HostNotFound, Resolve
from providers.webhooks.results import WebhookFailure

_MOST_ADDRESSES: Final = 64
"""In one DNS answer."""
_ADDRESSES_TRIED: Final = 3
_CONNECT_SECONDS: Final = 4.0
_READ_BYTES: Final = 4 * 1024
"""What is parsed without a break, so that small chunks do not occupy the event loop."""


class AnswerTooLong(Exception):
    """The answer exceeds what may be read of it now."""


class BoundedStream(httpcore.AsyncNetworkStream):
    """A connection from which only so many bytes are read.

    Attributes:
        ended: whether the peer has closed the connection.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._left = 0
        self.ended = False

    def allow(self, size: int) -> None:
        """Set how many bytes may be read from now on."""
        self._left = size

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read a little; raises AnswerTooLong once the allowed bytes have been read."""
        if self._left <= 0:
            raise AnswerTooLong
        data = await self._stream.read(min(max_bytes, _READ_BYTES, self._left), timeout)
        self._left -= len(data)
        self.ended = not data
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of it."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close without waiting for the peer."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Not supported: the stream is wrapped after the handshake."""
        raise NotImplementedError

    def get_extra_info(self, info: str) -> Any:
        """Return a property of the connection."""
        return self._stream.get_extra_info(info)


async def checked_addresses(target: WebhookTarget, resolve: Resolve, *, local: bool) -> list[str]:
    """Resolve the host once and return its addresses.

    Raises WebhookFailure if there is none, or if a single one may not receive webhooks.
    """
    if target.address is not None:
        return [target.host]  # checked with the URL
    if target.is_loopback_name:
        return ["127.0.0.1", "::1"]
    try:
        found = await resolve(target.host)
    except (HostNotFound, OSError):
        raise WebhookFailure(WebhookFailureReason.DNS) from None
    if not 1 <= len(found) <= _MOST_ADDRESSES:
        raise WebhookFailure(WebhookFailureReason.DNS)
    addresses = [read_address(text) for text in found]
    if not all(address and may_receive(address, local=local) for address in addresses):
        raise WebhookFailure(WebhookFailureReason.ADDRESS_NOT_ALLOWED)
    return [str(address) for address in addresses]


async def connect(
    target: WebhookTarget,
    addresses: Sequence[str],
    backend: httpcore.AsyncNetworkBackend,
    ssl_context: ssl.SSLContext,
) -> BoundedStream:
    """Connect to the first address that accepts, with TLS for the host of an https URL.

    Only connecting is tried again, with the next address. Raises WebhookFailure.
    """
    stream = await _first(addresses, target.port, backend)
    if target.scheme == "http":
        return BoundedStream(stream)
    try:
        secure = await stream.start_tls(ssl_context, server_hostname=target.host)
    except (httpcore.ConnectError, ssl.SSLError):
        raise WebhookFailure(WebhookFailureReason.TLS) from None
    except BaseException:
        await stream.aclose()
        raise
    return BoundedStream(secure)


async def _first(
    addresses: Sequence[str], port: int, backend: httpcore.AsyncNetworkBackend
) -> httpcore.AsyncNetworkStream:
    reason = WebhookFailureReason.CONNECTION
    for address in addresses[:_ADDRESSES_TRIED]:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                return await backend.connect_tcp(address, port)
        except TimeoutError:
            reason = WebhookFailureReason.TIMEOUT
        except (httpcore.ConnectError, OSError):
            reason = WebhookFailureReason.CONNECTION
    raise WebhookFailure(reason)
