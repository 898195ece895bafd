"""Signs our calls to the simulator, as it signs its webhooks to us."""

import hashlib
import hmac
import time
from typing import Final

import httpx

HEADER: Final = "X-Simulator-Signature"

NOT_PROCESSED: Final = frozenset(
    {
        httpx.codes.UNAUTHORIZED,  # signed with another secret
        httpx.codes.MISDIRECTED_REQUEST,  # it does not go by that name
        httpx.codes.TOO_MANY_REQUESTS,
        httpx.codes.SERVICE_UNAVAILABLE,
    }
)
"""Answered only before the simulator does anything."""


def signed(request: httpx.Request, secret: str | None) -> httpx.Request:
    """Add the signature over time, method, target and body; it holds for five minutes.

    Without a secret the call stays unsigned, and the simulator refuses it.
    """
    if secret is not None:
        at = str(int(time.time()))
        head = f"{at}.{request.method} ".encode() + request.url.raw_path + b"\n"
        digest = hmac.new(secret.encode(), head + request.content, hashlib.sha256).hexdigest()
        request.headers[HEADER] = f"t={at},v1={digest}"
    return request
