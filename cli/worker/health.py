"""A worker's own /healthz, /readyz and /metrics."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.http.metrics_text import MetricsText
from api.http.server.client_limits import ClientLimits
from api.http.server.server_protocol import protocol_with
from models.errors import TemporarilyUnavailable

_LIMITS: Final = ClientLimits(
    connections=32, head=5, body_idle=5, body=5, stalled=5, linger=2, dropped=64 * 1024
)
"""An orchestrator and a Prometheus ask here. The event loop is the one that carries sends."""

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[None]]
"""Raises TemporarilyUnavailable, or what SQLAlchemy does, when no work can be done."""


async def always_ready() -> None:
    """Ready whenever it is alive."""


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok")


def _readyz(check: Check) -> Callable[[Request], Awaitable[Response]]:
    async def readyz(request: Request) -> Response:
        try:
            await check()
        except TemporarilyUnavailable as error:
            reason = error.detail
        except SQLAlchemyError as error:
            log.warning("database unavailable", extra={"error": type(error).__name__})
            reason = "The database is out of reach."
        else:
            return PlainTextResponse("ready")
        return PlainTextResponse(reason, status_code=503, headers={"Retry-After": "2"})

    return readyz


def _metrics() -> Callable[[Request], Awaitable[Response]]:
    text = MetricsText()

    async def metrics(request: Request) -> Response:
        return text.response()

    return metrics


@asynccontextmanager
async def serve_health(
    port: int, host: str = "127.0.0.1", check: Check = always_ready
) -> AsyncIterator[None]:
    """Serve them while the block runs; port 0 serves nothing.

    /healthz says that the process lives, and stays good while the database is away: a restart would
    not help. /readyz says whether it can work. A port that cannot be had is logged, and the block
    runs without: messages matter more, and whoever watches the port notices.
    """
    listener = _listen(host, port) if port else None
    if listener is None:
        yield
        return
    routes = {"/healthz": _healthz, "/readyz": _readyz(check), "/metrics": _metrics()}
    app = Starlette(routes=[Route(path, endpoint) for path, endpoint in routes.items()])
    config = uvicorn.Config(
        app,
        http=protocol_with(_LIMITS),  # its refusals are logged and counted as the API's are
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
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
            "/healthz, /readyz and /metrics are not served: "
            "set HEXAVOX_WORKER_HEALTH_HOST or _PORT",
            extra={"host": host, "port": port, "reason": str(error)},
        )
        return None
