"""Bodies over a route's limit, over a real connection: refused with a readable response."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from api.http.bodies.body import READ_AND_DROPPED, BodyLimit
from api.http.server.server_protocol import ApiProtocol
from api.http.trace import begin_trace
from models.errors import PayloadTooLarge
from tests.api.integrator import EMAIL, Integrator

KIB = 1024
MIB = 1024 * KIB


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
    return replace(integrator, client=wire)


def _chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 65536):
        yield b" " * 65536


async def _streamed(size: int) -> AsyncIterator[bytes]:
    for chunk in _chunks(size):
        yield chunk


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/merchants", 64 * KIB),
        ("/consents", 64 * KIB),
        ("/messages/7/cancel", 64 * KIB),
        ("/merchants/gym-a/messaging/brand", 64 * KIB),
        ("/billing/upgrade", 64 * KIB),
        ("/messages/sms", 384 * KIB),
        ("/messages/voice", 384 * KIB),
        ("/voice/tts-calls", 384 * KIB),
        ("/messages/email", 4 * MIB),
        ("/email/send", 4 * MIB),
        ("/messages/quote", 4 * MIB),
        ("/messages/batch", 10 * MIB),
    ],
)
async def test_each_route_has_its_limit(integrator: Integrator, path: str, limit: int) -> None:
    fits = await integrator.send_raw(path, b"{}".ljust(limit))
    assert fits.status_code in (400, 404)
    too_large = await integrator.send_raw(path, b"{}".ljust(limit + 1))
    assert (too_large.status_code, too_large.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(
    ("path", "limit", "status"),
    [
        ("/webhooks/simulator/hx-1-2-3", 256 * KIB, 403),
        ("/webhooks/simulator/inbound", 256 * KIB, 403),
        ("/webhooks/simulator/payments/hx-1", 256 * KIB, 403),
        ("/webhooks/simulator/registrations/hx-1", 256 * KIB, 403),
        ("/webhooks/nobody/hx-1-2-3", 256 * KIB, 404),
        ("/nowhere", 64 * KIB, 404),
        ("/api/v1/messages/email/", 64 * KIB, 404),
        ("/api/v1/nowhere", 64 * KIB, 404),
    ],
)
async def test_routes_without_a_key_limit_the_body_too(
    client: httpx.AsyncClient, path: str, limit: int, status: int
) -> None:
    assert (await client.post(path, content=b" " * limit)).status_code == status
    assert (await client.post(path, content=b" " * (limit + 1))).status_code == 413


async def test_without_credentials_a_large_body_is_401(wire: httpx.AsyncClient) -> None:
    answer = await wire.post("/api/v1/messages/email", content=b" " * (6 * MIB))
    assert answer.status_code == 401
    assert (await wire.get("/healthz")).status_code == 200


async def test_a_lawful_email_may_be_escaped_character_by_character(gym: Integrator) -> None:
    body = "ж" * (256 * KIB)
    assert len(body.encode()) == 512 * KIB
    document = json.dumps({**EMAIL, "body": body}).encode()
    assert (await gym.send_raw("/messages/email", document)).status_code == 200
    commas = json.dumps({**EMAIL, "body": ',[{"\\' * (102 * KIB)}).encode()
    assert (await gym.send_raw("/messages/email", commas)).status_code == 200


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


async def test_an_early_refusal_sends_no_100_continue(
    caller: Integrator, wire: httpx.AsyncClient
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.base_url.port)
    lines = [
        "POST /api/v1/merchants HTTP/1.1",
        "Host: x",
        "Expect: 100-continue",
        f"Content-Length: {5 * MIB}",
        "Content-Type: application/json",
        *(f"{name}: {value}" for name, value in caller.headers.items()),
    ]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"PAYLOAD_TOO_LARGE" in answer


async def test_an_endless_body_is_cut_off() -> None:
    read, sent = 0, []

    async def receive() -> Message:
        nonlocal read
        read += 65536
        return {"type": "http.request", "body": b" " * 65536, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    async def reading(_scope: Scope, receive: Receive, send: Send) -> None:
        try:
            while True:
                await receive()
        except PayloadTooLarge:
            await send({"type": "http.response.start", "status": 413, "headers": []})

    headers = [(b"transfer-encoding", b"chunked")]
    scope: Scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    begin_trace(scope, "request-1")
    await BodyLimit(reading)(scope, receive, send)
    assert read <= READ_AND_DROPPED + 4 * 65536
    assert (sent[0]["status"], (b"connection", b"close") in sent[0]["headers"]) == (413, True)


async def test_a_client_that_goes_away_is_no_error(wire: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.base_url.port)
    writer.write(b"POST /api/v1/merchants HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
    await writer.drain()
    writer.close()
    del reader
    assert (await wire.get("/healthz")).status_code == 200
