"""The Idempotency-Key of a batch: one action however often and in whichever form it is sent."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from models.session import Database
from tests.api.batches.bodies import HEAD, PATH, batch, line, ndjson, send, stored
from tests.api.doubles import FakeBatchStarter
from tests.api.integrator import SMS, Integrator

REUSED = (422, "IDEMPOTENCY_KEY_REUSED")


async def test_the_same_body_is_the_same_batch_as_json_or_ndjson(
    gym: Integrator, database: Database, batch_starter: FakeBatchStarter
) -> None:
    document = batch(3)
    forms = [
        (json.dumps(document).encode(), "application/json"),
        (ndjson(document), "application/x-ndjson"),
        (ndjson(document).replace(b"\n", b"\r\n"), "application/x-ndjson"),
        (json.dumps(dict(reversed(document.items())), indent=2).encode(), "application/json"),
    ]
    first, *others = [await send(gym, body, kind, key="k") for body, kind in forms]
    assert "Idempotency-Replayed" not in first.headers
    for other in others:
        assert (other.status_code, other.json()) == (200, first.json())
        assert other.headers["Idempotency-Replayed"] == "true"
    assert len(await stored(database, gym.tenant_id)) == 1
    # The start may have been lost, so it is repeated while there is work.
    assert {start.batch_id for start in batch_starter.started} == {
        batch_starter.started[0].batch_id
    }
    assert len(batch_starter.started) == 4


@pytest.mark.parametrize(
    "other",
    [
        batch(2),
        batch(4),
        batch(3, channel="VOICE"),
        batch(3, merchantId="gym-b"),
        {**HEAD, "messages": batch(3)["messages"][::-1]},
        {**HEAD, "messages": [line(1, key="own"), line(2), line(3)]},
        {**HEAD, "messages": [line(1), line(2), line(3, sendAt=None)]},
    ],
    ids=range(7),
)
async def test_another_body_is_422(
    gym: Integrator, database: Database, other: dict[str, Any]
) -> None:
    first = (await gym.post(PATH, batch(3), key="k")).json()
    for refused in (await gym.post(PATH, other, key="k"), await send(gym, ndjson(other), key="k")):
        assert (refused.status_code, refused.json()["code"]) == REUSED
    assert [str(row.public_id) for row in await stored(database, gym.tenant_id)] == [
        first["batchId"]
    ]


async def test_a_replay_shows_the_current_state(
    gym: Integrator, database: Database, batch_starter: FakeBatchStarter
) -> None:
    view = (await gym.post(PATH, batch(2), key="k")).json()
    async with database.transaction() as db:
        await db.execute(
            text(
                "UPDATE batch SET refused = 2, next_line = 3, decided_at = now(), sweep_at = NULL"
                " WHERE tenant_id = :t"
            ),
            {"t": gym.tenant_id},
        )
    batch_starter.started.clear()
    again = (await gym.post(PATH, batch(2), key="k")).json()
    assert (again["batchId"], again["status"], again["refused"]) == (
        view["batchId"],
        "COMPLETED",
        2,
    )
    assert again["completedAt"] is not None
    assert batch_starter.started == []  # there is nothing left to do


async def test_a_replay_is_looked_up_before_the_limit_of_batches_and_the_merchant(
    gym: Integrator,
) -> None:
    for key in ("a", "b"):
        assert (await gym.post(PATH, batch(1), key=key)).status_code == 200
    await gym.post("/merchants", {"merchantId": "gym-a", "displayName": "A", "active": False})
    again = await gym.post(PATH, batch(1), key="a")
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")


async def test_requests_with_one_key_at_once_are_one_batch(
    gym: Integrator, database: Database
) -> None:
    answers = await asyncio.gather(*(gym.post(PATH, batch(200), key="k") for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.json()["batchId"] for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotency-Replayed") for answer in answers]
    assert replayed.count("true") == 7
    (row,) = await stored(database, gym.tenant_id)
    assert row.lines == [*range(1, 201)]


async def test_the_key_of_a_single_send_is_another_action(gym: Integrator) -> None:
    assert (await gym.post("/messages/sms", SMS, key="k")).status_code == 200
    answer = await gym.post(PATH, batch(1), key="k")
    assert (answer.status_code, answer.headers.get("Idempotency-Replayed")) == (200, None)


async def test_a_merchants_own_key_and_other_tenants_have_keys_of_their_own(
    gym: Integrator,
    stranger: Integrator,
    database: Database,
    merchant_key: Callable[[int, int], Awaitable[Integrator]],
) -> None:
    async with database.read() as db:
        merchant = await db.scalar(
            text("SELECT id FROM merchant WHERE tenant_id = :t"), {"t": gym.tenant_id}
        )
    own = await merchant_key(gym.tenant_id, int(merchant))
    first = (await gym.post(PATH, batch(1), key="k")).json()["batchId"]
    answer = await own.post(PATH, batch(2), key="k")
    assert answer.status_code == 200
    assert answer.json()["batchId"] != first
    scopes = [row.scope for row in await stored(database, gym.tenant_id)]
    assert scopes[0] == ""
    assert scopes[1].isdecimal()
    refused = await stranger.post(PATH, batch(2), key="k")
    assert (refused.status_code, refused.json()["code"]) == (404, "MERCHANT_NOT_FOUND")


@pytest.mark.parametrize("key", ["", "a b", "ж".encode().decode("latin-1"), "k" * 256])
async def test_a_key_that_is_none_is_400(gym: Integrator, database: Database, key: str) -> None:
    headers = [*gym.headers.items(), ("Idempotency-Key", key)]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    refused = await gym.client.post(f"/api/v1{PATH}", json=batch(1), headers=raw)
    assert (refused.status_code, refused.json()["code"]) == (400, "VALIDATION_FAILED")
    assert await stored(database, gym.tenant_id) == []
