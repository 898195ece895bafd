"""Limits of batches: undecided ones per tenant, requests, size, time, and the event loop."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.http.limits.rate_limits import RequestLimits
from models.enums import Channel
from models.queries.messages.batches.store import NewBatch, insert_batch, lock_undecided
from models.rules.tenants.token_bucket import Limit
from models.session import Database
from tests.api.batches.bodies import PATH, batch, ndjson, send, stored
from tests.api.batches.test_reading import decide
from tests.api.container import restored, services_of
from tests.api.integrator import Integrator
from tests.api.raw_http import Server, serving

MIB = 1024 * 1024


async def test_two_batches_of_a_tenant_may_be_undecided(
    gym: Integrator, stranger: Integrator, database: Database
) -> None:
    ids = [(await gym.post(PATH, batch(2))).json()["batchId"] for _ in range(2)]
    refused = await gym.post(PATH, batch(1), key="third")
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_BATCHES")
    assert int(refused.headers["Retry-After"]) > 0
    await gym.post(f"{PATH}/{ids[0]}/cancel", None)  # its lines are stored still
    assert (await gym.post(PATH, batch(1), key="third")).status_code == 429
    await decide(database, gym.tenant_id, [], refused=2)
    assert (await gym.post(PATH, batch(1), key="third")).status_code == 200
    assert len(await stored(database, gym.tenant_id)) == 3


async def test_of_many_at_once_two_are_stored(gym: Integrator, database: Database) -> None:
    answers = await asyncio.gather(*(gym.post(PATH, batch(50)) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [429] * 6
    assert len(await stored(database, gym.tenant_id)) == 2


@pytest.mark.parametrize(
    ("keys", "expected"),
    [(["a", "b"], (429, "TOO_MANY_BATCHES")), (["k"], (422, "IDEMPOTENCY_KEY_REUSED"))],
)
async def test_what_another_process_stores_at_the_same_time_is_seen(
    gym: Integrator, database: Database, keys: list[str], expected: tuple[int, str]
) -> None:
    async with database.transaction() as db:
        await lock_undecided(db, gym.tenant_id)
        asking = asyncio.create_task(gym.post(PATH, batch(1), key="k"))
        waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        while not asking.done() and not await db.scalar(waiting):  # noqa: ASYNC110 - a lock of Postgres
            await asyncio.sleep(0.01)
        merchant = await db.scalar(
            text("SELECT id FROM merchant WHERE tenant_id = :t"), {"t": gym.tenant_id}
        )
        for key in keys:
            await insert_batch(db, other_batch(gym.tenant_id, int(merchant), key))
    refused = await asking
    assert (refused.status_code, refused.json()["code"]) == expected
    assert len(await stored(database, gym.tenant_id)) == len(keys)


def other_batch(tenant_id: int, merchant_id: int, key: str) -> NewBatch:
    now = datetime.now(UTC)
    return NewBatch(
        tenant_id=tenant_id,
        merchant_id=merchant_id,
        channel=Channel.SMS,
        scope="",
        idempotency_key=key,
        fingerprint="0" * 64,
        key_base=key,
        total=1,
        created_at=now,
        sweep_at=now,
    )


async def test_tenants_do_not_share_the_limit(
    gym: Integrator, stranger: Integrator, database: Database
) -> None:
    await stranger.post("/merchants", {"merchantId": "gym-a", "displayName": "A"})
    for caller in (gym, stranger):
        for _ in range(2):
            assert (await caller.post(PATH, batch(1))).status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_batch_counts_as_one_request(
    app: FastAPI, gym: Integrator, database: Database, chunked: bool
) -> None:
    limit = Limit(name="key", rate=0.01, burst=5, at_once=50)
    document = batch(1)
    body = json.dumps(document).encode().ljust(3 * MIB)

    async def pieces() -> AsyncIterator[bytes]:
        for n in range(0, len(body), 64 * 1024):
            yield body[n : n + 64 * 1024]

    with restored(app):
        limits = RequestLimits(key=limit, tenant=replace(limit, name="tenant"))
        app.state.services = replace(services_of(app), limits=limits)
        answer = await gym.client.post(
            f"/api/v1{PATH}",
            content=pieces() if chunked else body,
            headers={**gym.headers, "Content-Type": "application/json"},
        )
    assert answer.status_code == 200
    assert ";r=4;" in answer.headers["RateLimit"]


async def test_an_invalid_body_is_read_after_the_credentials(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"/api/v1{PATH}", content=b"{")
    assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_CREDENTIALS")


@pytest.fixture(scope="module")
def impatient(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A process that waits a second for the next piece of a body, and three for all."""
    folder = tmp_path_factory.mktemp("impatient")
    with serving(database_url, folder, {"body_idle": 1, "body": 3}) as server:
        yield server


def head_of(who: Integrator, size: int) -> bytes:
    lines = [
        f"POST /api/v1{PATH} HTTP/1.1",
        "Host: x",
        "Content-Type: application/x-ndjson",
        f"Content-Length: {size}",
        *(f"{name}: {value}" for name, value in who.headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize("pause", [0.2, 5])
async def test_a_slow_body_is_cut_off_and_stores_nothing(
    impatient: Server, gym: Integrator, database: Database, pause: float
) -> None:
    body = ndjson(batch(40))
    pieces = [body[n : n + 100] for n in range(0, len(body), 100)]

    def ask() -> tuple[int, str]:
        with impatient.connect() as client:
            client.send(head_of(gym, len(body)), *pieces[: 25 if pause < 1 else 1], pause=pause)
            return client.answer().problem

    assert await asyncio.to_thread(ask) == (408, "REQUEST_TIMEOUT")
    assert await stored(database, gym.tenant_id) == []


async def test_a_client_that_leaves_in_the_middle_stores_nothing(
    impatient: Server, gym: Integrator, database: Database
) -> None:
    body = ndjson(batch(40))

    def leave() -> None:
        with impatient.connect() as client:
            client.send(head_of(gym, len(body)), body[: len(body) // 2])

    await asyncio.to_thread(leave)
    await asyncio.sleep(0.3)
    assert await stored(database, gym.tenant_id) == []
    answer = await asyncio.to_thread(impatient.ask, head_of(gym, len(body)), body)
    assert answer.status == 200


async def test_other_requests_are_answered_while_a_batch_is_received(
    gym: Integrator, database: Database
) -> None:
    """Between two turns of the event loop no more CPU is used than for a few pieces."""
    document = batch(10_000)
    for message in document["messages"]:
        message["metadata"] = {f"n{n}": "v" * 12 for n in range(40)}
    body = json.dumps(document).encode()
    assert 8 * MIB < len(body) <= 10 * MIB
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - began)

    watching = asyncio.create_task(watch())
    try:
        answer = await send(gym, body, "application/json")
    finally:
        watching.cancel()
    assert answer.status_code == 200
    async with database.read() as db:
        count = await db.scalar(
            text("SELECT count(*) FROM batch_line WHERE tenant_id = :t"), {"t": gym.tenant_id}
        )
    assert count == 10_000
    assert longest < 0.5  # about 20 ms
