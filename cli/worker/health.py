"""HTTP server of a worker for /healthz, /readyz and /metrics."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from typing import Final

import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.http.metrics_text import MetricsText
from api.http.server.client_limits import ClientLimits
from api.http.server.server_protocol import protocol_with
from models.errors import TemporarilyUnavailable

_LIMITS: Final = ClientLimits(
    connections=32, head=5, body_idle=5, body=5, stalled=5, linger=2, dropped=64 * 1024
)
"""For an orchestrator and a Prometheus. It shares the event loop with the sends."""

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[None]]
"""Raises TemporarilyUnavailable or an error of SQLAlchemy if no work can be done."""

Queues = Callable[[], Collection[str]]
"""Returns the task queues that this worker serves now."""


async def always_ready() -> None:
    """A check that always succeeds."""


def _healthz(queues: Queues) -> Callable[[Request], Awaitable[Response]]:
    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "ok", "queues": sorted(queues())})

    return healthz


def _readyz(check: Check, queues: Queues) -> Callable[[Request], Awaitable[Response]]:
    async def readyz(request: Request) -> Response:
        try:
            await check()
        except TemporarilyUnavailable as error:
            reason = error.detail
        except SQLAlchemyError as error:
            log.warning("database unavailable", extra={"error": type(error).__name__})
            reason = "The database is out of reach."
        else:
            return JSONResponse({"status": "ready", "queues": sorted(queues())})
        return JSONResponse(
            {"status": "unavailable", "detail": reason, "queues": sorted(queues())},
            status_code=503,
            headers={"Retry-After": "2"},
        )

    return readyz


def _metrics() -> Callable[[Request], Awaitable[Response]]:
    text = MetricsText()

    async def metrics(request: Request) -> Response:
        return text.response()

    return metrics


@asynccontextmanager
async def serve_health(
    port: int,
    host: str = "127.0.0.1",
    check: Check = always_ready,
    queues: Queues = tuple,
) -> AsyncIterator[None]:
    """Serve them while the block runs; port 0 disables the server.

    /healthz is 200 while the process lives, even without a database: a restart would not help.
    /readyz states whether it can work. Both list the task queues that are served. If the port
    cannot be bound, this is logged and the block runs without the server: messages matter more, and
    the orchestrator notices.
    """
    listener = _listen(host, port) if port else None
    if listener is None:
        yield
        return
    routes = {
        "/healthz": _healthz(queues),
        "/readyz": _readyz(check, queues),
        "/metrics": _metrics(),
    }
    app = Starlette(routes=[Route(path, endpoint) for path, endpoint in routes.items()])
    config = uvicorn.Config(
        app,
        http=protocol_with(_LIMITS),  # its refusals are logged and counted like the API's
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    # `serve` would install handlers for the signals that stop the worker.
    task = asyncio.create_task(server._serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


def _listen(host: str, port: int) -> socket.socket | None:
    """Bind the socket here: uvicorn would exit the process on failure."""
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
