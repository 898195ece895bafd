"""What a SIP client signs in with: names that tell their owner, passwords that nobody keeps."""

import hashlib
import hmac
from base64 import b32encode, b64encode
from dataclasses import dataclass, field
from datetime import datetime

_PASSWORD = "hexavox/sip-password/1"  # noqa: S105 - the name of a purpose
_TOKEN = "hexavox/browser-token/1"  # noqa: S105

_MIXED = "Hx1"
"""Vendors ask for both cases and a digit; so a password has them whatever the hash is."""

_PASSWORD_BYTES = 16


def username_of(tenant: int, merchant: int) -> str:
    """Return a merchant's SIP username: letters and digits, unique whatever the realm.

    The public ids are written in hexadecimal: vendors take 32 characters at most.
    """
    return f"t{tenant:x}m{merchant:x}"


def digest_ha1(username: str, realm: str, password: str) -> str:
    """Return what a registrar keeps in place of a password (RFC 2617, 3.2.2.2; RFC 3261, 22.4).

    MD5 is what SIP clients speak. The password has 128 random bits: there is nothing to guess.
    """
    text = f"{username}:{realm}:{password}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class SipSecrets:
    """Derives passwords from the server's secret, each purpose under a key of its own."""

    def __init__(self, server_secret: str) -> None:
        self._secret = server_secret.encode()

    def password(self, *, tenant_id: int, user: int, version: int) -> str:
        """Return the password of one version of a credential: the same whenever it is asked for.

        `user` is the credential's public id: in a database that was made anew, with the same
        secret, nobody gets a password that somebody else had in the former one.
        """
        text = f"{tenant_id}\x1f{user}\x1f{version}"
        digest = hmac.new(self._key(_PASSWORD), text.encode(), hashlib.sha256).digest()
        drawn = b32encode(digest[:_PASSWORD_BYTES]).decode().rstrip("=").lower()
        return f"{_MIXED}{drawn}"

    @property
    def token_key(self) -> bytes:
        """What browser tokens are signed with."""
        return self._key(_TOKEN)

    def _key(self, purpose: str) -> bytes:
        return hmac.new(self._secret, purpose.encode(), hashlib.sha256).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnCredential:
    """What a TURN server lets in until a moment that stands in the name."""

    username: str
    credential: str = field(repr=False)


def turn_credential(secret: str, user: str, until: datetime) -> TurnCredential:
    """Return a time-limited TURN credential, as servers with a shared secret read it.

    The REST scheme of coturn's `use-auth-secret`: the name begins with the moment it expires, in
    Unix seconds; the word is the base64 of HMAC-SHA1 over the name.
    """
    username = f"{int(until.timestamp())}:{user}"
    signed = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return TurnCredential(username=username, credential=b64encode(signed).decode())
