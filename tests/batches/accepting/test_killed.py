"""A worker that dies while it accepts lines: nothing is doubled, nothing is lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from temporalio.testing import ActivityEnvironment

from activities.messages.batches.accept_lines import AcceptingLines
from api.services.messages.batches.acceptance import BatchAcceptance
from models.database.transaction_limits import LockScope
from models.rules.messages.batches.acceptance import BatchKey
from models.rules.messages.batches.identity import ChunkStart
from models.rules.waits import SendWaits
from models.session import Database, WriteSession
from tests.batches.accepting.harness import Batches, number, sms
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner, make_owner
from tests.ledger.laws import check_laws
from tests.workflows.harness import WAITS
from workflows.messages.batches.types import AcceptLinesResult, AcceptLinesStep

LINES: Final = 23
PAGE: Final = 4


class Killed(BaseException):
    """The worker died here: no code of the step handles it."""


class DyingDatabase(Database):
    """Fails at one transaction, before or after its commit."""

    def __init__(self, url: str, *, at: int, committed: bool) -> None:
        super().__init__(url, pool_size=4, contact_keys=CONTACT_KEYS)
        self._left = at
        self._committed = committed

    @asynccontextmanager
    async def transaction(
        self, lock_scope: LockScope | None = None, *, wait_when_locked: bool = False
    ) -> AsyncIterator[WriteSession]:
        """Open a transaction; one of them fails."""
        self._left -= 1
        dies = self._left == 0
        async with super().transaction(lock_scope, wait_when_locked=wait_when_locked) as db:
            yield db
            if dies and not self._committed:
                raise Killed
        if dies:
            raise Killed


@dataclass
class Starter:
    """Records started chunks; fails at one of them."""

    dies_at: int = 0
    started: list[ChunkStart] = field(default_factory=list)

    async def __call__(self, chunk: ChunkStart, waits: SendWaits) -> None:
        """Start a chunk."""
        self.started.append(chunk)
        if len(self.started) == self.dies_at:
            raise Killed


async def run(accepting: AcceptingLines, batch: BatchKey, *, attempt: int = 1) -> AcceptLinesResult:
    """Run the step once, as Temporal does."""
    environment = ActivityEnvironment()
    now = datetime.now(UTC)
    environment.info = replace(environment.info, attempt=attempt, scheduled_time=now)
    step = AcceptLinesStep(
        tenant_id=batch.tenant_id, batch_id=batch.batch_id, public_id=batch.public_id, waits=WAITS
    )
    result: AcceptLinesResult = await environment.run(accepting.accept_lines, step)
    return result


async def to_the_end(accepting: AcceptingLines, batch: BatchKey, *, attempt: int) -> None:
    """Run the step until no line is left."""
    while not (await run(accepting, batch, attempt=attempt)).decided:
        attempt = 1


async def check(batches: Batches, owner: Owner, batch: BatchKey, starter: Starter) -> None:
    """Check that each line is one message, and that each message's chunk was started."""
    messages = await batches.messages(owner.tenant_id)
    assert [m.to_contact for m in messages] == [number(place) for place in range(LINES)]
    decided = await batches.decided(batch)
    assert [line.message_id for line in decided] == [message.id for message in messages]
    row = await batches.row(batch)
    assert (row.accepted, row.refused, row.next_line) == (LINES, 0, LINES + 1)
    assert {m.chunk_id for m in messages} == {chunk.chunk_id for chunk in starter.started}
    sizes = {chunk.chunk_id: chunk.members for chunk in starter.started}
    assert sizes == {chunk: sum(m.chunk_id == chunk for m in messages) for chunk in sizes}
    await check_laws(batches.database, owner, [(0, 1000)])


async def stored(batches: Batches) -> tuple[Owner, BatchKey]:
    owner = await make_owner(batches.database)
    lines = [sms(number(place)) for place in range(LINES)]
    return owner, await batches.store(owner.tenant_id, lines, merchant=owner.merchant)


@pytest.mark.parametrize("committed", [False, True], ids=["before the commit", "after it"])
@pytest.mark.parametrize("at", range(1, 6))
async def test_at_each_transaction(
    batches: Batches, database: Database, at: int, committed: bool
) -> None:
    owner, batch = await stored(batches)
    starter = Starter()
    url = database.engine.url.render_as_string(hide_password=False)
    dying = DyingDatabase(url, at=at, committed=committed)
    first = AcceptingLines(dying, batches.acceptance(page=PAGE, database=dying), starter)
    with pytest.raises(Killed):
        await run(first, batch)
    await dying.close()
    second = AcceptingLines(database, batches.acceptance(page=PAGE), starter)
    await to_the_end(second, batch, attempt=2)
    await check(batches, owner, batch, starter)


@pytest.mark.parametrize("at", range(1, 6))
async def test_at_each_start_of_a_chunk(batches: Batches, database: Database, at: int) -> None:
    owner, batch = await stored(batches)
    starter = Starter(dies_at=at)
    accepting = AcceptingLines(database, batches.acceptance(page=PAGE), starter)
    with pytest.raises(Killed):
        await run(accepting, batch)
    await to_the_end(accepting, batch, attempt=2)
    await check(batches, owner, batch, starter)


async def test_a_first_try_starts_no_earlier_chunk_again(
    batches: Batches, database: Database
) -> None:
    _, batch = await stored(batches)
    starter = Starter()
    accepting = AcceptingLines(database, batches.acceptance(page=PAGE), starter)
    await to_the_end(accepting, batch, attempt=1)
    assert len(starter.started) == len({chunk.chunk_id for chunk in starter.started}) == 6


async def test_few_batches_are_accepted_at_once(batches: Batches, database: Database) -> None:
    running = most = 0

    class Slow(BatchAcceptance):
        async def accept_page(self, batch: BatchKey):  # type: ignore[no-untyped-def]
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.02)
            page = await super().accept_page(batch)
            running -= 1
            return page

    real = batches.acceptance()
    slow = Slow(database, real._permissions, real._admission, grace=timedelta(minutes=1))
    accepting = AcceptingLines(database, slow, Starter())
    all_stored = [await stored(batches) for _ in range(5)]
    results = await asyncio.gather(*(run(accepting, batch) for _, batch in all_stored))
    assert most == 2
    assert [result.decided for result in results] == [True, True, False, False, False]
    assert {result.wait for result in results[2:]} == {timedelta(seconds=1)}
    await asyncio.gather(*(to_the_end(accepting, batch, attempt=1) for _, batch in all_stored))
    assert most == 2
    for _, batch in all_stored:
        assert (await batches.row(batch)).decided_at is not None
