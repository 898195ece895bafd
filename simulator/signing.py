"""Signatures of webhooks and of adapter calls: HMAC-SHA256 with one shared secret.

A webhook's signature covers time and body; that of a call also method and target. Neither can
replace the other, because no JSON document begins with a method.
"""

import hashlib
import hmac
import time
from typing import Final

HEADER: Final = "X-Simulator-Signature"
TOLERANCE_SECONDS: Final = 300
_LONGEST_TIME: Final = 12


def signature(secret: str, body: bytes, timestamp: int | None = None) -> str:
    """Compute the header's value, `t=<unix seconds>,v1=<hex>`, for this moment by default."""
    t = int(time.time()) if timestamp is None else timestamp
    return f"t={t},v1={_digest(secret, t, body)}"


def verify_request(secret: str, given: str, method: str, target: bytes, body: bytes) -> bool:
    """Return whether a call was signed with this secret at most five minutes ago.

    `target` is path and query as sent; the signed text is `t.METHOD target\\n` and the body.
    """
    fields = dict(part.partition("=")[::2] for part in given.split(","))
    t = fields.get("t", "")
    if not (t.isascii() and t.isdigit()) or len(t) > _LONGEST_TIME:
        return False
    if abs(time.time() - int(t)) > TOLERANCE_SECONDS:
        return False
    expected = _digest(secret, int(t), method.encode() + b" " + target + b"\n" + body)
    return hmac.compare_digest(expected.encode(), fields.get("v1", "").encode())


def _digest(secret: str, t: int, content: bytes) -> str:
    return hmac.digest(secret.encode(), b"%d." % t + content, hashlib.sha256).hex()
