"""Runs the simulator under uvicorn, with the two things a vendor gone wrong needs.

A connection can be reset at the TCP level, which no ASGI application can do by itself: every
request carries a function for it in its ASGI state. And the server stops within two seconds
although requests are kept waiting on purpose.
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
"""Messages are kept for good and hold no cycles: looking for some, often, only costs pauses."""

_NO_LINGER = struct.pack("ii", 1, 0)


class ResettableProtocol(HttpProtocol):
    """uvicorn's HTTP protocol, whose requests know how to reset their connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give the requests of this connection the function."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, RESET_CONNECTION: self._reset_connection}

    def _reset_connection(self) -> None:
        """Close without lingering: the kernel drops what is unsent and answers with RST."""
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()


class SimulatorServer(uvicorn.Server):
    """A uvicorn server that lets go of the requests kept waiting before it stops."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Release what hangs, then stop as usual."""
        self._app.state.closing.set()
        await super().shutdown(sockets)


def build_server(app: Starlette, *, host: str, port: int) -> SimulatorServer:
    """Configure a server for an application made by `create_app`; port 0 takes a free one."""
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
    """Run a simulator until it is told to stop."""
    gc.set_threshold(*_GC_THRESHOLDS)
    app = create_app(access=access, data_dir=data_dir, inbound_url=inbound_url)
    with contextlib.suppress(KeyboardInterrupt):
        build_server(app, host=host, port=port).run()
