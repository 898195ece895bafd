"""HTTP calls to the simulator, signed with the shared secret."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from models.rules.senders.sender_choice import SANDBOX
from providers import http
from providers.ports.messages import Ambiguous, NotProcessed
from providers.simulator.payloads import parse_json

HEADER: Final = "X-Simulator-Signature"

NOT_PROCESSED: Final = frozenset(
    {
        httpx.codes.UNAUTHORIZED,  # signed with another secret
        httpx.codes.MISDIRECTED_REQUEST,  # unknown host name
        httpx.codes.TOO_MANY_REQUESTS,
        httpx.codes.SERVICE_UNAVAILABLE,
    }
)
"""Statuses that the simulator returns only before it does anything."""


def signed(request: httpx.Request, secret: str | None) -> httpx.Request:
    """Add the signature over time, method, target and body, valid for five minutes.

    Without a secret the call stays unsigned, and the simulator refuses it.
    """
    if secret is not None:
        at = str(int(time.time()))
        head = f"{at}.{request.method} ".encode() + request.url.raw_path + b"\n"
        digest = hmac.new(secret.encode(), head + request.content, hashlib.sha256).hexdigest()
        request.headers[HEADER] = f"t={at},v1={digest}"
    return request


class SimulatorAdapter:
    """Base class of the simulator's adapters: URL and calls."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        *,
        timeout: timedelta,
        absence_window: timedelta,
        secret: str | None = None,
        name: str = SANDBOX,
    ) -> None:
        self.name = name
        self.account = name
        self.timeout = timeout
        self.absence_window = absence_window
        self._client = client
        self._secret = secret
        self._base_url = base_url.rstrip("/")

    async def _post(
        self,
        path: str,
        document: Mapping[str, Any],
        *,
        not_after: datetime,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response | NotProcessed | Ambiguous:
        """Post a request that must not be sent twice; nothing is written after `not_after`."""
        request = self._client.build_request(
            "POST", self._base_url + path, json=document, headers=headers
        )
        return await http.deliver(
            self._client,
            signed(request, self._secret),
            not_after=not_after,
            timeout=self.timeout,
        )

    async def _get(self, path: str, params: Mapping[str, str]) -> Any:
        """Return the document of a response.

        Raises:
            httpx.HTTPError: no response within the timeout, or an error status.
            ValueError: the response is not JSON.
        """
        request = self._client.build_request(
            "GET",
            self._base_url + path,
            params=dict(params),
            timeout=self.timeout.total_seconds(),
        )
        try:
            # The client's own timeout is that of each read, and a response may be many.
            async with asyncio.timeout(self.timeout.total_seconds()):
                response = await self._client.send(signed(request, self._secret))
        except TimeoutError as error:
            raise httpx.ReadTimeout("the whole call took too long") from error
        response.raise_for_status()
        return parse_json(response.content)
