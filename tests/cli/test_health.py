"""A worker's health port: served as configured; a failure of it does not end the worker."""

import asyncio
import logging
import socket
import time
from contextlib import suppress

import httpx
import pytest

from cli.worker.health import serve_health
from models.errors import TemporarilyUnavailable
from tests.api.raw_http import Client
from tests.stack import free_port


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
async def test_health_and_metrics_are_served_at_the_configured_address(host: str) -> None:
    port = free_port()
    async with serve_health(port, host), httpx.AsyncClient(trust_env=False) as client:
        url = f"http://127.0.0.1:{port}"
        assert (await client.get(f"{url}/healthz")).json()["status"] == "ok"
        assert "python_info" in (await client.get(f"{url}/metrics")).text
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind((host, port))


async def test_health_and_readiness_say_which_task_queues_are_served() -> None:
    port, queues, reasons = free_port(), ["money"], list[str]()

    async def check() -> None:
        if reasons:
            raise TemporarilyUnavailable(reasons[0])

    async with (
        serve_health(port, check=check, queues=lambda: queues),
        httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}") as client,
    ):
        assert (await client.get("/healthz")).json() == {"status": "ok", "queues": ["money"]}
        queues[:] = ["provider-b", "messages"]  # an account was added
        served = ["messages", "provider-b"]
        assert (await client.get("/readyz")).json() == {"status": "ready", "queues": served}
        reasons.append("The database takes no writes.")
        refused = await client.get("/readyz")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert refused.json() == {
        "status": "unavailable",
        "detail": "The database takes no writes.",
        "queues": served,
    }


async def test_a_port_that_is_taken_is_logged_and_the_worker_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.ERROR):
        async with serve_health(taken.getsockname()[1], "127.0.0.1"):
            pass
    assert "not served" in caplog.text


async def test_port_zero_serves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with serve_health(0, "no such host"):
        pass
    assert caplog.text == ""


async def test_a_large_header_is_refused() -> None:
    port = free_port()

    def ask() -> int:
        with Client(port) as client:
            client.send(
                b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1024 * 1024 + b"\r\n\r\n"
            )
            return client.answer().status

    async with serve_health(port):
        assert await asyncio.to_thread(ask) == 431


async def test_a_client_that_does_not_read_does_not_keep_a_worker_from_stopping() -> None:
    port = free_port()
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        async with serve_health(port):
            await asyncio.to_thread(deaf.connect, ("127.0.0.1", port))
            deaf.setblocking(False)
            with suppress(BlockingIOError):
                for _ in range(1000):
                    deaf.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
            await asyncio.sleep(1)
            began = time.monotonic()
        assert time.monotonic() - began < 5
