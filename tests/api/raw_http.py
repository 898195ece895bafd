"""A client that writes bytes to a socket and reads the response, and servers for it."""

import json
import os
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from cli.dev.local_http import status_of
from tests.contacts import CONTACT_KEY_FILE
from tests.stack import ROOT, free_port
from tests.webhook_key import WEBHOOK_KEY_FILE

PATIENCE = 20.0
"""Timeout in seconds for any server action; the machine may be busy."""


@dataclass(frozen=True)
class Answer:
    """One response as raw data."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> tuple[int, str]:
        """Status and code of a problem, which must be complete and have its id."""
        assert self.headers["content-type"] == "application/problem+json", self
        document = self.json()
        assert document["requestId"] == self.headers["x-request-id"]
        assert document["status"] == self.status
        assert set(document) >= {"type", "title", "detail"}
        return self.status, document["code"]

    def json(self) -> Any:
        """Return the body as JSON."""
        return httpx.Response(200, content=self.body).json()


@dataclass
class Client:
    """One connection."""

    port: int
    left: bytes = b""
    source: str = "127.0.0.1"
    wire: socket.socket = field(init=False)

    def __enter__(self) -> Self:
        self.wire = socket.create_connection(
            ("127.0.0.1", self.port), timeout=PATIENCE, source_address=(self.source, 0)
        )
        self.wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def send(self, *pieces: bytes, pause: float = 0) -> None:
        """Write pieces one after the other; a connection closed by the server is no error."""
        try:
            for piece in pieces:
                self.wire.sendall(piece)
                if pause:
                    time.sleep(pause)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def answer(self, *, head: bool = False) -> Answer:
        """Read one response; `head`: it has no body whatever its headers state."""
        while b"\r\n\r\n" not in self.left:
            self._more()
        start, _, self.left = self.left.partition(b"\r\n\r\n")
        first, *lines = start.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        size = 0 if head else int(headers.get("content-length", 0))
        while len(self.left) < size:
            self._more()
        body, self.left = self.left[:size], self.left[size:]
        return Answer(int(first.split()[1]), headers, body)

    def reset(self) -> None:
        """Disconnect like a killed process: the server gets RST."""
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.wire.close()

    def is_closed(self) -> bool:
        """Wait until the server closes the connection; return whether nothing more was received."""
        try:
            return not self.left and self.wire.recv(65536) == b""
        except ConnectionResetError:
            return True

    def rest(self) -> bytes:
        """Read until the server closes the connection."""
        try:
            while data := self.wire.recv(65536):
                self.left += data
        except ConnectionResetError:
            pass
        return self.left

    def _more(self) -> None:
        data = self.wire.recv(65536)
        assert data, f"closed after {self.left!r}"
        self.left += data


@dataclass
class Server:
    """A process that serves the API."""

    port: int
    log: Path
    process: subprocess.Popen[bytes]

    def logged(self) -> list[dict[str, Any]]:
        """Return every line of its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def connect(self, source: str = "127.0.0.1") -> Client:
        """Return a connection; it is opened when the client is entered."""
        return Client(self.port, source=source)

    def ask(self, *pieces: bytes, head: bool = False, pause: float = 0) -> Answer:
        """Send pieces over a new connection and return the first response."""
        with self.connect() as client:
            client.send(*pieces, pause=pause)
            return client.answer(head=head)


@contextmanager
def serving(
    database_url: str,
    folder: Path,
    limits: Mapping[str, float] | None = None,
    **settings: str,
) -> Iterator[Server]:
    """Run `hexavox api`; settings are environment variables without their prefix.

    With `limits`, fields of ClientLimits that are not settings, it runs `tests.api.impatient`.
    """
    port, log = free_port(), folder / "api.log"
    env = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "HEXAVOX_PROFILE": "demo",
        "HEXAVOX_PUBLIC_URL": "https://sms.gym.test/",
        "HEXAVOX_API_PORT": str(port),
        "HEXAVOX_SERVER_SECRET": "only-for-tests-too",
        "HEXAVOX_CONTACT_KEY_FILE": str(CONTACT_KEY_FILE),
        "HEXAVOX_WEBHOOK_KEY_FILE": str(WEBHOOK_KEY_FILE),
        "HEXAVOX_SIMULATOR_SECRET": "for-tests-only-too",
        **{f"HEXAVOX_{name.upper()}": value for name, value in settings.items()},
    }
    module = ["cli", "api"] if limits is None else ["tests.api.impatient", json.dumps(limits)]
    argv = [sys.executable, "-m", *module]
    with log.open("wb") as out:
        process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=out, stderr=out)
        try:
            _await(port, process, log)
            yield Server(port, log, process)
        finally:
            process.terminate()
            process.wait(PATIENCE)


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        if status_of(f"http://127.0.0.1:{port}/healthz", within=PATIENCE) is not None:
            return
        time.sleep(0.1)
