"""Decides which IP addresses a webhook may be sent to: globally routable unicast only.

The lists are those of IANA's special-purpose registries (RFC 6890). `ipaddress.is_global` is not
used: what it answers changed between versions of Python, and it accepts IPv4 addresses that are
embedded in IPv6 ones.
"""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final

IPAddress = IPv4Address | IPv6Address

_REFUSED_4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by carriers; metadata of Alibaba Cloud
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # metadata of Azure, in a public range
            "169.254.0.0/16",  # link-local; metadata of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # IETF protocol assignments; metadata of Oracle Cloud
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved; broadcast
        ),
    )
)
_UNICAST_6: Final = IPv6Network("2000::/3")
"""All that IANA has allocated as global unicast. Unique-local, link-local, site-local, multicast,
loopback, IPv4-mapped and IPv4-compatible addresses are outside.
"""
_REFUSED_6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocol assignments: Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which contains an IPv4 address
            "2620:4f:8000::/48",  # AS112
            "3ffe::/16",  # the former 6bone
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""The well-known prefix, which networks without IPv4 use for every IPv4 server (RFC 6052)."""


def is_public(address: IPAddress) -> bool:
    """Return whether an address is globally routable unicast.

    Of an address under NAT64's well-known prefix, the embedded IPv4 address decides. NAT64's local
    prefix (64:ff9b:1::/48), 6to4 and Teredo are refused whatever they embed.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_4)
    if address.scope_id is not None:
        return False
    if address in _NAT64:
        return is_public(IPv4Address(address.packed[-4:]))
    return address in _UNICAST_6 and not any(address in network for network in _REFUSED_6)


def may_receive(address: IPAddress, *, local: bool) -> bool:
    """Return whether webhooks may be sent to an address: a public one, or if `local` loopback."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return False  # some versions of Python call ::ffff:127.0.0.1 loopback
    return is_public(address) or (local and _is_loopback(address))


def _is_loopback(address: IPAddress) -> bool:
    scoped = isinstance(address, IPv6Address) and address.scope_id is not None
    return address.is_loopback and not scoped


def read_address(text: str) -> IPAddress | None:
    """Parse an address in its usual form; None for anything else."""
    try:
        return ip_address(text)
    except ValueError:
        return None
