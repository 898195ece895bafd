"""Runs Prism between our adapters and a double of Twilio, to validate against its OpenAPI.

Prism is Stoplight's proxy that validates requests and responses against an OpenAPI description.
Without it (`npm ci` in this folder) its tests are skipped; with HEXAVOX_PRISM=required they fail.
This module checks what Prism does not: form fields and query parameters that are not described. Of
a repeated field Prism validates only the last value.
"""

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import httpx

from tests.vendors.serving import free_port, serve, until_open
from tests.vendors.trim import TRIMMED
from tests.vendors.twilio_double import TwilioDouble

HERE: Final = Path(__file__).parent
PROGRAM: Final = HERE / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
_PROBLEM: Final = "application/problem+json"


def missing() -> str | None:
    """Return why Prism cannot run; None if it can."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not PROGRAM.exists():
        return "Prism is not installed: npm ci in tests/vendors"
    return None


def required() -> bool:
    """Return whether these tests must run."""
    return os.environ.get("HEXAVOX_PRISM") == "required"


class Violation(AssertionError):
    """Prism found a request or a response that violates Twilio's description."""


class Described:
    """The operations of the description, and their query and form names."""

    def __init__(self) -> None:
        document = json.loads(TRIMMED.read_text())
        self.names: dict[str, set[str]] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                name = f"{method.upper()} {path}"
                self.names[name] = _names(operation)
                pattern = re.sub(r"{\w+}", r"[^/.]+", f"{method.upper()} {path}")
                self._patterns[name] = re.compile(pattern.replace(".json", r"\.json"))

    def operation(self, request: httpx.Request) -> str:
        """Return the operation of a request."""
        asked = f"{request.method} {request.url.path}"
        found = [name for name, pattern in self._patterns.items() if pattern.fullmatch(asked)]
        if not found:
            raise Violation(f"{asked} is not described")
        return found[0]


def _names(operation: dict[str, Any]) -> set[str]:
    names = {p["name"] for p in operation.get("parameters", ()) if p.get("in") == "query"}
    for body in operation.get("requestBody", {}).get("content", {}).values():
        names |= set(body["schema"]["properties"])
    return names


def sent_names(request: httpx.Request) -> set[str]:
    """Return the names in a request's query and form."""
    form = parse_qs(request.content.decode(), keep_blank_values=True)
    return {*request.url.params.keys(), *form}


class Checked(httpx.AsyncBaseTransport):
    """Sends through Prism, and raises its violations, which the adapters would accept."""

    def __init__(self) -> None:
        self._through = httpx.AsyncHTTPTransport()
        self._described = Described()
        self.asked: set[str] = set()
        """Operations that were requested, by method and path as described."""

    @property
    def unasked(self) -> set[str]:
        """Return the described operations that were not requested."""
        return set(self._described.names) - self.asked

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        operation = self._described.operation(request)
        unknown = sorted(sent_names(request) - self._described.names[operation])
        if unknown:
            raise Violation(f"{operation} knows no {unknown}")
        answer = await self._through.handle_async_request(request)
        if answer.headers.get("content-type", "").startswith(_PROBLEM):
            raise Violation(f"{request.method} {request.url.path}: {(await answer.aread())!r}")
        self.asked.add(operation)
        return answer

    async def aclose(self) -> None:
        await self._through.aclose()


@asynccontextmanager
async def between(twilio: TwilioDouble) -> AsyncIterator[str]:
    """Start Prism before a double, and return its URL."""
    async with serve(twilio) as upstream:
        port = free_port()
        process = await asyncio.create_subprocess_exec(
            "node",
            str(PROGRAM),
            "proxy",
            str(TRIMMED),
            upstream,
            "--errors",
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--verboseLevel", "silent"),
            env={"PATH": os.environ["PATH"], "NODE_ENV": "production"},
        )
        try:
            await until_open(port, lambda: process.returncode is not None)
            yield f"http://127.0.0.1:{port}"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
