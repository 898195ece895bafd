"""The minimal HTTP client against servers with every valid form of response, and invalid ones."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from simulator.webhook_client import WebhookClient


class Answering:
    """A server that answers each request on a connection with the next of these bytes."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.connections = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond until no answers are left, then close."""
        self.connections += 1
        try:
            while self.answers:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                for piece in self.answers.pop(0).split(b"|"):
                    writer.write(piece)
                    await asyncio.sleep(0.005)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def webhook_client() -> AsyncIterator[WebhookClient]:
    """A client, closed afterwards."""
    webhook_client = WebhookClient()
    yield webhook_client
    webhook_client.close()


async def post(webhook_client: WebhookClient, server: Answering, times: int) -> list[int]:
    """Post to this server several times in sequence."""
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/hook"
        statuses = [await webhook_client.post(url, b"{}", {"X-A": "b"}) for _ in range(times)]
        webhook_client.close()
        await asyncio.sleep(0.02)
    return statuses


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (OK, 1),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 1),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n|ab|cd", 1),
        (b"HTTP/1.1 2|00 OK\r\nContent-Le|ngth: 0\r\n|\r\n", 1),
        (b"HTTP/1.1 100 Continue\r\n\r\n|" + OK, 1),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 2),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 2),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody", 2),
    ],
)
async def test_connections_are_kept_when_the_answer_allows_it(
    webhook_client: WebhookClient, answer: bytes, connections: int
) -> None:
    server = Answering(answer, answer)
    statuses = await post(webhook_client, server, 2)
    assert statuses in ([200, 200], [204, 204])
    assert server.connections == connections


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 ", b"nonsense\r\n\r\n", b"HTTP/1.1 200 O"])
async def test_no_proper_answer_is_an_error(webhook_client: WebhookClient, answer: bytes) -> None:
    with pytest.raises(OSError):
        await post(webhook_client, Answering(answer), 1)


async def test_a_connection_closed_while_idle_is_replaced(webhook_client: WebhookClient) -> None:
    served = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await reader.readuntil(b"\r\n\r\n{}")
        served += 1
        writer.write(OK)
        await asyncio.sleep(0.01)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for _ in range(2):
            assert await webhook_client.post(url, b"{}", {}) == 200
            await asyncio.sleep(0.03)
    assert served == 2


async def test_a_kept_connection_that_was_closed_is_replaced_at_once(
    webhook_client: WebhookClient,
) -> None:
    answered = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        await reader.readuntil(b"\r\n\r\n{}")
        answered += 1
        writer.write(OK)
        await reader.read(1)  # the connection is closed while the next request is sent
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert [await webhook_client.post(url, b"{}", {}) for _ in range(3)] == [200, 200, 200]
        webhook_client.close()
        await asyncio.sleep(0.02)
    assert answered == 3
