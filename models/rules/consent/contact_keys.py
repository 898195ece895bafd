"""Keyed hashes (HMAC-SHA256) of contacts and requests, which the database stores and compares.

There are few enough phone numbers to try all, so an unkeyed hash would reveal the number. A copy of
the database without the key file reveals no contact outside the contact columns.
"""

import hmac
import re
from base64 import b64decode
from binascii import Error as NotBase64
from typing import Final

from models.enums import Channel
from models.errors import InvalidPhoneNumber
from models.rules.consent.contacts import merged_contact
from models.rules.consent.reported_numbers import reported_e164

SECRET_BYTES: Final = 32
"""Least length of the secret: the output length of its hash (RFC 2104, section 3)."""

_LINE: Final = re.compile(r"([1-9][0-9]{0,3}):([A-Za-z0-9+/]+={0,2})")
_PHONE: Final = "phone"
_EMAIL: Final = "email"
_NO_NUMBER: Final = "sender"


class BadContactKey(ValueError):
    """The text is not one line `version:base64` with a secret of 32 bytes or more."""


class ContactKeys:
    """Makes the contact keys and request fingerprints of one installation (HMAC-SHA256).

    A contact key is `version.hex`: 64 hexadecimal digits behind the version of the secret.
    """

    def __init__(self, version: int, secret: bytes) -> None:
        if len(secret) < SECRET_BYTES:
            raise BadContactKey
        self.version = version
        # Separate derived secrets per purpose, so that hashes of different purposes never match.
        self._contacts = _derived(secret, "contact")
        self._requests = _derived(secret, "request")
        self._check = _derived(secret, "check")

    @classmethod
    def parse(cls, text: str) -> "ContactKeys":
        """Read the content of a key file; raises BadContactKey."""
        match = _LINE.fullmatch(text.strip())
        if match is None:
            raise BadContactKey
        try:
            secret = b64decode(match[2], validate=True)
        except NotBase64 as error:
            raise BadContactKey from error
        return cls(int(match[1]), secret)

    def key(self, channel: Channel, contact: str) -> str:
        """Return the key of a contact; equal for all spellings of one contact.

        SMS and voice share the keys of phone numbers. Raises InvalidPhoneNumber.
        """
        kind = _EMAIL if channel is Channel.EMAIL else _PHONE
        text = f"{kind}\x1f{merged_contact(channel, contact)}"
        return f"{self.version}.{_hexadecimal(self._contacts, text)}"

    def key_of_any(self, contact: str) -> str:
        """Return the key of a contact of either kind: one with an @ is an e-mail address."""
        return self.key(Channel.EMAIL if "@" in contact else Channel.SMS, contact)

    def key_of_sender(self, sender: str) -> str:
        """Return the key of the sender of a text: of its number, else of the text as it is.

        A number may lack its plus sign (`reported_numbers`). Short codes and alphanumeric names
        cannot be recipients, so no contact has such a key.
        """
        try:
            return self.key(Channel.SMS, reported_e164(sender))
        except InvalidPhoneNumber:
            text = f"{_NO_NUMBER}\x1f{sender}"
            return f"{self.version}.{_hexadecimal(self._contacts, text)}"

    def fingerprint(self, text: str) -> str:
        """Return the fingerprint of a request: 64 hexadecimal digits."""
        return _hexadecimal(self._requests, text)

    @property
    def check_value(self) -> str:
        """Value that identifies this secret without revealing it."""
        return _hexadecimal(self._check, "check")

    def __repr__(self) -> str:
        return f"ContactKeys(version={self.version})"


def _derived(secret: bytes, purpose: str) -> bytes:
    return hmac.digest(secret, f"hexavox {purpose}".encode(), "sha256")


def _hexadecimal(secret: bytes, text: str) -> str:
    return hmac.digest(secret, text.encode("utf-8", "surrogatepass"), "sha256").hex()
