"""Persistence of a simulator with a data folder, and how fast it stops."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from cli.dev.local_http import status_of
from tests.simulator.harness import SECRET, TOKEN, Client, Listener, Running, number

ROOT = Path(__file__).parents[2]


async def test_a_restart_forgets_nothing(tmp_path: Path, listener: Listener) -> None:
    with Running(tmp_path, report_delay=(0.5, 0.6)) as running:
        client = Client(running.url, listener)
        order, fickle = client.order(), client.order(to=number("9003"))
        async with client.http:
            id = await client.accepted(order)
            assert (await client.submit(fickle)).status_code == 429
            await client.http.post("/inbound-url", json={"url": f"{listener.url}/in"})
    assert listener.posted == []

    with Running(tmp_path) as running:
        client = Client(running.url, listener)
        async with client.http:
            reports = await listener.reports(id, 2)
            assert [report["status"] for report in reports] == ["sent", "delivered"]
            assert [copy["id"] for copy in await client.delivered(order["to"])] == [id]
            assert [taken["id"] for taken in await client.taken(order["reference"])] == [id]
            await client.accepted(fickle)
            assert (await client.http.get("/inbound-url")).json() == {"url": f"{listener.url}/in"}


async def test_answered_reports_are_not_repeated(tmp_path: Path, listener: Listener) -> None:
    with Running(tmp_path) as running:
        client = Client(running.url, listener)
        async with client.http:
            id = await client.accepted(client.order())
            before = await listener.reports(id, 2)
    with Running(tmp_path):
        await asyncio.sleep(0.2)
    assert listener.about(id) == before


async def test_an_inbound_message_not_yet_passed_on_is_after_a_restart(
    tmp_path: Path, listener: Listener
) -> None:
    listener.answers.append(500)
    with Running(tmp_path) as running:
        client = Client(running.url, listener)
        message = {"from": number(), "to": "+18005550100", "body": "hi"}
        async with client.http:
            await client.http.post("/inbound", json=message | {"callbackUrl": listener.url})
            await listener.webhooks(1)
    with Running(tmp_path):
        first, again = await listener.webhooks(2)
    assert first.raw == again.raw


async def test_without_a_data_folder_nothing_is_kept(listener: Listener) -> None:
    order = None
    for _ in range(2):
        with Running() as running:
            client = Client(running.url, listener)
            async with client.http:
                order = order or client.order(to=number("9007"))
                assert (await client.submit(order)).status_code == 500


def start_process(port: int, data_dir: Path) -> subprocess.Popen[bytes]:
    """Run `serve` as the command line does and wait until it responds."""
    code = (
        "import pathlib, simulator.server as s, simulator.access as a;"
        f"access = a.Access(signing_secret={SECRET!r}, token={TOKEN!r});"
        f"s.serve(host='127.0.0.1', port={port}, access=access,"
        f" data_dir=pathlib.Path({str(data_dir)!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if status_of(f"http://127.0.0.1:{port}/healthz") is not None:
            return process
        time.sleep(0.02)
    raise AssertionError("the simulator did not start")


async def test_a_killed_simulator_keeps_accepted_messages(
    tmp_path: Path, listener: Listener, free_port: int
) -> None:
    process = start_process(free_port, tmp_path)
    client = Client(f"http://127.0.0.1:{free_port}", listener)
    async with client.http:
        id = await client.accepted(client.order())
        await asyncio.sleep(0.04)
        process.kill()
        process.wait()
    again = start_process(free_port, tmp_path)
    try:
        assert len(await listener.reports(id, 2)) == 2
    finally:
        again.terminate()
        again.wait()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_within_two_seconds_although_requests_hang(
    tmp_path: Path, listener: Listener, free_port: int, stop: signal.Signals
) -> None:
    process = start_process(free_port, tmp_path)
    client = Client(f"http://127.0.0.1:{free_port}", listener)
    async with client.http:
        await client.http.post("/faults", json={"latencyMs": 0})
        hanging = [
            asyncio.create_task(client.submit(client.order(to=number("9004")))) for _ in range(5)
        ]
        await asyncio.sleep(0.2)
        started = time.monotonic()
        os.kill(process.pid, stop)
        await asyncio.to_thread(process.wait, 5)
        took = time.monotonic() - started
        broken = await asyncio.gather(*hanging, return_exceptions=True)
    assert took < 2
    assert all(isinstance(answer, httpx.TransportError) for answer in broken)
