"""A batch is stored with its lines before it is answered, then its workflow is started."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from models.enums import Channel
from models.session import Database
from tests.api.batches.bodies import HEAD, NDJSON, PATH, batch, line, ndjson, send, stored
from tests.api.doubles import Clock, FakeBatchStarter
from tests.api.integrator import EMAIL, GYM, VOICE, Integrator

COUNTS = dict.fromkeys(
    ("queued", "scheduled", "sending", "sent", "delivered", "undelivered", "failed", "canceled",
     "unknown"),
    0,
)  # fmt: skip


@pytest.mark.parametrize("kind", ["application/json", NDJSON])
async def test_it_is_stored_as_it_was_sent(
    gym: Integrator, database: Database, batch_starter: FakeBatchStarter, clock: Clock, kind: str
) -> None:
    document = {**HEAD, "messages": [line(1, key="own"), line(2, metadata={"ж": '"\\\n'}), {}]}
    body = ndjson(document) if kind == NDJSON else json.dumps(document).encode()
    answer = await send(gym, body, kind, key="spring")
    assert answer.status_code == 200
    view = answer.json()
    assert view == {
        "batchId": view["batchId"],
        **HEAD,
        "status": "ACCEPTING",
        "total": 3,
        "accepted": 0,
        "refused": 0,
        "counts": COUNTS,
        "createdAt": view["createdAt"],
        "completedAt": None,
    }
    assert view == (await gym.get(f"{PATH}/{view['batchId']}")).json()
    (row,) = await stored(database, gym.tenant_id)
    assert row.requests == document["messages"]
    assert (row.lines, row.keys) == ([1, 2, 3], ["own", None, None])
    assert (row.channel, row.scope, row.idempotency_key) == ("SMS", "", "spring")
    assert (row.key_base, row.total, row.next_line) == ("spring", 3, 1)
    assert row.created_at == clock.now < row.sweep_at
    (start,) = batch_starter.started
    assert str(start.public_id) == view["batchId"]
    assert (start.batch_id, start.merchant_id, start.merchant) == (row.id, row.merchant_id, "gym-a")
    assert (start.channel, start.total) == (Channel.SMS, 3)
    assert start.workflow_id == f"send-batch/{gym.tenant_public_id}/spring"


async def test_without_a_key_every_request_is_a_batch_whose_id_stands_for_its_key(
    gym: Integrator, database: Database, batch_starter: FakeBatchStarter
) -> None:
    first, second = [(await gym.post(PATH, batch(1))).json()["batchId"] for _ in range(2)]
    assert first != second
    rows = await stored(database, gym.tenant_id)
    assert [(row.idempotency_key, row.key_base) for row in rows] == [(None, first), (None, second)]
    assert [start.workflow_id for start in batch_starter.started] == [
        f"send-batch-unkeyed/{gym.tenant_public_id}/{id}" for id in (first, second)
    ]


async def test_a_key_that_is_too_long_for_its_lines_is_hashed(
    gym: Integrator, database: Database
) -> None:
    assert (await gym.post(PATH, batch(1), key="k" * 255)).status_code == 200
    (row,) = await stored(database, gym.tenant_id)
    assert row.idempotency_key == "k" * 255
    assert row.key_base.startswith("sha256:")


@pytest.mark.parametrize(("channel", "single"), [("VOICE", VOICE), ("EMAIL", EMAIL)])
async def test_every_channel_has_batches(
    gym: Integrator, database: Database, channel: str, single: dict[str, Any]
) -> None:
    message = {name: value for name, value in single.items() if name != "merchantId"}
    answer = await gym.post(PATH, {**HEAD, "channel": channel, "messages": [message]})
    assert (answer.status_code, answer.json()["channel"]) == (200, channel)
    (row,) = await stored(database, gym.tenant_id)
    assert row.requests == [message]


async def test_the_largest_batch_is_stored(gym: Integrator, database: Database) -> None:
    document = batch(10_000)
    room = (10 * 1024 * 1024 - len(json.dumps(document))) // 10_000
    for message in document["messages"]:
        message["message"] += "x" * room
    body = json.dumps(document).encode().ljust(10 * 1024 * 1024)
    answer = await send(gym, body, "application/json")
    assert (answer.status_code, answer.json()["total"]) == (200, 10_000)
    (row,) = await stored(database, gym.tenant_id)
    assert row.lines == [*range(1, 10_001)]
    assert row.requests == document["messages"]


async def test_lines_of_very_different_sizes_are_stored_in_order(
    gym: Integrator, database: Database
) -> None:
    document = batch(1500, channel="EMAIL")
    for place in (0, 700, 1499):
        document["messages"][place]["body"] = "ж" * 600_000
    answer = await send(gym, json.dumps(document, ensure_ascii=False).encode(), "application/json")
    assert answer.status_code == 200
    (row,) = await stored(database, gym.tenant_id)
    assert row.requests == document["messages"]


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        ({**HEAD, "merchantId": "nobody"}, 404, "MERCHANT_NOT_FOUND"),
        ({**HEAD, "merchantId": "closed"}, 403, "MERCHANT_INACTIVE"),
    ],
)
async def test_only_an_active_merchant_sends(
    gym: Integrator,
    database: Database,
    batch_starter: FakeBatchStarter,
    head: dict[str, Any],
    status: int,
    code: str,
) -> None:
    await gym.post("/merchants", {**GYM, "merchantId": "closed", "active": False})
    refused = await gym.post(PATH, {**batch(1), **head}, key="k")
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert await stored(database, gym.tenant_id) == []
    assert batch_starter.started == []
    assert (await gym.post(PATH, batch(1), key="k")).status_code == 200


async def test_a_failure_while_lines_are_stored_leaves_nothing(
    gym: Integrator, database: Database, batch_starter: FakeBatchStarter
) -> None:
    async with database.transaction() as db:
        await db.execute(text("LOCK TABLE batch_line IN SHARE MODE"))
        refused = await gym.post(PATH, batch(3), key="k")
    assert (refused.status_code, refused.json()["code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert "Retry-After" in refused.headers
    assert await stored(database, gym.tenant_id) == []
    assert batch_starter.started == []
    assert (await gym.post(PATH, batch(3), key="k")).status_code == 200
