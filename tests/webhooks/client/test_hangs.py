"""A request ends at its deadline wherever it hangs, and hanging hosts occupy nobody else."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from models.enums import WebhookFailureReason as Reason
from providers.webhooks.client import WebhookClient
from providers.webhooks.results import WebhookBusy, WebhookFailure
from tests.webhooks.client.receiver import (
    HOST,
    OK,
    PUBLIC,
    Act,
    Authority,
    Names,
    Talk,
    Wires,
    answer,
    client_of,
    raw,
    receiving,
)

DEADLINE = 0.5
LATE = 10_000
"""Milliseconds: twenty deadlines, because the machine may be busy."""


async def hang(talk: Talk) -> None:
    await talk.hang()


def dripping(*parts: bytes, drop: bytes) -> Act:
    """Return an act that writes some bytes, then one drop after the other for ever."""

    async def act(talk: Talk) -> None:
        await talk.send(*parts)
        while not talk.gone.is_set():
            await talk.send(drop)
            await asyncio.sleep(0.02)

    return act


async def timed_out(client: WebhookClient, url: str, body: bytes = b"{}") -> None:
    with pytest.raises(WebhookFailure) as caught:
        await client.post(url, {}, body, owner=1)
    assert caught.value.reason is Reason.TIMEOUT
    assert DEADLINE * 1000 - 50 <= caught.value.duration_ms < LATE


@pytest.mark.parametrize(
    "act",
    [
        hang,
        dripping(drop=b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\n", drop=b"a: b\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\na: ", drop=b"x"),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n", drop=b"x"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", drop=b"x"),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", drop=b"1\r\nx\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", drop=b""),
    ],
)
async def test_an_answer_must_be_complete_by_the_deadline(authority: Authority, act: Act) -> None:
    async with receiving(act, authority.server(HOST)) as receiver:
        client = client_of(authority, Wires({PUBLIC: receiver.port}), deadline=DEADLINE)
        await timed_out(client, f"https://{HOST}/")
    assert receiver.connections == 1


async def test_a_server_that_does_not_read_the_request_ends_at_the_deadline() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(30)

    async with raw(deaf) as port:
        client = WebhookClient(local=True, deadline=DEADLINE)
        await timed_out(client, f"http://127.0.0.1:{port}/", b"x" * 20_000_000)


@pytest.mark.parametrize("greeting", [b"", b"\x16\x03\x03\x40\x00\x02"])
async def test_a_handshake_that_hangs_ends_at_the_deadline(
    authority: Authority, greeting: bytes
) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await asyncio.sleep(30)

    async with raw(stall) as port:
        client = client_of(authority, Wires({PUBLIC: port}), deadline=DEADLINE)
        await timed_out(client, f"https://{HOST}/")


@asynccontextmanager
async def full() -> AsyncIterator[int]:
    """A port that takes no more connections: neither refused nor accepted (Linux)."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listening.getsockname())
        try:
            yield listening.getsockname()[1]
        finally:
            for each in waiting:
                each.close()


async def test_a_connection_that_hangs_ends_at_the_deadline() -> None:
    async with full() as port:
        await timed_out(WebhookClient(local=True, deadline=DEADLINE), f"http://127.0.0.1:{port}/")


async def test_a_look_up_that_hangs_ends_at_the_deadline(authority: Authority) -> None:
    async def never(host: str) -> Sequence[str]:
        await asyncio.sleep(30)
        return [PUBLIC]

    client = client_of(authority, Wires({}), resolve=never, deadline=DEADLINE)
    await timed_out(client, f"https://{HOST}/")


async def test_a_hanging_host_uses_up_its_own_connections_alone(authority: Authority) -> None:
    tls = authority.server(HOST, "other.example.com")
    async with receiving(hang, tls) as deaf, receiving(answer(OK), tls) as well:
        names = Names(hooks_example_com=[["1.1.1.1"]], other_example_com=[[PUBLIC]])
        wires = Wires({"1.1.1.1": deaf.port, PUBLIC: well.port})
        client = client_of(authority, wires, resolve=names, per_host=3, connections=5)
        hanging = [
            asyncio.create_task(client.post(f"https://{HOST}:{8000 + n}/", {}, b"{}", owner=1))
            for n in range(3)
        ]
        await deaf.until_heard(3)
        with pytest.raises(WebhookBusy):
            await client.post(f"https://{HOST}/", {}, b"{}", owner=1)
        assert (await client.post("https://other.example.com/", {}, b"{}", owner=1)).succeeded
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        deaf.act = answer(OK)
        assert (await client.post(f"https://{HOST}/", {}, b"{}", owner=1)).succeeded
    assert len(deaf.talks) == 4


async def test_an_owner_uses_up_neither_the_host_nor_the_connections_of_others(
    authority: Authority,
) -> None:
    """One owner's requests hang at the host of another one, and at as many hosts as it may."""
    async with receiving(hang, authority.server("*.example.com")) as receiver:
        wires = Wires({PUBLIC: receiver.port})
        client = client_of(authority, wires, per_host=3, per_owner=4, connections=8)
        urls = [f"https://{HOST}/{n}" for n in range(3)] + ["https://other.example.com/"]
        hanging = [asyncio.create_task(client.post(url, {}, b"{}", owner=1)) for url in urls]
        await receiver.until_heard(4)
        with pytest.raises(WebhookBusy):
            await client.post("https://third.example.com/", {}, b"{}", owner=1)
        receiver.act = answer(OK)
        posts = [client.post(f"https://{HOST}/", {}, b"{}", owner=2) for _ in range(3)]
        assert all(got.succeeded for got in await asyncio.gather(*posts))
        assert not any(task.done() for task in hanging)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        assert (await client.post(f"https://{HOST}/", {}, b"{}", owner=1)).succeeded
    assert len(receiver.talks) == 8


async def test_the_connections_of_a_process_are_limited(authority: Authority) -> None:
    hosts = [f"host{n}.example.com" for n in range(4)]
    async with receiving(hang, authority.server("*.example.com")) as receiver:
        client = client_of(
            authority, Wires({PUBLIC: receiver.port}), connections=3, deadline=DEADLINE
        )
        posts = (client.post(f"https://{host}/", {}, b"{}", owner=1) for host in hosts)
        ended = await asyncio.gather(*posts, return_exceptions=True)
        assert [type(each) for each in ended] == [WebhookFailure] * 3 + [WebhookBusy]
        receiver.act = answer(OK)
        assert (await client.post(f"https://{hosts[3]}/", {}, b"{}", owner=1)).succeeded
    assert receiver.connections == 4


async def test_forty_of_fifty_endpoints_are_not_delayed_by_ten_that_hang(
    authority: Authority,
) -> None:
    hosts = [f"host{n}.example.com" for n in range(50)]
    deaf = {f"host{n}.example.com" for n in range(0, 50, 5)}

    async def some_hang(talk: Talk) -> None:
        if dict(talk.headers)["host"] in deaf:
            await talk.hang()
        await talk.send(OK)

    async with receiving(some_hang, authority.server("*.example.com")) as receiver:
        client = client_of(authority, Wires({PUBLIC: receiver.port}), deadline=LATE / 1000)
        posts = {
            host: asyncio.create_task(client.post(f"https://{host}/", {}, b"{}", owner=1))
            for host in hosts
        }
        answered = [await posts[host] for host in hosts if host not in deaf]
        assert len(answered) == 40
        assert all(got.succeeded and got.duration_ms < LATE for got in answered)
        assert not any(posts[host].done() for host in deaf)
        for host in deaf:
            posts[host].cancel()
        await asyncio.gather(*posts.values(), return_exceptions=True)
