"""Idempotency-Keys of the lines of a batch."""

from hashlib import sha256
from typing import Final

MAX_LINES: Final = 10_000
"""Most lines of a batch."""

_LONGEST_KEY: Final = 255
_HASHED: Final = "sha256:"

LONGEST_KEY_BASE: Final = _LONGEST_KEY - len(f"/{MAX_LINES}")
"""Most characters that the keys of lines may have in common, so that each key is short enough."""


def key_base(batch_key: str) -> str:
    """Return what the keys of a batch's lines begin with.

    It is the batch's Idempotency-Key, hashed if the lines' keys would be too long. A key that looks
    like a hash is hashed too, so that no two batches share one.
    """
    if len(batch_key) <= LONGEST_KEY_BASE and not batch_key.startswith(_HASHED):
        return batch_key
    return f"{_HASHED}{sha256(batch_key.encode()).hexdigest()}"


def line_key(base: str, line: int, own_key: str | None) -> str:
    """Return the Idempotency-Key of a line: its own, else `<key base>/<line>`."""
    return f"{base}/{line}" if own_key is None else own_key
