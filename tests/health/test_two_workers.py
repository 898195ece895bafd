"""Two running workers and two accounts, one of which hangs: each message is sent once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from models.enums import AttemptState
from models.rules.accounts.circuit import CircuitState
from models.session import Database
from providers.ports.messages import Answer, SendRequest
from tests.activities.doubles import AMBIGUOUS, Scripted
from tests.factories import Owner, unique
from tests.health.test_claims import Stage, Worker
from tests.health.workers import Account

MESSAGES = 150
AT_ONCE = 10


class Hanging(Scripted):
    """Takes the message and is silent until the call times out."""

    timeout = timedelta(seconds=0.3)

    async def send(self, request: SendRequest) -> Answer:
        await super().send(request)
        await asyncio.sleep(self.timeout.total_seconds())
        return AMBIGUOUS


@asynccontextmanager
async def running(*workers: Worker) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(worker.health.run()) for worker in workers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def dispatch_all(worker: Worker, messages: Iterator[int]) -> None:
    for message_id in messages:
        await worker.harness.dispatch(message_id)


async def test_a_hanging_account_is_left_by_both_workers_and_nothing_is_sent_twice(
    database: Database, owner: Owner
) -> None:
    hanging, healthy = Hanging(name=unique("hangs")[:32]), Scripted(name=unique("fine")[:32])
    stage = Stage(database, owner, [Account(database, hanging), Account(database, healthy)])
    workers = [stage.worker(), stage.worker()]
    accept = workers[0].harness.accept
    ids = [await accept() for _ in range(MESSAGES)]
    messages = iter(ids)
    async with running(*workers):
        await asyncio.gather(
            *(dispatch_all(workers[n % 2], messages) for n in range(AT_ONCE)),
        )
        assert await stage.first.state() is not CircuitState.CLOSED
        for worker in workers:
            await worker.health.settle()
        before = len(hanging.sent)
        late = iter([await accept() for _ in range(20)])
        await asyncio.gather(*(dispatch_all(worker, late) for worker in workers))
        assert len(hanging.sent) - before <= 2  # probes, if ten seconds have passed
    sent = Counter(request.reference for one in (hanging, healthy) for request in one.sent)
    assert len(sent) == MESSAGES + 20
    assert set(sent.values()) == {1}
    assert len(healthy.sent) > 20
    states = {
        state for message_id in ids for _, state in await workers[0].harness.attempts(message_id)
    }
    assert states == {AttemptState.AMBIGUOUS, AttemptState.ACCEPTED}
