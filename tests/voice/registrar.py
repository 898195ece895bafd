"""A real Kamailio on the tests' database, and a real SIP client."""

import asyncio
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from typer.testing import CliRunner, Result

from cli.main import app
from tests.stack import free_port

CONFIG = Path(__file__).parents[2] / "docs" / "kamailio" / "kamailio.cfg"
SCENARIO = Path(__file__).parent / "register.xml"
PASSWORD = "onlyForTests1234"
REALM = "sip.example.com"


def missing() -> str | None:
    """Return the missing Debian packages, if any."""
    modules = {path.name for path in Path("/usr/lib").glob("*/kamailio/modules/*.so")}
    needed = {
        "kamailio": shutil.which("kamailio"),
        "kamailio-postgres-modules": "db_postgres.so" in modules,
        "kamailio-websocket-modules": "websocket.so" in modules,
        "sip-tester": shutil.which("sipp"),
    }
    absent = [package for package, found in needed.items() if not found]
    return f"Debian packages not installed: {', '.join(absent)}" if absent else None


def prepare(database_url: str, password: str = PASSWORD, *, role: str = "kamailio") -> Result:
    """Create schema and role as an operator does."""
    made = CliRunner().invoke(
        app,
        ["voice", "prepare", "--role", role],
        env={"DATABASE_URL": database_url, "HEXAVOX_KAMAILIO_PASSWORD": password},
    )
    assert password not in made.output
    return made


@dataclass
class Registrar:
    """The process, with the configuration in the repository."""

    database_url: str
    folder: Path
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def role_url(self) -> str:
        """URL of the database with the registrar's role."""
        return f"postgres://kamailio:{PASSWORD}@{self.database_url.partition('@')[2]}"

    @property
    def log(self) -> str:
        """Return its log."""
        return (self.folder / "kamailio.log").read_text(errors="replace")

    def __enter__(self) -> Self:
        prepared = prepare(self.database_url)
        assert prepared.exit_code == 0, prepared.output
        address = f"127.0.0.1:{self.port}"
        with (self.folder / "kamailio.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *("kamailio", "-DD", "-E", "-f", CONFIG, "-m", "32", "-M", "4"),
                    *("-l", f"udp:{address}", "-l", f"tcp:{address}"),
                    *("-Y", self.folder, "-w", self.folder),
                ],
                env={
                    "PATH": os.environ["PATH"],
                    "KAMAILIO_DB_URL": self.role_url,
                    "SIP_REALM": REALM,
                    "TZ": "Asia/Tokyo",  # the times it writes must not depend on it
                },
                stdout=log,
                stderr=log,
            )
        self._await_ready()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _await_ready(self) -> None:
        assert self._process is not None
        until = time.monotonic() + 15
        while time.monotonic() < until and self._process.poll() is None:
            if self._answers():
                return
            time.sleep(0.1)
        raise AssertionError(f"kamailio did not come up:\n{self.log[-3000:]}")

    def _answers(self) -> bool:
        question = (
            "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};rport;"
            "branch=z9hG4bKready\r\nMax-Forwards: 70\r\nFrom: <sip:test@127.0.0.1>;tag=1\r\n"
            "To: <sip:test@127.0.0.1>\r\nCall-ID: ready\r\nCSeq: 1 OPTIONS\r\n"
            "Content-Length: 0\r\n\r\n"
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.5)
            probe.connect(("127.0.0.1", self.port))
            try:
                probe.send(question.format(port=probe.getsockname()[1]).encode())
                return probe.recv(2000).startswith(b"SIP/2.0 200")
            except OSError:
                return False


class Answer(StrEnum):
    """The registrar's response to an answered challenge."""

    TAKEN = "200"
    WRONG = "401"
    FORBIDDEN = "403"


@dataclass(frozen=True)
class Phone:
    """A SIP client: sipp, which supports digest authentication."""

    registrar: Registrar
    sip: dict[str, Any] = field(repr=False)
    """The configuration from the API."""
    port: int = field(default_factory=free_port)

    async def register(self, expect: Answer = Answer.TAKEN, **change: Any) -> None:
        """Register and expect this response, or fail.

        `change` replaces parts of the configuration: `password`, `expires`, `transport` (u1, t1),
        or `address`, the user it registers as.
        """
        told = {
            "password": self.sip["password"],
            "address": self.sip["username"],
            "expires": self.sip["expiresSeconds"],
            "transport": "u1",
            **change,
        }
        folder = self.registrar.folder
        scenario = folder / f"register-{expect}.xml"
        scenario.write_text(SCENARIO.read_text().replace('response="200"', f'response="{expect}"'))
        client = await asyncio.create_subprocess_exec(
            *("sipp", f"127.0.0.1:{self.registrar.port}", "-sf", scenario, "-m", "1"),
            *("-i", "127.0.0.1", "-p", str(self.port), "-t", told["transport"], "-nostdin"),
            *("-s", told["address"], "-au", self.sip["username"], "-ap", told["password"]),
            *("-key", "domain", self.sip["domain"], "-key", "expires", str(told["expires"])),
            *("-timeout", "8", "-timeout_error"),
            cwd=folder,
            env={"PATH": os.environ["PATH"], "TERM": "dumb"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await client.communicate()
        assert client.returncode == 0, output.decode(errors="replace")[-2500:]
