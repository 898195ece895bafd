"""Credentials of SIP clients: usernames and passwords are derived; passwords are not stored."""

import hashlib
import hmac
from base64 import b32encode, b64encode
from dataclasses import dataclass, field
from datetime import datetime

_PASSWORD = "hexavox/sip-password/1"  # noqa: S105 - the name of a purpose
_TOKEN = "hexavox/browser-token/1"  # noqa: S105

_MIXED = "Hx1"
"""Vendors require both cases and a digit; this prefix satisfies them whatever the hash is."""

_PASSWORD_BYTES = 16


def username_of(tenant: int, merchant: int) -> str:
    """Return a merchant's SIP username: letters and digits, unique across realms.

    The public ids are written in hexadecimal because vendors allow at most 32 characters.
    """
    return f"t{tenant:x}m{merchant:x}"


def digest_ha1(username: str, realm: str, password: str) -> str:
    """Return HA1, which a registrar stores instead of a password (RFC 2617, 3.2.2.2).

    SIP clients require MD5 (RFC 3261, 22.4). The password has 128 random bits, so it cannot be
    guessed.
    """
    text = f"{username}:{realm}:{password}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class SipSecrets:
    """Derives passwords from the server secret, with a separate key per purpose."""

    def __init__(self, server_secret: str) -> None:
        self._secret = server_secret.encode()

    def password(self, *, tenant_id: int, user: int, version: int) -> str:
        """Return the password of one version of a credential; deterministic.

        `user` is the credential's public id, which is random: with the same secret, users of a new
        database do not get passwords of the previous one.
        """
        text = f"{tenant_id}\x1f{user}\x1f{version}"
        digest = hmac.new(self._key(_PASSWORD), text.encode(), hashlib.sha256).digest()
        drawn = b32encode(digest[:_PASSWORD_BYTES]).decode().rstrip("=").lower()
        return f"{_MIXED}{drawn}"

    @property
    def token_key(self) -> bytes:
        """Key that signs browser tokens."""
        return self._key(_TOKEN)

    def _key(self, purpose: str) -> bytes:
        return hmac.new(self._secret, purpose.encode(), hashlib.sha256).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnCredential:
    """Credential of a TURN server; its username contains the expiry time."""

    username: str
    credential: str = field(repr=False)


def turn_credential(secret: str, user: str, until: datetime) -> TurnCredential:
    """Return a time-limited TURN credential for servers with a shared secret.

    This is the REST scheme of coturn's `use-auth-secret`: the username begins with the expiry time
    in Unix seconds; the password is the base64 of HMAC-SHA1 over the username.
    """
    username = f"{int(until.timestamp())}:{user}"
    signed = hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()
    return TurnCredential(username=username, credential=b64encode(signed).decode())
