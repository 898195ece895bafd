"""Runs the simulator under uvicorn, with connection resets and a bounded shutdown.

An ASGI application cannot reset a TCP connection, so every request has a function for it in its
ASGI state. The server stops within two seconds although some requests wait without a response.
"""

import asyncio
import contextlib
import gc
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn
from starlette.applications import Starlette

from simulator.access import Access
from simulator.answers import RESET_CONNECTION
from simulator.app import create_app

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as HttpProtocol
else:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as HttpProtocol
    except ImportError:
        from uvicorn.protocols.http.h11_impl import H11Protocol as HttpProtocol

KEEP_ALIVE_SECONDS = 60
GRACE_SECONDS = 1

_GC_THRESHOLDS = (20_000, 50, 1000)
"""Messages are never freed and hold no cycles: frequent garbage collections would only cause
pauses.
"""

_NO_LINGER = struct.pack("ii", 1, 0)


class ResettableProtocol(HttpProtocol):
    """uvicorn's HTTP protocol, with a connection reset for its requests."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Pass the reset function to the requests of this connection."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, RESET_CONNECTION: self._reset_connection}

    def _reset_connection(self) -> None:
        """Close with SO_LINGER 0: the kernel drops unsent data and sends RST."""
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()


class SimulatorServer(uvicorn.Server):
    """A uvicorn server that ends the requests without a response before it stops."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the waiting requests, then shut down."""
        self._app.state.closing.set()
        await super().shutdown(sockets)


def build_server(app: Starlette, *, host: str, port: int) -> SimulatorServer:
    """Configure a server for an application of `create_app`; port 0 uses a free one."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=ResettableProtocol,
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return SimulatorServer(config, app)


def serve(
    *,
    host: str,
    port: int,
    access: Access,
    data_dir: Path | None,
    inbound_url: str | None = None,
) -> None:
    """Run a simulator until it is stopped."""
    gc.set_threshold(*_GC_THRESHOLDS)
    app = create_app(access=access, data_dir=data_dir, inbound_url=inbound_url)
    with contextlib.suppress(KeyboardInterrupt):
        build_server(app, host=host, port=port).run()
