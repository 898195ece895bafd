"""Generates API keys and secrets, and the hashes that are stored of them."""

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256

_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A new key and secret; shown once, never stored."""

    key: str
    secret: str


def new_credentials() -> Credentials:
    """Generate a random key and secret of 256 bits each."""
    return Credentials(
        key=f"hxk_{secrets.token_urlsafe(_BYTES)}",
        secret=f"hxs_{secrets.token_urlsafe(_BYTES)}",
    )


def hash_credential(text: str) -> str:
    """Return the hash of a key or secret that is stored.

    A plain SHA-256 is enough for 256 random bits, which cannot be guessed: a slow hash would only
    cost CPU time.
    """
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def same_hash(one: str, other: str) -> bool:
    """Compare two hashes in constant time."""
    return hmac.compare_digest(one, other)
