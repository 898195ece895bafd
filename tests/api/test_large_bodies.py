"""Bodies over 1 MiB, over a real connection: refused, and any client can read why."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from api.body import LARGEST, READ_AND_DROPPED, BodyLimit
from api.http.server_protocol import ApiProtocol
from api.trace import begin_trace
from tests.api.integrator import GYM, Integrator

MIB = 1024 * 1024


@pytest.fixture
async def wire(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client on the other end of a socket."""
    config = uvicorn.Config(app, port=0, lifespan="off", log_config=None, http=ApiProtocol)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        yield client
    server.should_exit = True
    await serving


@pytest.fixture
async def caller(wire: httpx.AsyncClient, integrator: Integrator) -> Integrator:
    """The integrator, over the wire."""
    return Integrator(wire, integrator.tenant_id, integrator.key_id, integrator.headers)


def _chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 65536):
        yield b" " * 65536


async def _streamed(size: int) -> AsyncIterator[bytes]:
    for chunk in _chunks(size):
        yield chunk


async def test_exactly_one_mib_is_taken_and_one_byte_more_is_not(caller: Integrator) -> None:
    document = json.dumps(GYM).encode()
    fits = await caller.send_raw("/merchants", document.ljust(LARGEST))
    assert fits.status_code == 200
    too_large = await caller.send_raw("/merchants", document.ljust(LARGEST + 1))
    assert (too_large.status_code, too_large.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
    assert (await caller.get("/merchants")).status_code == 200


@pytest.mark.parametrize("size", [2 * MIB, 6 * MIB])
async def test_the_answer_can_be_read_whether_the_length_was_announced_or_not(
    caller: Integrator, size: int
) -> None:
    announced = await caller.send_raw("/merchants", b" " * size)
    headers = {**caller.headers, "Content-Type": "application/json"}
    chunked = await caller.client.post(
        "/api/v1/merchants", content=_streamed(size), headers=headers
    )
    for answer in (announced, chunked):
        assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
        assert answer.headers["X-Request-Id"] == answer.json()["requestId"]
    assert (await caller.get("/merchants")).json() == []


async def test_who_never_stops_is_cut_off() -> None:
    read, sent = 0, []

    async def receive() -> Message:
        nonlocal read
        read += 65536
        return {"type": "http.request", "body": b" " * 65536, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    async def reading(_scope: Scope, receive: Receive, _send: Send) -> None:
        while True:
            await receive()

    scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    begin_trace(scope, "request-1")
    await BodyLimit(reading)(scope, receive, send)
    assert read <= LARGEST + READ_AND_DROPPED + 3 * 65536
    assert (sent[0]["status"], (b"connection", b"close") in sent[0]["headers"]) == (413, True)


async def test_a_client_that_goes_away_is_no_error(app: FastAPI, wire: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.base_url.port)
    writer.write(b"POST /api/v1/merchants HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
    await writer.drain()
    writer.close()
    del reader
    assert (await wire.get("/healthz")).status_code == 200
