"""An account at an SMTP relay, as the operator configures it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from models.configuration.setting_types import is_loopback
from providers.smtp.addresses import ascii_domain, split_address

_SHORTEST_KEY: Final = 1024
_LONGEST_KEY: Final = 4096
"""Bits of an RSA key (RFC 8301). A longer one would hold the interpreter's lock for too long."""

_LONGEST_BOUNCE_LOCAL: Final = 21
"""Characters of a local part that still leave room for `+` and a token of 42 (RFC 5321: 64)."""

_SELECTOR: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?", re.ASCII)
_HOST: Final = re.compile(r"[A-Za-z0-9_.:-]{1,253}", re.ASCII)


class Security(StrEnum):
    """How the connection to the relay is encrypted."""

    STARTTLS = "STARTTLS"
    """In plain text until STARTTLS, which is required (port 587)."""
    TLS = "TLS"
    """From the first byte (port 465)."""
    PLAIN = "PLAIN"
    """Never; only to this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DkimKey:
    """The private key with which the e-mails of a domain are signed.

    Raises ValueError if it is not an unencrypted RSA key in PEM form of 1024 to 4096 bits.
    """

    selector: str
    private_key: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _SELECTOR.fullmatch(self.selector):
            raise ValueError(
                "a DKIM selector has letters, digits, hyphens, underscores and dots only"
            )
        bits = _bits(self.pem)
        if not _SHORTEST_KEY <= bits <= _LONGEST_KEY:
            raise ValueError("a DKIM key must have 1024 to 4096 bits")

    @property
    def pem(self) -> bytes:
        """The key as dkimpy reads it: line feeds only."""
        return self.private_key.strip().replace("\r\n", "\n").encode()


def _bits(pem: bytes) -> int:
    # Imported here, because it takes long and most processes have no key.
    from dkim.crypto import UnparsableKeyError, parse_pem_private_key

    try:
        bits: int = parse_pem_private_key(pem)["modulus"].bit_length()
    except (UnparsableKeyError, ValueError, LookupError, TypeError):
        # without the cause, which may contain a part of the key
        raise ValueError("a DKIM key must be an unencrypted RSA private key in PEM form") from None
    return bits


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpAccount:
    """A relay, the credentials for it, and what is sent through it.

    Raises ValueError, without any secret in it, if a field is invalid.
    """

    name: str
    """Unique in this installation, at most 32 characters."""
    host: str
    port: int
    security: Security
    domains: frozenset[str]
    """Domains of the sender addresses that the relay accepts from this account."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    dkim: Mapping[str, DkimKey] = field(default_factory=dict, repr=False)
    """By sender domain. The relay is expected to sign the e-mails of other domains."""
    bounce_address: str | None = None
    """Where bounces arrive. A token is added to its local part: bounces+<token>@example.com."""
    timeout: timedelta = timedelta(seconds=30)
    """Of one e-mail. At most half of it passes before the content is written."""
    local_hostname: str | None = None
    """Our name in EHLO; by default that of this machine."""
    ca_file: Path | None = None
    """CA certificates in PEM form; by default those of the operating system."""

    def __post_init__(self) -> None:
        self._check_connection()
        _check_credentials(self.username, self.password)
        # Frozen: the normalized values replace those given.
        object.__setattr__(self, "domains", frozenset(map(ascii_domain, self.domains)))
        keys = {ascii_domain(domain): key for domain, key in self.dkim.items()}
        object.__setattr__(self, "dkim", MappingProxyType(keys))
        if not self.domains:
            raise ValueError("an SMTP account needs the domains of its senders")
        if keys.keys() - self.domains:
            raise ValueError("a DKIM key belongs to one of the account's sender domains")
        if self.bounce_address is not None:
            local, _ = split_address(self.bounce_address)
            if len(local) > _LONGEST_BOUNCE_LOCAL or not local.isascii() or "+" in local:
                raise ValueError(
                    f"the bounce address has at most {_LONGEST_BOUNCE_LOCAL} ASCII characters "
                    "before its @, none of them a plus sign"
                )

    def _check_connection(self) -> None:
        if not 1 <= len(self.name) <= 32:
            raise ValueError("the name of an account has 1 to 32 characters")
        if not _HOST.fullmatch(self.host) or not 1 <= self.port <= 65535:
            raise ValueError("host or port of the SMTP relay is invalid")
        if self.security is Security.PLAIN and not is_loopback(self.host):
            raise ValueError("SMTP without TLS is allowed only to this machine (loopback)")
        if self.timeout < timedelta(seconds=1):
            raise ValueError("the timeout of an SMTP account is at least one second")
        if self.local_hostname is not None and not _HOST.fullmatch(self.local_hostname):
            raise ValueError("the local host name of an SMTP account is invalid")


def _check_credentials(username: str | None, password: str | None) -> None:
    if (username is None) != (password is None):
        raise ValueError("an SMTP account has both user name and password, or neither")
    # AUTH PLAIN separates its fields by NUL (RFC 4616).
    if "\0" in f"{username}{password}":
        raise ValueError("user name and password of an SMTP account contain no NUL character")
