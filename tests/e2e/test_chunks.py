"""Every SMS row of the simulator's table, sent by a chunk."""

import pytest

from tests.batches.sending.harness import Chunk, ChunkHarness
from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number
from tests.e2e.test_outcomes import ROWS, Row

pytestmark = pytest.mark.xdist_group("stack")


async def start(chunks: ChunkHarness, *numbers: str) -> Chunk:
    """Add a chunk, which the sweeper starts at once."""
    chunk = await chunks.chunk(*numbers)
    await chunks.database_write("UPDATE message SET sweep_at = now() WHERE tenant_id = :t")
    return chunk


async def test_members_end_as_the_table_says(harness: Harness, integrator: Integrator) -> None:
    chunks = ChunkHarness(harness.database, integrator.owner)
    numbers = [number(row.last_four) for row in ROWS]
    chunk = await start(chunks, *numbers)
    await integrator.all_ended()
    found = []
    for row, to, message_id in zip(ROWS, numbers, chunk.members, strict=True):
        message = await chunks.message(message_id)
        found.append(
            Row(
                last_four=row.last_four,
                status=message.status,
                error_code=message.error_code,
                provider_code=message.provider_code,
                copies=len(await harness.deliveries(to)),
                billed=message.billed_units,
                attempts=message.attempts,
            )
        )
    assert found == list(ROWS)
    assert await violations(integrator) == []


async def test_a_whole_chunk_of_ordinary_members_stays_in_its_chunk(
    harness: Harness, integrator: Integrator
) -> None:
    chunks = ChunkHarness(harness.database, integrator.owner)
    numbers = [number() for _ in range(100)]
    chunk = await start(chunks, *numbers)
    await integrator.all_ended()
    assert {await chunks.status(message_id) for message_id in chunk.members} == {"DELIVERED"}
    assert set(await harness.copies(numbers)) == {1}
    left = await chunks.rows("SELECT id FROM message WHERE tenant_id = :t AND chunk_id IS NULL")
    assert len(left) < 20  # all but those whose report came late on a busy machine
    assert await violations(integrator) == []
