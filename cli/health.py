"""A worker's own /healthz and /metrics."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

log = logging.getLogger(__name__)


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok")


async def _metrics(request: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@asynccontextmanager
async def serve_health(port: int, host: str = "127.0.0.1") -> AsyncIterator[None]:
    """Serve both while the block runs; port 0 serves nothing.

    A port that cannot be had is logged, and the block runs without: messages matter more, and
    whoever watches the port notices.
    """
    listener = _listen(host, port) if port else None
    if listener is None:
        yield
        return
    app = Starlette(routes=[Route("/healthz", _healthz), Route("/metrics", _metrics)])
    config = uvicorn.Config(app, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    # `serve` would take the signals that stop the worker.
    task = asyncio.create_task(server._serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


def _listen(host: str, port: int) -> socket.socket | None:
    """Bind here: uvicorn would end the process."""
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((host, port), family=family)
    except OSError as error:
        log.error(
            "/healthz and /metrics are not served: set HEXAVOX_WORKER_HEALTH_HOST or _PORT",
            extra={"host": host, "port": port, "reason": str(error)},
        )
        return None
