"""Looks up host names in DNS without threads, so that a slow name server delays nobody else.

`getaddrinfo` needs a thread for as long as it waits, and cannot be cancelled.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.name

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host name; raises HostNotFound."""

_LIFETIME_SECONDS: Final = 10.0


class HostNotFound(Exception):
    """The name has no address, or no name server answered."""


async def look_up(host: str) -> list[str]:
    """Return the IPv4, then the IPv6 addresses of a name, in the order of the answer.

    Asks the name servers of /etc/resolv.conf, which is read each time because it changes. The hosts
    file and search domains are not used: both are for names inside a network.
    """
    try:
        answers = await dns.asyncresolver.Resolver().resolve_name(
            dns.name.from_text(host), search=False, lifetime=_LIFETIME_SECONDS
        )
    except (dns.exception.DNSException, OSError):
        raise HostNotFound from None
    return sorted(answers.addresses(), key=lambda address: ":" in address)
