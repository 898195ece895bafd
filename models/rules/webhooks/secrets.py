"""Secrets of webhook endpoints: derived from the server's webhook key, stored nowhere."""

import hmac
import re
from base64 import b64decode, b64encode
from typing import Final

KEY_BYTES: Final = 32
"""Least length of the webhook key: the output length of its hash (RFC 2104, section 3)."""

PREFIX: Final = "whsec_"
SHORTEST_SECRET: Final = 24
LONGEST_SECRET: Final = 64
"""In bytes, as Standard Webhooks limits them."""

_LABEL: Final = b"hexavox/webhook-secret/1"
_LINE: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")


class BadWebhookKey(ValueError):
    """The text is not one line of base64 with 32 bytes or more."""


class BadWebhookSecret(ValueError):
    """The text is not `whsec_` and the base64 of 24 to 64 bytes."""


def read_webhook_key(text: str) -> bytes:
    """Read the content of a key file; raises BadWebhookKey."""
    line = text.strip()
    if _LINE.fullmatch(line) is None:
        raise BadWebhookKey
    try:
        key = b64decode(line, validate=True)
    except ValueError:  # also for what is not ASCII
        raise BadWebhookKey from None
    if len(key) < KEY_BYTES:
        raise BadWebhookKey
    return key


def derive_secret(key: bytes, endpoint: str, version: int) -> str:
    """Return the secret of one version of an endpoint, `whsec_…`; deterministic.

    `endpoint` is its public id, which is random. HMAC-SHA256 over a label, the length of the id,
    the id and the version, so that no two inputs are encoded alike. Raises BadWebhookKey for a
    short key.
    """
    if len(key) < KEY_BYTES:
        raise BadWebhookKey
    name = endpoint.encode()
    encoded = b"\x1f".join((_LABEL, b"%d" % len(name), name, b"%d" % version))
    return PREFIX + b64encode(hmac.digest(key, encoded, "sha256")).decode()


def secret_bytes(secret: str) -> bytes:
    """Return the key that a secret contains; raises BadWebhookSecret."""
    if not secret.startswith(PREFIX):
        raise BadWebhookSecret
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:  # also for what is not ASCII
        raise BadWebhookSecret from None
    if not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        raise BadWebhookSecret
    return key
