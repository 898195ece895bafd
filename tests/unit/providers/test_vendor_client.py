"""The connections of the vendors' client: used again while they are open, bounded, never shared."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from providers.http import deliver
from providers.ports.messages import Ambiguous, NotProcessed
from providers.vendor_client import VendorClient
from tests.unit.providers.test_http import SECOND, Handler, answer_ok, vendor

HEAD = b"HTTP/1.1 202 Accepted\r\n"


@asynccontextmanager
async def opened(
    *, connections: int = 10, kept: int = 5, pool: float = 1.0
) -> AsyncIterator[VendorClient]:
    timeout = httpx.Timeout(1.0, pool=pool)
    client = VendorClient(
        timeout=timeout,
        connections=connections,
        kept=kept,
        ssl_context=ssl.create_default_context(),
    )
    async with client:
        yield client


async def statuses(client: VendorClient, url: str, times: int) -> list[int]:
    """Return the statuses of concurrent posts."""
    answers = await asyncio.gather(*(client.post(url, json={}) for _ in range(times)))
    return [answer.status_code for answer in answers]


def slow(seconds: float) -> Handler:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        writer.write(HEAD + b"Content-Length: 0\r\n\r\n")

    return answer


async def idle_for(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer, and close the connection a moment later."""
    writer.write(HEAD + b"Content-Length: 0\r\n\r\n")
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.close()


async def test_one_connection_serves_one_call_after_the_other() -> None:
    async with vendor(answer_ok) as them, opened() as client:
        for _ in range(5):
            answer = await client.post(them.url, json={"body": "Hello"})
            assert (answer.status_code, answer.content, answer.json()) == (202, b"{}", {})
    assert (them.connections, them.received.count(b"POST")) == (1, 5)


async def test_concurrent_calls_have_connections_of_their_own() -> None:
    async with vendor(slow(0.1)) as them, opened() as client:
        assert await statuses(client, them.url, 3) == [202] * 3
        assert them.connections == 3
        assert await statuses(client, them.url, 3) == [202] * 3
    assert them.connections == 3


async def test_a_connection_that_the_vendor_has_closed_is_not_used() -> None:
    async with vendor(idle_for) as them, opened() as client:
        for _ in range(3):
            assert await statuses(client, them.url, 1) == [202]
            await asyncio.sleep(0.05)
    assert (them.connections, them.received.count(b"POST")) == (3, 3)


async def test_a_call_that_breaks_a_used_connection_is_not_sent_again() -> None:
    async def second_breaks(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if them.received.count(b"POST") == 2:
            writer.close()
        else:
            writer.write(HEAD + b"Content-Length: 0\r\n\r\n")

    async with vendor(second_breaks) as them, opened() as client:
        assert await statuses(client, them.url, 1) == [202]
        answer = await deliver(
            client,
            client.build_request("POST", them.url, json={}),
            not_after=datetime.now(UTC) + SECOND,
            timeout=SECOND,
        )
        assert answer == Ambiguous(reason="RemoteProtocolError")
    assert (them.connections, them.received.count(b"POST")) == (1, 2)


async def test_calls_beyond_the_limit_wait_for_a_connection() -> None:
    async with vendor(slow(0.05)) as them, opened(connections=2) as client:
        assert await statuses(client, them.url, 6) == [202] * 6
    assert them.connections == 2


async def test_a_call_that_gets_no_connection_in_time_is_not_processed() -> None:
    async with vendor(slow(0.5)) as them, opened(connections=1) as client:
        first = asyncio.create_task(client.post(them.url, json={}))
        await asyncio.sleep(0.1)
        answer = await deliver(
            client,
            client.build_request("POST", them.url, json={}),
            not_after=datetime.now(UTC) + SECOND,
            timeout=timedelta(milliseconds=100),
        )
        assert isinstance(answer, NotProcessed)
        assert answer.reason in {"PoolTimeout", "TimeoutError"}
        assert (await first).status_code == 202
        assert await statuses(client, them.url, 1) == [202]
    assert them.received.count(b"POST") == 2


async def test_idle_connections_beyond_the_limit_are_closed() -> None:
    async with vendor(slow(0.05)) as them, opened(kept=1) as client:
        assert await statuses(client, them.url, 4) == [202] * 4
        assert await statuses(client, them.url, 4) == [202] * 4
    assert them.connections == 7


@pytest.mark.parametrize("kind", ["failed", "cancelled"])
async def test_an_exchange_that_did_not_end_frees_its_place_and_not_its_connection(
    kind: str,
) -> None:
    async def never_then_ok(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if them.received.count(b"POST") > 1:
            writer.write(HEAD + b"Content-Length: 0\r\n\r\n")

    async with vendor(never_then_ok) as them, opened(connections=1) as client:
        if kind == "failed":
            with pytest.raises(httpx.ReadTimeout):
                await client.post(them.url, json={}, timeout=0.1)
        else:
            call = asyncio.create_task(client.post(them.url, json={}))
            await asyncio.sleep(0.1)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        assert await statuses(client, them.url, 1) == [202]
    assert them.connections == 2


async def test_a_response_that_is_not_read_to_its_end_closes_its_connection() -> None:
    async def long_answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 1000000\r\n\r\n" + b"x" * 10)

    async with vendor(long_answer) as them, opened(connections=1) as client:
        for _ in range(2):
            request = client.build_request("GET", them.url)
            answer = await client.send(request, stream=True)
            assert answer.status_code == 202
            await answer.aclose()
    assert them.connections == 2


async def test_a_vendor_sets_no_cookies_and_redirects_nobody() -> None:
    async def elsewhere(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /other\r\n")
        writer.write(b"Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    async with vendor(elsewhere) as them, opened() as client:
        for _ in range(2):
            assert (await client.get(them.url, follow_redirects=True)).status_code == 302
    assert them.received.count(b"GET /messages ") == 2
    assert b"Cookie" not in them.received


async def test_hosts_do_not_share_connections() -> None:
    async with vendor(answer_ok) as one, vendor(answer_ok) as other, opened() as client:
        for them in (one, other, one, other):
            assert await statuses(client, them.url, 1) == [202]
    assert (one.connections, other.connections) == (1, 1)


@pytest.mark.parametrize("url", ["ftp://vendor/", "http:///nowhere", "/messages"])
async def test_what_is_no_address_of_a_server_is_not_called(url: str) -> None:
    async with opened() as client:
        with pytest.raises(httpx.TransportError):
            await client.post(url, json={})


async def test_plain_text_on_a_secure_port_is_not_accepted() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + b"Content-Length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, opened() as client:
        with pytest.raises(httpx.ConnectError):
            await client.post(f"https://127.0.0.1:{port}/", json={})
