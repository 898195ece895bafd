"""E-mail addresses as SMTP commands and headers carry them."""

import re
from typing import Final

import idna

_ATOM: Final = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
_LOCAL: Final = re.compile(rf"(?=.{{1,64}}$){_ATOM}(\.{_ATOM})*")
"""Unquoted local part (RFC 5321 Dot-string, RFC 6531): nothing that could end a command."""
_DOMAIN: Final = re.compile(r"[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*", re.ASCII)
_LONGEST_DOMAIN: Final = 253


def ascii_domain(domain: str) -> str:
    """Return a domain in lower case and in its DNS form (IDNA 2008); raises ValueError."""
    try:
        # IDNA takes time quadratic in the length of a label.
        if len(domain) > _LONGEST_DOMAIN:
            raise ValueError("too long")
        text = domain if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except (UnicodeError, ValueError):  # IDNAError is a UnicodeError
        text = ""
    if not _DOMAIN.fullmatch(text) or len(text) > _LONGEST_DOMAIN:
        raise ValueError("the domain of an e-mail address is invalid")
    return text.lower()


def split_address(address: str) -> tuple[str, str]:
    """Return local part and ASCII domain of an address; raises ValueError.

    The message does not contain the address.
    """
    local, at, domain = address.rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or not local.isprintable():
        raise ValueError("an e-mail address is invalid")
    return local, ascii_domain(domain)


def wire_address(address: str) -> str:
    """Return an address with its domain in ASCII; raises ValueError if it is invalid.

    Only its local part may still need SMTPUTF8.
    """
    return "@".join(split_address(address))
