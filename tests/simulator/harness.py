"""A running simulator, the listener of its reports, and a client of both."""

import asyncio
import contextlib
import itertools
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from providers.simulator.calls import HEADER, signed
from simulator.access import Access
from simulator.app import create_app
from simulator.server import SimulatorServer, build_server

SECRET = "a secret for tests"
TOKEN = "a token for tests"


class Credentials(httpx.Auth):
    """Adds an adapter's signature and the console's token."""

    requires_request_body = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add both, unless already present."""
        request.headers.setdefault("Content-Type", "application/json")
        request.headers.setdefault("Authorization", f"Bearer {TOKEN}")
        if HEADER not in request.headers:
            signed(request, SECRET)
        yield request


_numbers = itertools.count(1)


def number(ending: str = "0000") -> str:
    """Return a new number with these last four digits."""
    return f"+1{next(_numbers):07d}".replace("+10", "+12") + ending


def unique(word: str) -> str:
    """Make a word unique."""
    return f"{word}-{next(_numbers)}"


@dataclass(frozen=True)
class Posted:
    """One received webhook."""

    path: str
    headers: dict[str, str]
    raw: bytes
    at: float

    @property
    def body(self) -> dict[str, Any]:
        """The decoded JSON."""
        decoded: dict[str, Any] = json.loads(self.raw)
        return decoded


@dataclass
class Listener:
    """A small HTTP server that stores webhooks and responds as configured, else with 200."""

    posted: list[Posted] = field(default_factory=list)
    answers: deque[int] = field(default_factory=deque)
    url: str = ""
    port: int = 0
    _server: asyncio.Server | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _handlers: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    def about(self, message: str) -> list[dict[str, Any]]:
        """Return the reports of one message, by its id or reference."""
        return [
            posted.body
            for posted in self.posted
            if message in (posted.body.get("messageId"), posted.body.get("reference"))
        ]

    async def reports(
        self, message: str, count: int, *, within: float = 20.0
    ) -> list[dict[str, Any]]:
        """Wait for so many reports of a message, then a moment in case of more."""
        await self._until(lambda: len(self.about(message)) >= count, within)
        await asyncio.sleep(0.03)
        return self.about(message)

    async def webhooks(self, count: int, *, within: float = 20.0) -> list[Posted]:
        """Wait for so many webhooks of any kind."""
        await self._until(lambda: len(self.posted) >= count, within)
        return self.posted

    async def _until(self, enough: Callable[[], bool], within: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not enough():
                    self._news.clear()
                    await self._news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        finally:
            self._handlers.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        request, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        raw = await reader.readexactly(int(headers["content-length"]))
        self.posted.append(Posted(request.split()[1], headers, raw, time.monotonic()))
        self._news.set()
        status = self.answers.popleft() if self.answers else 200
        writer.write(b"HTTP/1.1 %d Whatever\r\nContent-Length: 2\r\n\r\n{}" % status)
        return True


class Running:
    """A simulator served from a thread, on its own port."""

    def __init__(
        self,
        data_dir: Path | None = None,
        report_delay: tuple[float, float] = (0.02, 0.04),
        access: Access = Access(signing_secret=SECRET, token=TOKEN),
    ) -> None:
        app = create_app(
            access=access, data_dir=data_dir, report_delay=report_delay, charge_delay=0.3
        )
        self.server: SimulatorServer = build_server(app, host="127.0.0.1", port=0)
        self._thread = threading.Thread(target=self.server.run)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self.server.started:
            assert self._thread.is_alive(), "the simulator did not start"
            time.sleep(0.005)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.server.should_exit = True
        self._thread.join(timeout=10)
        assert not self._thread.is_alive(), "the simulator did not stop"

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self.server.servers[0].sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self.port}"


class Client:
    """Requests of an adapter and of a tester."""

    def __init__(self, url: str, listener: Listener) -> None:
        self.http = httpx.AsyncClient(
            base_url=url, timeout=5.0, trust_env=False, verify=False, auth=Credentials()
        )
        self.listener = listener

    def order(self, **changed: Any) -> dict[str, Any]:
        """Return a valid SMS with changes."""
        return {
            "channel": "SMS",
            "to": number(),
            "from": "+18005550100",
            "body": "Your table is ready",
            "reference": unique("ref"),
            "callbackUrl": f"{self.listener.url}/callbacks",
            "notAfter": (datetime.now(UTC) + timedelta(minutes=1)).isoformat(),
        } | changed

    def call(self, **changed: Any) -> dict[str, Any]:
        """Return a valid call with changes."""
        voice = {"channel": "VOICE", "record": False, "timeoutSeconds": 30}
        return self.order(**(voice | {"maxDurationSeconds": 600} | changed))

    def email(self, **changed: Any) -> dict[str, Any]:
        """Return a valid e-mail with changes."""
        mail = {
            "channel": "EMAIL",
            "to": [f"{unique('ann')}@example.test"],
            "from": "shop@example.test",
            "subject": "Receipt",
        }
        return self.order(**(mail | changed))

    async def submit(self, order: dict[str, Any], *, timeout: float = 5.0) -> httpx.Response:
        """Post a message."""
        return await self.http.post("/messages", content=json.dumps(order), timeout=timeout)

    async def accepted(self, order: dict[str, Any]) -> str:
        """Post a message that must be accepted and return its id."""
        answer = await self.submit(order)
        assert answer.status_code == 202, answer.text
        body = answer.json()
        assert body == {"id": body["id"], "reference": order["reference"], "status": "accepted"}
        assert body["id"].startswith("sim_")
        id: str = body["id"]
        return id

    async def view(self, id: str) -> dict[str, Any]:
        """Look a message up."""
        view: dict[str, Any] = (await self.http.get(f"/messages/{id}")).json()
        return view

    async def taken(self, reference: str) -> list[dict[str, Any]]:
        """Return the messages with a reference."""
        listing = (await self.http.get("/messages", params={"reference": reference})).json()
        items: list[dict[str, Any]] = listing["items"]
        assert listing["count"] == len(items)
        return items

    async def delivered(self, to: str) -> list[dict[str, Any]]:
        """Return the delivered copies, once all messages in progress have arrived."""
        await asyncio.sleep(0.05)
        listing = (await self.http.get("/deliveries", params={"to": to})).json()
        items: list[dict[str, Any]] = listing["items"]
        assert listing["count"] == len(items)
        return items
