"""How reports and webhooks are signed: HMAC-SHA256 over time and raw body."""

import hashlib
import hmac
import time

HEADER = "X-Simulator-Signature"


def signature(secret: str, body: bytes, timestamp: int | None = None) -> str:
    """Compute the header's value, `t=<unix seconds>,v1=<hex>`, for this moment by default."""
    t = int(time.time()) if timestamp is None else timestamp
    digest = hmac.digest(secret.encode(), b"%d." % t + body, hashlib.sha256).hex()
    return f"t={t},v1={digest}"
