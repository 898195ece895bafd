"""Recordings over a real connection: a client that disconnects ends only its own stream."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import pytest
import uvicorn
from fastapi import FastAPI

from api.http.server.server_protocol import ApiProtocol
from models.logs import Formatter
from models.session import Database
from providers.ports.messages import Recording
from tests.api.calls import make_call
from tests.api.doubles import FakeRecordingProvider
from tests.api.integrator import Integrator
from tests.api.raw_http import Client

Listening = Callable[[Client], None]


class Lines(logging.Handler):
    """Collects log lines."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(Formatter())
        self.lines: list[dict[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture
async def lines() -> AsyncIterator[list[dict[str, str]]]:
    """What the API and its server log."""
    handler, loggers = Lines(), [logging.getLogger(name) for name in ("api", "uvicorn", "asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    yield handler.lines
    for logger in loggers:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


@pytest.fixture
async def port(app: FastAPI) -> AsyncIterator[int]:
    """Port at which the application is served in this process, so that doubles can be installed."""
    config = uvicorn.Config(
        app, port=0, lifespan="off", log_config=None, http=ApiProtocol, access_log=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


class Tape:
    """An endless recording that knows whether it is still read."""

    def __init__(self, size: int, fails: bool) -> None:
        self._chunk = b"a" * size
        self._fails = fails
        self.read = 0
        self.stopped = asyncio.Event()

    async def play(self) -> AsyncGenerator[bytes, None]:
        """Yield it in pieces."""
        try:
            while True:
                yield self._chunk
                self.read += 1
                await asyncio.sleep(0.01)
        finally:
            self.stopped.set()
            if self._fails:  # as a vendor's connection that is closed from within
                raise ConnectionError


def leaves(client: Client) -> None:
    client.wire.close()


def is_killed(client: Client) -> None:
    client.reset()


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("size", [10, 1024 * 1024], ids=["few bytes", "more than fits"])
@pytest.mark.parametrize("end", [leaves, is_killed])
async def test_a_listener_who_leaves_ends_the_stream(
    gym: Integrator,
    database: Database,
    recording_provider: FakeRecordingProvider,
    port: int,
    lines: list[dict[str, str]],
    end: Listening,
    size: int,
    fails: bool,
) -> None:
    tape = Tape(size, fails)
    recording_provider.answer = Recording(length=None, chunks=tape.play())
    call = await make_call(database, gym)
    credentials = "".join(f"{name}: {value}\r\n" for name, value in gym.headers.items())
    lines.clear()
    with Client(port) as client:
        path = f"/api/v1/messages/{call}/recording"
        client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n{credentials}\r\n".encode())
        started = await asyncio.to_thread(client.answer, head=True)
        assert started.status == 200
        end(client)
    await asyncio.wait_for(tape.stopped.wait(), 20)
    while not lines:  # noqa: ASYNC110 - a log has no event to wait for
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert [(line["level"], line["message"]) for line in lines] == [("INFO", "request")]


@pytest.mark.parametrize("broken", [b"zz\r\n", b"1\r\na\r\n" * 100_000], ids=["chunk", "chunks"])
async def test_a_body_that_breaks_while_it_is_answered_ends_the_connection(
    gym: Integrator,
    database: Database,
    recording_provider: FakeRecordingProvider,
    port: int,
    lines: list[dict[str, str]],
    broken: bytes,
) -> None:
    tape = Tape(10, fails=False)
    recording_provider.answer = Recording(length=None, chunks=tape.play())
    call = await make_call(database, gym)
    credentials = "".join(f"{name}: {value}\r\n" for name, value in gym.headers.items())
    with Client(port) as client:
        path = f"/api/v1/messages/{call}/recording"
        head = f"GET {path} HTTP/1.1\r\nHost: x\r\n{credentials}Transfer-Encoding: chunked\r\n\r\n"
        client.send(head.encode())
        assert (await asyncio.to_thread(client.answer, head=True)).status == 200
        client.send(broken + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(tape.stopped.wait(), 20)
        rest = await asyncio.to_thread(client.rest)
    assert b"HTTP/1.1" not in rest
    assert not rest.endswith(b"0\r\n\r\n")
    assert {line["level"] for line in lines} == {"INFO"}


@pytest.mark.parametrize("fails", [False, True])
async def test_head_of_a_recording_does_not_play_it(
    gym: Integrator,
    database: Database,
    recording_provider: FakeRecordingProvider,
    port: int,
    lines: list[dict[str, str]],
    fails: bool,
) -> None:
    tape = Tape(10, fails)
    recording_provider.answer = Recording(length=12345, chunks=tape.play())
    call = await make_call(database, gym)
    credentials = "".join(f"{name}: {value}\r\n" for name, value in gym.headers.items())
    with Client(port) as client:
        head = f"HEAD /api/v1/messages/{call}/recording HTTP/1.1\r\nHost: x\r\n{credentials}\r\n"
        client.send(head.encode())
        answer = await asyncio.to_thread(client.answer, head=True)
        assert (answer.status, answer.headers["content-length"]) == (200, "12345")
        await asyncio.wait_for(tape.stopped.wait(), 20)
        client.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await asyncio.to_thread(client.answer)).status == 200
    assert tape.read < 10
    assert {line["level"] for line in lines} == {"INFO"}
