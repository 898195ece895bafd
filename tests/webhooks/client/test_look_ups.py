"""Names are looked up in DNS: both families, without threads, and never for longer than allowed."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from models.enums import WebhookFailureReason as Reason
from providers.webhooks.resolver import HostNotFound, look_up
from providers.webhooks.results import WebhookFailure
from tests.webhooks.client.receiver import Authority, Wires, client_of

NAME = "hooks.example.com."
Zone = Callable[[dns.message.QueryMessage], dns.message.Message | None]


class NameServer(asyncio.DatagramProtocol):
    """A name server that answers as its zone says; None is no answer."""

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.asked: list[str] = []
        self.many = asyncio.Event()
        """Set at the fiftieth question."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        assert isinstance(query, dns.message.QueryMessage)
        self.asked.append(query.question[0].to_text())
        if len(self.asked) == 50:
            self.many.set()
        answer = self.zone(query)
        if answer is not None:
            self._transport.sendto(answer.to_wire(), addr)


def records(**by_type: list[str]) -> Zone:
    """Return a zone in which every name has these records; `FAIL` is SERVFAIL."""

    def zone(query: dns.message.QueryMessage) -> dns.message.Message:
        answer = dns.message.make_response(query)
        asked = query.question[0]
        values = by_type.get(dns.rdatatype.to_text(asked.rdtype), [])
        if values == ["FAIL"]:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif values:
            answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", asked.rdtype, *values))
        return answer

    return zone


@asynccontextmanager
async def serving(zone: Zone) -> AsyncIterator[tuple[NameServer, dns.asyncresolver.Resolver]]:
    """Serve a zone on 127.0.0.1; yields the server and a resolver that asks it."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(zone), local_addr=("127.0.0.1", 0)
    )
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = ["127.0.0.1"]
    resolver.port = transport.get_extra_info("sockname")[1]
    resolver.search = [dns.name.from_text("inside.example.")]
    try:
        yield server, resolver
    finally:
        transport.close()


@pytest.mark.parametrize(
    ("zone", "addresses"),
    [
        (
            {"A": ["1.1.1.1", "8.8.8.8"], "AAAA": ["2606:4700::1"]},
            ["1.1.1.1", "8.8.8.8", "2606:4700::1"],
        ),
        ({"A": ["127.0.0.1"]}, ["127.0.0.1"]),
        ({"AAAA": ["2606:4700::1"]}, ["2606:4700::1"]),
        ({"A": ["1.1.1.1"], "AAAA": ["FAIL"]}, ["1.1.1.1"]),
        ({"A": ["FAIL"], "AAAA": ["2606:4700::1"]}, ["2606:4700::1"]),
    ],
)
async def test_a_name_has_the_addresses_of_both_families(
    zone: dict[str, list[str]], addresses: list[str]
) -> None:
    async with serving(records(**zone)) as (server, resolver):
        assert sorted(await look_up("hooks.example.com", lambda: resolver)) == sorted(addresses)
    assert set(server.asked) == {f"{NAME} IN A", f"{NAME} IN AAAA"}


async def test_an_alias_is_followed() -> None:
    def zone(query: dns.message.QueryMessage) -> dns.message.Message:
        answer = dns.message.make_response(query)
        asked = query.question[0]
        answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", "CNAME", "a.example.net."))
        if asked.rdtype == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text("a.example.net.", 60, "IN", "A", "10.0.0.1"))
        return answer

    async with serving(zone) as (_, resolver):
        assert await look_up("hooks.example.com", lambda: resolver) == ["10.0.0.1"]


@pytest.mark.parametrize("rcode", ["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED"])
async def test_a_name_without_addresses_is_not_found(rcode: str) -> None:
    def zone(query: dns.message.QueryMessage) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.set_rcode(dns.rcode.from_text(rcode))
        return answer

    async with serving(zone) as (server, resolver):
        with pytest.raises(HostNotFound):
            await look_up("hooks.example.com", lambda: resolver)
    assert set(server.asked) == {f"{NAME} IN A", f"{NAME} IN AAAA"}  # no search domain


async def test_a_machine_without_name_servers_finds_nothing() -> None:
    def broken() -> dns.asyncresolver.Resolver:
        raise dns.resolver.NoResolverConfiguration

    with pytest.raises(HostNotFound):
        await look_up("hooks.example.com", broken)


async def test_fifty_look_ups_without_an_answer_end_at_the_deadline_and_hold_no_thread(
    authority: Authority,
) -> None:
    before = threading.active_count()
    async with serving(lambda query: None) as (server, resolver):
        client = client_of(
            authority,
            Wires({}),
            resolve=partial(look_up, make_resolver=lambda: resolver),
            deadline=3,
        )
        posts = [
            asyncio.create_task(client.post(f"https://host{n}.example.com/", {}, b"{}", owner=1))
            for n in range(50)
        ]
        await asyncio.wait_for(server.many.wait(), 60)
        assert threading.active_count() == before
        ended = await asyncio.gather(*posts, return_exceptions=True)
    assert {each.reason for each in ended if isinstance(each, WebhookFailure)} == {Reason.TIMEOUT}
    assert all(isinstance(each, WebhookFailure) for each in ended)
