"""Numbers of a line mean what they mean in the body of a single send: they are kept as sent."""

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from models.rules.messages.batches.acceptance import BatchKey
from models.session import Database
from models.tables.batch import Batch
from tests.batches.accepting.harness import Batches
from tests.batches.accepting.twins import World, make_twin

SEND = '{"to":"+18135551001","message":"Hello","type":"REMINDER","validForSeconds":%s}'


@pytest.mark.parametrize("number", ["1000", "1e3", "1E+3", "10.00e2", "1.0e3", "1000.0", "-0.0"])
async def test_a_number_of_a_line_is_refused_where_it_is_in_a_single_send(
    harness: None, batches: Batches, client: httpx.AsyncClient, database: Database, number: str
) -> None:
    gym = await make_twin(database, client, World())
    headers = {**gym.headers, "Content-Type": "application/json"}
    line = SEND % number
    keyed = line.replace("{", '{"key":"one",', 1)
    single = await client.post(
        "/api/v1/messages/sms",
        content=line.replace("{", '{"merchantId":"gym-a",', 1),
        headers={**headers, "Idempotency-Key": "one"},
    )
    sent = await client.post(
        "/api/v1/messages/batch",
        content=f'{{"merchantId":"gym-a","channel":"SMS","messages":[{keyed}]}}',
        headers=headers,
    )
    assert sent.status_code == 200
    async with database.read() as db:
        found = (await db.scalars(select(Batch).where(col(Batch.tenant_id) == gym.tenant_id))).one()
    batch = BatchKey(tenant_id=gym.tenant_id, batch_id=found.id or 0, public_id=found.public_id)
    await batches.accept_all(batch)
    refused = None if single.status_code == 200 else single.json()["code"]
    assert await batches.codes(batch) == [refused]
    assert len(await batches.messages(gym.tenant_id)) == (refused is None)
