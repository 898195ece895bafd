"""Canceling a batch: marked in its row, then its workflow cancels lines and messages."""

import asyncio

import pytest
from sqlalchemy import text

from models.enums import MessageStatus
from models.session import Database
from tests.api.batches.bodies import PATH, batch, stored
from tests.api.batches.test_reading import AT, decide
from tests.api.doubles import Clock, FakeBatchStarter
from tests.api.integrator import Integrator


async def test_an_undecided_batch_is_canceled(
    gym: Integrator, database: Database, batch_starter: FakeBatchStarter, clock: Clock
) -> None:
    id = (await gym.post(PATH, batch(3))).json()["batchId"]
    answer = await gym.post(f"{PATH}/{id}/cancel", None)
    assert (answer.status_code, answer.json()["status"]) == (200, "CANCELED")
    assert answer.json() == (await gym.get(f"{PATH}/{id}")).json()
    (row,) = await stored(database, gym.tenant_id)
    assert row.canceled_at == clock.now < row.sweep_at
    assert [start.batch_id for start in batch_starter.canceled] == [row.id]


async def test_a_batch_whose_work_was_over_is_looked_after_again(
    gym: Integrator, database: Database, batch_starter: FakeBatchStarter, clock: Clock
) -> None:
    id = (await gym.post(PATH, batch(1))).json()["batchId"]
    await decide(database, gym.tenant_id, [(MessageStatus.SCHEDULED, None)])
    await end_work(database, gym.tenant_id)
    assert (await gym.post(f"{PATH}/{id}/cancel", None)).json()["status"] == "CANCELED"
    (row,) = await stored(database, gym.tenant_id)
    assert row.sweep_at > clock.now
    assert len(batch_starter.canceled) == 1


async def test_canceling_again_changes_nothing_and_starts_only_what_has_work(
    gym: Integrator, database: Database, batch_starter: FakeBatchStarter, clock: Clock
) -> None:
    id = (await gym.post(PATH, batch(1))).json()["batchId"]
    first = (await gym.post(f"{PATH}/{id}/cancel", None)).json()
    await decide(database, gym.tenant_id, [], refused=1)
    again = (await gym.post(f"{PATH}/{id}/cancel", None)).json()
    assert again == {**first, "refused": 1, "completedAt": again["completedAt"]}
    assert len(batch_starter.canceled) == 2
    await end_work(database, gym.tenant_id)
    assert (await gym.post(f"{PATH}/{id}/cancel", None)).status_code == 200
    assert len(batch_starter.canceled) == 2
    (row,) = await stored(database, gym.tenant_id)
    assert (row.canceled_at, row.sweep_at) == (clock.now, None)


@pytest.mark.parametrize("messages", [[], [(MessageStatus.DELIVERED, AT)]])
async def test_a_batch_that_has_ended_is_409(
    gym: Integrator,
    database: Database,
    batch_starter: FakeBatchStarter,
    messages: list[tuple[MessageStatus, None]],
) -> None:
    id = (await gym.post(PATH, batch(2))).json()["batchId"]
    await decide(database, gym.tenant_id, [*messages], refused=2 - len(messages))
    refused = await gym.post(f"{PATH}/{id}/cancel", None, key="k")
    assert (refused.status_code, refused.json()["code"]) == (409, "NOT_CANCELABLE")
    assert (await gym.get(f"{PATH}/{id}")).json()["status"] == "COMPLETED"
    assert batch_starter.canceled == []


async def test_a_key_is_bound_to_one_batch(gym: Integrator) -> None:
    one, other = [(await gym.post(PATH, batch(1))).json()["batchId"] for _ in range(2)]
    first = await gym.post(f"{PATH}/{one}/cancel", None, key="k")
    assert "Idempotency-Replayed" not in first.headers
    again = await gym.post(f"{PATH}/{one}/cancel", None, key="k")
    assert (again.headers["Idempotency-Replayed"], again.json()) == ("true", first.json())
    reused = await gym.post(f"{PATH}/{other}/cancel", None, key="k")
    assert (reused.status_code, reused.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (await gym.get(f"{PATH}/{other}")).json()["status"] == "ACCEPTING"


async def test_canceling_at_once_is_canceling_once(gym: Integrator, database: Database) -> None:
    id = (await gym.post(PATH, batch(2))).json()["batchId"]
    answers = await asyncio.gather(*(gym.post(f"{PATH}/{id}/cancel", None) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1


async def end_work(database: Database, tenant_id: int) -> None:
    """Note that the workflow of a tenant's batch has nothing left to do."""
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE batch SET sweep_at = NULL WHERE tenant_id = :t"), {"t": tenant_id}
        )
