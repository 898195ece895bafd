"""Addresses that webhooks are sent to: globally routable unicast, and nothing near it."""

from ipaddress import ip_address

import pytest

from models.rules.webhooks.addresses import is_public, may_receive

PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "93.184.216.34", "100.63.255.255"),
    *("100.128.0.0", "126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17"),
    *("169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255"),
    *("192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0"),
    *("198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255"),
    *("2000::1", "2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1", "2001:db9::1"),
    *("2003::1", "2606:4700:4700::1111", "2a00:1450:4001::200e", "3ffd::1"),
    *("3fff:1000::1", "64:ff9b::8.8.8.8", "64:ff9b::5db8:d822"),
]
SPECIAL = [
    # this network, private, shared, loopback, link-local
    *("0.0.0.0", "0.0.0.1", "0.255.255.255", "10.0.0.0", "10.0.0.1", "10.255.255.255"),
    *("100.64.0.0", "100.100.100.200", "100.127.255.255", "127.0.0.0", "127.0.0.1", "127.1.2.3"),
    *("127.255.255.255", "169.254.0.0", "169.254.169.254", "169.254.170.2", "169.254.255.255"),
    *("172.16.0.0", "172.17.0.1", "172.31.255.255", "192.168.0.0", "192.168.255.255"),
    # protocol assignments, documentation, anycast services, benchmarks
    *("192.0.0.0", "192.0.0.9", "192.0.0.170", "192.0.0.192", "192.0.0.255", "192.0.2.0"),
    *("192.0.2.255", "192.31.196.1", "192.52.193.1", "192.88.99.0", "192.88.99.255"),
    *("192.175.48.1", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.255"),
    # multicast, reserved, broadcast; metadata in a public range
    *("224.0.0.0", "224.0.0.251", "239.255.255.255", "240.0.0.0", "255.255.255.254"),
    *("255.255.255.255", "168.63.129.16"),
    # IPv6: unspecified, loopback, IPv4-compatible, IPv4-mapped (private and public)
    *("::", "::1", "::2", "::7f00:1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1"),
    *("::ffff:10.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8", "::fffe:8.8.8.8"),
    # NAT64 of what is not public, and its local prefix whatever is in it
    *("64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::"),
    *("64:ff9b::100.64.0.1", "64:ff9b::168.63.129.16", "64:ff9b::255.255.255.255"),
    *("64:ff9b:0:0:0:1:808:808", "64:ff9b:1::10.0.0.1", "64:ff9b:1::8.8.8.8"),
    *("64:ff9b:1:ffff::1", "64:ff9b:2::8.8.8.8", "64:ff9a::8.8.8.8"),
    # Teredo, benchmarks, ORCHID, other protocol assignments
    *("2001::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe", "2001:1::1", "2001:2::1", "2001:3::1"),
    *("2001:4:112::1", "2001:10::1", "2001:20::1", "2001:1ff:ffff::1"),
    # documentation, 6to4, anycast services, 6bone
    *("2001:db8::1", "2001:db8:ffff::1", "3fff::1", "3fff:fff::1", "2002:7f00:1::", "2002::1"),
    *("2002:808:808::1", "2620:4f:8000::1", "3ffe::1", "3ffe:ffff::1"),
    # discard-only, segment routing, what is not allocated
    *("100::1", "100:0:0:1::1", "5f00::1", "4000::1", "8000::1", "e000::1", "1fff::1"),
    # unique-local, link-local, site-local, multicast; metadata of clouds
    *("fc00::1", "fd00:ec2::254", "fd20:ce::254", "fdff::1", "fe00::1", "fe80::1", "febf::1"),
    *("fec0::1", "feff::1", "ff00::1", "ff02::1", "ff0e::1", "ffff::1"),
    # scoped
    *("fe80::1%eth0", "::1%lo", "2606:4700:4700::1111%1"),
]
LOOPBACK = ["127.0.0.1", "127.0.0.0", "127.255.255.255", "::1"]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_receive(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", SPECIAL)
def test_a_special_address_may_not(address: str) -> None:
    assert not may_receive(ip_address(address), local=False)


@pytest.mark.parametrize("address", LOOPBACK)
def test_the_local_demo_may_use_loopback(address: str) -> None:
    assert may_receive(ip_address(address), local=True)
    assert not may_receive(ip_address(address), local=False)


@pytest.mark.parametrize(
    "address", [a for a in SPECIAL if a not in LOOPBACK and not a.startswith("127.")]
)
def test_the_local_demo_may_use_nothing_else(address: str) -> None:
    assert not may_receive(ip_address(address), local=True)
