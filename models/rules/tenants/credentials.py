"""API keys and secrets: how they look, and what is kept of them."""

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256

_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A new pair; shown once, never stored."""

    key: str
    secret: str


def new_credentials() -> Credentials:
    """Draw a key and a secret nobody can guess."""
    return Credentials(
        key=f"hxk_{secrets.token_urlsafe(_BYTES)}",
        secret=f"hxs_{secrets.token_urlsafe(_BYTES)}",
    )


def hash_credential(text: str) -> str:
    """Return what is stored of a key or secret.

    A plain SHA-256 is enough for 256 random bits: there is nothing to guess, so slowness would
    only cost us.
    """
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def same_hash(one: str, other: str) -> bool:
    """Compare two hashes in constant time."""
    return hmac.compare_digest(one, other)
