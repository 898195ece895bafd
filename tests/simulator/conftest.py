"""One simulator for all tests here (with numbers of their own) and a listener per test."""

import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.simulator.harness import Client, Listener, Running


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    """A running simulator."""
    with Running() as running:
        yield running


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    """Receives the reports of this test."""
    async with Listener() as listener:
        yield listener


@pytest.fixture
async def client(running: Running, listener: Listener) -> AsyncIterator[Client]:
    """A client of the shared simulator."""
    client = Client(running.url, listener)
    async with client.http:
        yield client


@pytest.fixture
async def slow_client(listener: Listener) -> AsyncIterator[Client]:
    """A client of a simulator with slow messages, to observe them in progress."""
    with Running(report_delay=(0.4, 0.4)) as running:
        client = Client(running.url, listener)
        async with client.http:
            yield client


@pytest.fixture
def free_port() -> int:
    """Return a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
