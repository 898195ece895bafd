"""A worker's own /healthz and /metrics."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


async def _healthz(request: Request) -> Response:
    return PlainTextResponse("ok")


async def _metrics(request: Request) -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@asynccontextmanager
async def serve_health(port: int, host: str = "127.0.0.1") -> AsyncIterator[None]:
    """Serve both while the block runs; port 0 serves nothing."""
    if port == 0:
        yield
        return
    app = Starlette(routes=[Route("/healthz", _healthz), Route("/metrics", _metrics)])
    config = uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    # `serve` would take the signals that stop the worker.
    task = asyncio.create_task(server._serve())
    try:
        yield
    finally:
        server.should_exit = True
        await task
