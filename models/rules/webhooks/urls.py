"""Checks the URL of a webhook endpoint and parses it, once for the check and the connection."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import quote, urlsplit

import idna

from models.errors import ValidationFailed
from models.rules.webhooks.addresses import IPAddress, may_receive, read_address

LONGEST_URL: Final = 2048
"""In characters."""

_LONGEST_HOST: Final = 253
_PORTS: Final = {"https": 443, "http": 80}
_AUTHORITY: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A last label like this makes a host an IPv4 address for some parsers (WHATWG URL, 3.5)."""
_IN_PATH: Final = "/%:@!$&'()*+,;=~-._"
_IN_QUERY: Final = f'{_IN_PATH}?[]{{}}|^`"<>'
_LOOPBACK_NAME: Final = "localhost"
_PRIVATE_NAMES: Final = frozenset(
    (
        *("localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home"),
        *("lan", "home.arpa", "onion"),
    )
)
"""Top-level names that public DNS does not have (RFC 6761, 6762, 7686, 8375)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTarget:
    """A checked URL in parts.

    Attributes:
        host: lower-case ASCII name, or an IP address without brackets.
        address: the host if it is an IP address.
        path: path and query as sent.
    """

    scheme: str
    host: str
    address: IPAddress | None
    port: int
    path: str

    @property
    def host_header(self) -> str:
        """Value of the Host header: without the default port."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def is_loopback_name(self) -> bool:
        """Return whether the host is `localhost`, which is not looked up."""
        return self.host == _LOOPBACK_NAME


def check_webhook_url(url: str, *, local: bool) -> WebhookTarget:
    """Parse the URL of an endpoint; raises ValidationFailed for the field `url`.

    `local` is true for the local demo only: then http and loopback hosts are allowed too. What the
    name resolves to is checked before each delivery.
    """
    if len(url) > LONGEST_URL:
        raise _refused(f"must have at most {LONGEST_URL} characters")
    if not url.isprintable() or " " in url or "\\" in url:
        raise _refused("must not contain blanks, control characters or backslashes")
    if "#" in url:
        raise _refused("must have no fragment (#)")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _refused("is not a URL") from None
    if parts.scheme not in (_PORTS if local else ("https",)) or not parts.netloc:
        raise _refused("must start with https://" + (" or http://" if local else ""))
    if "@" in parts.netloc:
        raise _refused("must contain no credentials; verify the signature instead")
    authority = _AUTHORITY.fullmatch(parts.netloc)
    if authority is None:
        raise _refused("has no valid host, or no port from 1 to 65535")
    port = int(authority["port"] or _PORTS[parts.scheme])
    if not 1 <= port <= 65535:
        raise _refused("must have a port from 1 to 65535")
    host, address = _host(authority["host"], local=local)
    path = quote(parts.path or "/", safe=_IN_PATH)
    query = f"?{quote(parts.query, safe=_IN_QUERY)}" if parts.query else ""
    return WebhookTarget(
        scheme=parts.scheme, host=host, address=address, port=port, path=f"{path}{query}"
    )


def _host(given: str, *, local: bool) -> tuple[str, IPAddress | None]:
    """Return the host in ASCII, and the address that it is, if it is one."""
    if given.startswith("["):
        address = read_address(given[1:-1])
        if not isinstance(address, IPv6Address):
            raise _refused("has no valid IPv6 address in its brackets")
        return _checked(address, local=local)
    host = _ascii(given)
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        address = read_address(host)
        if address is None:
            raise _refused("must write an IPv4 address as four decimal numbers")
        return _checked(address, local=local)
    if len(host) > _LONGEST_HOST or not all(map(_LABEL.fullmatch, labels)):
        raise _refused("has no valid host name; write it without a dot at its end")
    if host == _LOOPBACK_NAME and local:
        return host, None
    if len(labels) == 1 or _is_private(labels):
        raise _refused("must name a public host")
    return host, None


def _ascii(given: str) -> str:
    """Return a host name in lower-case ASCII (IDNA 2008 with the mapping of UTS 46)."""
    try:
        if given.isascii():
            name = given.lower()
            for label in name.split("."):
                if label.startswith("xn--"):
                    idna.ulabel(label)
            return name
        return idna.encode(given, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise _refused("has no valid host name") from None


def _checked(address: IPAddress, *, local: bool) -> tuple[str, IPAddress]:
    if not may_receive(address, local=local):
        raise _refused("must not be a private, loopback, link-local or otherwise special address")
    return address.compressed, address


def _is_private(labels: list[str]) -> bool:
    return labels[-1] in _PRIVATE_NAMES or ".".join(labels[-2:]) in _PRIVATE_NAMES


def _refused(reason: str) -> ValidationFailed:
    return ValidationFailed(errors=(("url", reason),))
