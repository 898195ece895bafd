"""Workers are killed while chunks are sent: no second copy, and nothing is lost."""

import asyncio
from collections import Counter

import pytest

from models.enums import MessageStatus as S
from tests.batches.sending.harness import ChunkHarness
from tests.chaos.invariants import violations
from tests.chaos.test_killed_workers import MIXTURE
from tests.e2e.harness import Harness, Integrator, number
from tests.e2e.test_chunks import start

pytestmark = pytest.mark.xdist_group("chaos")


async def _restart_worker(harness: Harness) -> None:
    harness.stack.kill("worker")
    await asyncio.to_thread(harness.stack.start, "worker")


@pytest.mark.parametrize("after", [1.2, 1.6, 2.2])
async def test_workers_killed_twice_amid_chunks_leave_every_member_with_one_end(
    harness: Harness, integrator: Integrator, after: float
) -> None:
    chunks = ChunkHarness(harness.database, integrator.owner)
    numbers = [number(last_four) for last_four in MIXTURE * 10]
    first, second = await start(chunks, *numbers[:30]), await start(chunks, *numbers[30:])
    members = [*first.members, *second.members]
    await asyncio.sleep(after)
    await _restart_worker(harness)
    await asyncio.sleep(0.7)
    await _restart_worker(harness)

    await integrator.all_ended(within=60)
    # A claim without a call is proven absent only after its deadline, which on a busy machine may
    # be after the horizon: such a member ends UNKNOWN, with no copy.
    statuses = Counter([await chunks.status(message_id) for message_id in members])
    assert set(statuses) <= {S.DELIVERED, S.UNKNOWN}
    assert statuses[S.DELIVERED] > len(members) / 2
    copies = Counter(await harness.copies(numbers))
    assert set(copies) <= {0, 1}
    assert copies[0] <= statuses[S.UNKNOWN]
    assert await violations(integrator) == []
