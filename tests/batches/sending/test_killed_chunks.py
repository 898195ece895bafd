"""A worker that dies at any step of a chunk: nothing is doubled, nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

import pytest

from models.enums import MessageStatus, ReportStatus
from models.session import Database, ReadSession, WriteSession
from providers.ports.messages import (
    Accepted,
    Ambiguous,
    Answer,
    LookUp,
    LookUpRequest,
    SendRequest,
)
from tests.activities.doubles import (
    ACCEPTED,
    AMBIGUOUS,
    FOUND,
    NOT_FOUND,
    NOT_PROCESSED,
    REFUSED_EVERYWHERE,
    Scripted,
    own_id,
)
from tests.batches.sending.harness import Chunk, ChunkHarness
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner
from tests.stack import async_url

S = MessageStatus
MEMBERS = 7


class Killed(BaseException):
    """The process dies: no code of the activity handles it."""


class When(StrEnum):
    """When it dies, around a use of the database."""

    BEFORE = "before"
    """Nothing is written."""
    AFTER = "after"
    """What is written is committed, and nobody learns that."""


class MortalDatabase(Database):
    """Dies at a given use, counted from 1; every later use dies, too."""

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.uses = 0
        self.dies_at = 0
        self.when = When.BEFORE

    def arm(self, dies_at: int, when: When) -> None:
        """Count from now on; 0 means that it does not die."""
        self.uses, self.dies_at, self.when = 0, dies_at, when

    @property
    def dead(self) -> bool:
        return 0 < self.dies_at <= self.uses

    @asynccontextmanager
    async def _use(self) -> AsyncIterator[None]:
        self.uses += 1
        if self.dead and (self.when is When.BEFORE or self.uses > self.dies_at):
            raise Killed
        dying = self.dead
        yield
        if dying:
            raise Killed

    @asynccontextmanager
    async def transaction(self, *args: Any, **options: Any) -> AsyncIterator[WriteSession]:
        async with self._use(), super().transaction(*args, **options) as db:
            yield db

    @asynccontextmanager
    async def statement(self, *args: Any, **options: Any) -> AsyncIterator[WriteSession]:
        async with self._use(), super().statement(*args, **options) as db:
            yield db

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        async with self._use(), super().read() as db:
            yield db


class Carrier(Scripted):
    """Has a fate for each recipient, and counts the copies that it delivers to each.

    A lost answer hides whether it has the message; a look-up shows it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copies: Counter[str] = Counter()
        self._taken: set[str] = set()
        self._put_off: set[str] = set()

    async def send(self, request: SendRequest) -> Answer:
        answer = self._fate(request.to)
        if isinstance(answer, Accepted | Ambiguous):
            self.copies[request.to] += 1
            self._taken.add(request.reference)
        await asyncio.sleep(0.001)
        if answer is ACCEPTED:
            return Accepted(provider_message_id=own_id(request.reference))
        return answer

    async def look_up(self, request: LookUpRequest) -> LookUp:
        self.find(FOUND if request.reference in self._taken else NOT_FOUND)
        return await super().look_up(request)

    def _fate(self, to: str) -> Answer:
        match int(to[-1]):
            case 3:
                return AMBIGUOUS
            case 5:
                return REFUSED_EVERYWHERE
            case 6 if to not in self._put_off:
                self._put_off.add(to)
                return NOT_PROCESSED
            case _:
                return ACCEPTED


@pytest.fixture
async def mortal(database_url: str) -> AsyncIterator[MortalDatabase]:
    """A database that a test may let die."""
    database = MortalDatabase(async_url(database_url), pool_size=10, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


async def _life(harness: ChunkHarness, chunk: Chunk) -> None:
    """Do what the workflow of a chunk does, from its beginning; a report comes in between."""
    await harness.send(chunk)
    await _report(harness, chunk)
    await harness.end(chunk)
    await harness.end(chunk, leave=True)


async def _report(harness: ChunkHarness, chunk: Chunk) -> None:
    accepted = await harness.rows(
        "SELECT a.message_id FROM attempt a JOIN message m ON m.tenant_id = a.tenant_id"
        " AND m.id = a.message_id WHERE a.tenant_id = :t AND a.state = 'ACCEPTED'"
        " AND m.completed_at IS NULL ORDER BY 1"
    )
    # The report of the last one never comes.
    told = [row.message_id for row in accepted if row.message_id in chunk.members[:-1]]
    await harness.tell_all(told)


async def _killed(harness: ChunkHarness, chunk: Chunk, database: MortalDatabase) -> bool:
    """Live until death; return whether it died."""
    try:
        await _life(harness, chunk)
    except BaseException as error:
        if not _is_killed(error):
            raise
    return database.dead


def _is_killed(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return any(_is_killed(part) for part in error.exceptions)
    return isinstance(error, Killed)


@pytest.mark.parametrize("when", When)
async def test_a_chunk_that_is_killed_at_any_step_ends_every_member_once(
    mortal: MortalDatabase, owner: Owner, when: When
) -> None:
    dies_at, died = 0, True
    while died:
        dies_at += 1
        carrier = Carrier()
        harness = ChunkHarness(mortal, owner, carrier, slots=6)
        chunk = await harness.chunk(MEMBERS)
        mortal.arm(dies_at, when)
        died = await _killed(harness, chunk, mortal)
        mortal.arm(0, when)
        # Another worker runs the step again; what left is continued by the sweeper.
        await _life(harness, chunk)
        assert await harness.remaining(chunk) == []
        # Time passes: no byte of an attempt is written after its deadline.
        await harness.database_write("UPDATE attempt SET deadline = now() WHERE tenant_id = :t")
        for message_id in chunk.members:
            await _continue(harness, message_id)
        statuses = [await harness.status(message_id) for message_id in chunk.members]
        assert statuses == [S.DELIVERED] * 5 + [S.FAILED, S.DELIVERED], dies_at
        assert set(carrier.copies.values()) == {1}, dies_at
        assert len(carrier.copies) == MEMBERS - 1
        assert await harness.broken_laws() == []
    assert dies_at > 15


async def _continue(harness: ChunkHarness, message_id: int) -> None:
    row = await harness.message(message_id)
    if row.completed_at is None:
        assert row.chunk_id is None
        await harness.complete(message_id)


async def test_members_settle_once_when_the_first_settlement_was_committed_unseen(
    mortal: MortalDatabase, owner: Owner
) -> None:
    harness = ChunkHarness(mortal, owner, Scripted())
    chunk = await harness.chunk(5, units=2)
    await harness.send(chunk)
    await harness.tell_all(chunk.members, ReportStatus.DELIVERED)
    mortal.arm(2, When.AFTER)  # 1 is the look at the open members
    with pytest.raises(Killed):
        await harness.end(chunk)
    mortal.arm(0, When.AFTER)
    assert [await harness.status(id) for id in chunk.members] == [S.DELIVERED] * 5
    assert (await harness.end(chunk)).ended == {}
    assert await harness.units() == (0, 10)
    assert await harness.broken_laws() == []
