"""A line is kept as it was sent until it is decided: no number is written out, nothing moves."""

import pytest
from sqlalchemy import text

from models.rules.messages.batches.acceptance import BatchKey
from models.session import Database
from tests.api.batches.bodies import NDJSON, send
from tests.api.integrator import Integrator
from tests.batches.accepting.harness import Batches

SENDS = [
    '{"to":1e999,"message":"x","type":"OTP"}',
    '{"to":"+18135551001","message":"x","type":"OTP","validForSeconds":1e309}',
    '{"to":"+18135551001","message":"x","type":"OTP","validForSeconds":-1E+400}',
    '{"to":"+18135551001","message":"x","type":"OTP","validForSeconds":1e-400}',
    '{"to":"+18135551001","message":"x","type":"OTP","validForSeconds":6e2}',
    '{"to":"+18135551001","message":"x","type":"OTP","validForSeconds":600.0}',
    '{"to":"+18135551001","message":"x","type":"OTP","metadata":{"n":1e101}}',
    '{"to":"+18135551001","message":"x","type":"OTP","zz":1e999,"a":1}',
    '{"to":"+18135551001","message":"x","type":"OTP","a":' + "[" + "1e999," * 150 + "1]}",
    '{ "type" : "OTP",\t"message" : "\\u0078" , "to" : "+18135551001" }',
]
"""Bodies of single sends without merchantId, the last of which is valid."""

LONG = '{"zz":[' + ",".join(["[" + ",".join(["1e999"] * 200) + "]"] * 40) + "]}"
"""48,000 characters; with its numbers written out, 8 million."""


async def requests_of(database: Database, tenant_id: int) -> list[str]:
    """Return the requests of the lines of a tenant that are not decided."""
    statement = "SELECT request::text FROM batch_line WHERE tenant_id = :t ORDER BY line"
    async with database.read() as db:
        return list((await db.scalars(text(statement), {"t": tenant_id})).all())


async def stored_batch(database: Database, tenant_id: int) -> BatchKey:
    """Return the only batch of a tenant."""
    statement = "SELECT id, public_id FROM batch WHERE tenant_id = :t"
    async with database.read() as db:
        row = (await db.execute(text(statement), {"t": tenant_id})).one()
    return BatchKey(tenant_id=tenant_id, batch_id=row.id, public_id=row.public_id)


@pytest.mark.parametrize("form", ["application/json", NDJSON])
async def test_the_text_of_a_line_is_kept(gym: Integrator, database: Database, form: str) -> None:
    lines = [*SENDS, LONG]
    answer = await send(gym, _body(lines, form), form)
    assert answer.status_code == 200, answer.text
    assert await requests_of(database, gym.tenant_id) == lines


@pytest.mark.parametrize("line", SENDS, ids=lambda line: line[:60])
async def test_a_line_is_decided_as_the_single_send_with_the_same_text(
    gym: Integrator, database: Database, batches: Batches, line: str
) -> None:
    single = await gym.client.post(
        "/api/v1/messages/sms",
        content=line.replace("{", '{"merchantId":"gym-a",', 1),
        headers={**gym.headers, "Content-Type": "application/json", "Idempotency-Key": "b/1"},
    )
    assert (await send(gym, _body([line], NDJSON), key="b")).status_code == 200
    batch = await stored_batch(database, gym.tenant_id)
    await batches.accept_all(batch)
    (decided,) = await batches.decided(batch)
    told = single.json()
    assert (decided.code, decided.detail) == (told.get("code"), told.get("detail"))
    assert len(await batches.messages(gym.tenant_id)) == (1 if "messageId" in told else 0)


async def test_a_line_over_no_limit_is_not_too_large_once_it_is_stored(
    gym: Integrator, database: Database, batches: Batches
) -> None:
    assert (await send(gym, _body([LONG], NDJSON))).status_code == 200
    batch = await stored_batch(database, gym.tenant_id)
    await batches.accept_all(batch)
    assert await batches.codes(batch) == ["VALIDATION_FAILED"]


def _body(lines: list[str], form: str) -> bytes:
    if form == NDJSON:
        return "\n".join(['{"merchantId":"gym-a","channel":"SMS"}', *lines]).encode()
    joined = ",".join(lines)
    return f'{{"merchantId":"gym-a","channel":"SMS","messages":[{joined}]}}'.encode()
