"""Serves a double of a vendor over HTTP, on a port of its own."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final, Protocol

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_PATIENCE: Final = 120.0


class Answering(Protocol):
    """A double that answers one request."""

    def answer(
        self, method: str, url: httpx.URL, body: bytes, headers: Mapping[str, str]
    ) -> httpx.Response:
        """Return the response to a request."""
        ...


@contextlib.asynccontextmanager
async def serve(double: Answering) -> AsyncIterator[str]:
    """Serve a double, and return its URL."""

    async def answer(request: Request) -> Response:
        url, body = httpx.URL(str(request.url)), await request.body()
        told = double.answer(request.method, url, body, request.headers)
        return Response(told.content, told.status_code, media_type="application/json")

    methods = ["GET", "POST", "DELETE"]
    application = Starlette(routes=[Route("/{path:path}", answer, methods=methods)])
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(application, host="127.0.0.1", port=port, log_config=None, lifespan="off")
    )
    serving = asyncio.create_task(server.serve())
    try:
        await until_open(port, serving.done)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def until_open(port: int, ended: Callable[[], bool]) -> None:
    """Wait until a port accepts connections; fail if the server ended."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            assert not ended(), "it ended by itself"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return
