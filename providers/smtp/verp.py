"""Envelope senders that name the attempt, so that bounces find it (VERP).

The token in the local part is `base32(attempt, mac)`. Its keyed hash covers the account's name, so
that nobody can make up bounces of other messages. Mail systems may change the case of a local part,
so the token has no case.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

from models.rules.messages.reference import Reference, parse_reference
from providers.smtp.addresses import split_address

SHORTEST_SECRET: Final = 16
"""Bytes of the secret."""

_SEPARATOR: Final = "+"
_ATTEMPT_BYTES: Final = 16
_MAC_BYTES: Final = 10
"""80 bits: a wrong token can only be tried by sending mails to us."""
_TOKEN_LENGTH: Final = 42
"""Characters of base32 for 26 bytes, without padding."""
_PADDING: Final = "=" * 6
_SINGLE: Final = 1 << 15
_LABEL: Final = b"hexavox smtp bounce\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class BouncedAttempt:
    """What a token names."""

    reference: str
    single: bool
    """The e-mail had one recipient, so a bounce is about this one, whatever address it names."""


class BounceAddresses:
    """Writes and reads the envelope senders of one account."""

    def __init__(self, account: str, bounce_address: str, secret: bytes) -> None:
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"the bounce secret must have at least {SHORTEST_SECRET} bytes")
        self._local, self._domain = split_address(bounce_address)
        self._label = _LABEL + account.encode() + b"\0"
        self._secret = secret

    def write(self, reference: str, *, recipients: int) -> str | None:
        """Return the envelope sender of an attempt; None if the reference is not one of ours."""
        named = parse_reference(reference)
        if named is None or str(named) != reference:
            return None
        attempt = named.attempt | (_SINGLE if recipients == 1 else 0)
        packed = b"".join(
            (
                named.tenant.to_bytes(7, "big"),
                named.message.to_bytes(7, "big"),
                attempt.to_bytes(2, "big"),
            )
        )
        token = base64.b32encode(packed + self._mac(packed)).decode().rstrip("=").lower()
        return f"{self._local}{_SEPARATOR}{token}@{self._domain}"

    def read(self, address: str) -> BouncedAttempt | None:
        """Return what the token of an address names; None without a valid token."""
        local, _, domain = address.strip().rpartition("@")
        base, _, token = local.partition(_SEPARATOR)
        ours = (self._local.lower(), self._domain)
        if (base.lower(), domain.lower()) != ours or len(token) != _TOKEN_LENGTH:
            return None
        try:
            raw = base64.b32decode(token.upper() + _PADDING)
        except (binascii.Error, ValueError):
            return None
        packed, mac = raw[:_ATTEMPT_BYTES], raw[_ATTEMPT_BYTES:]
        if not hmac.compare_digest(self._mac(packed), mac):
            return None
        attempt = int.from_bytes(packed[14:], "big")
        reference = Reference(
            tenant=int.from_bytes(packed[:7], "big"),
            message=int.from_bytes(packed[7:14], "big"),
            attempt=attempt & ~_SINGLE,
        )
        return BouncedAttempt(reference=str(reference), single=bool(attempt & _SINGLE))

    def _mac(self, packed: bytes) -> bytes:
        return hmac.new(self._secret, self._label + packed, hashlib.sha256).digest()[:_MAC_BYTES]
