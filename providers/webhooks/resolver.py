"""Looks up host names in DNS without threads, so that a slow name server delays nobody else.

`getaddrinfo` needs a thread for as long as it waits, and cannot be cancelled.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import dns.asyncresolver
import dns.exception
import dns.name

Resolve = Callable[[str], Awaitable[Sequence[str]]]
"""Returns the IP addresses of a host name; raises HostNotFound."""

_LIFETIME_SECONDS: Final = 5.0


class HostNotFound(Exception):
    """The name has no address, or no name server answered."""


async def look_up(
    host: str,
    make_resolver: Callable[[], dns.asyncresolver.Resolver] = dns.asyncresolver.Resolver,
) -> list[str]:
    """Return the IPv4, then the IPv6 addresses of a name, in the order of the answers.

    The default asks the name servers of /etc/resolv.conf, which is read each time because it
    changes. The hosts file and search domains are not used: both are for names inside a network.
    Both kinds are asked for at once; if there is no answer for one, the other is enough.
    """
    try:
        resolver = make_resolver()
        name = dns.name.from_text(host)  # absolute: no search domain is appended
    except (dns.exception.DNSException, OSError):
        raise HostNotFound from None
    found = await asyncio.gather(*(_records(resolver, name, kind) for kind in ("A", "AAAA")))
    addresses = [address for records in found for address in records]
    if not addresses:
        raise HostNotFound
    return addresses


async def _records(
    resolver: dns.asyncresolver.Resolver, name: dns.name.Name, kind: str
) -> list[str]:
    try:
        answer = await resolver.resolve(name, kind, lifetime=_LIFETIME_SECONDS)
    except (dns.exception.DNSException, OSError):
        return []
    return [record.address for record in answer]
