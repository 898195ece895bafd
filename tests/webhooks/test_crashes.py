"""A worker ends at any step of a turn: the next turn delivers the rest, in order per message."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import timedelta
from enum import Enum, auto

import pytest
from sqlalchemy import text
from temporalio.exceptions import ApplicationError

from models.enums import WebhookDeliveryStatus
from models.session import Database
from providers.webhooks.results import WebhookBusy, WebhookResponse
from tests.factories import Owner
from tests.webhooks.harness import SECOND, EndpointHarness, make_harness
from tests.webhooks.receiver import Receiver, Reply, receiving

PENDING, SUCCEEDED, FAILED = WebhookDeliveryStatus


class Step(Enum):
    """Where the worker ends."""

    BEFORE_THE_POST = auto()
    AFTER_THE_POST = auto()
    WHILE_IT_CONCLUDES = auto()
    BEFORE_THE_NEXT_POST = auto()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


@pytest.fixture
async def harness(database: Database, owner: Owner, receiver: Receiver) -> EndpointHarness:
    return await make_harness(database, owner, receiver.url)


class Interrupted:
    """Posts, and stops for ever at a step, as if the process had ended there."""

    def __init__(self, harness: EndpointHarness, step: Step) -> None:
        self._plain = harness.post
        self._harness = harness
        self._step = step
        self._posts = 0
        self.reached = asyncio.Event()
        self.held = AsyncExitStack()

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, *, owner: int
    ) -> WebhookResponse:
        """Post, unless the worker ends before."""
        self._posts += 1
        if self._step is Step.BEFORE_THE_POST or (
            self._step is Step.BEFORE_THE_NEXT_POST and self._posts == 2
        ):
            await self._stop()
        if self._step is Step.WHILE_IT_CONCLUDES:
            await self._lock_deliveries()
        answer = await self._plain(url, headers, body, owner=owner)
        if self._step is Step.AFTER_THE_POST:
            await self._stop()
        return answer

    async def _lock_deliveries(self) -> None:
        db = await self.held.enter_async_context(self._harness.database.transaction())
        await db.execute(
            text(
                "SELECT 1 FROM webhook_delivery"
                " WHERE tenant_id = :tenant AND endpoint_id = :endpoint FOR SHARE"
            ),
            {
                "tenant": self._harness.endpoint.tenant_id,
                "endpoint": self._harness.endpoint.id,
            },
        )
        asyncio.get_running_loop().call_later(0.3, self.reached.set)

    async def _stop(self) -> None:
        self.reached.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("step", Step)
async def test_the_next_turn_delivers_what_was_not_stored(
    harness: EndpointHarness, receiver: Receiver, step: Step
) -> None:
    await harness.message("SENDING", "SENT", "DELIVERED")
    events = [str(d.event_id) for d in await harness.deliveries()]
    plain = harness.post
    interrupted = Interrupted(harness, step)
    harness.post = interrupted.post
    turn = asyncio.create_task(harness.turn())
    await asyncio.wait_for(interrupted.reached.wait(), 15)
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)
    await interrupted.held.aclose()

    harness.post = plain
    await harness.turn()
    again = step in (Step.AFTER_THE_POST, Step.WHILE_IT_CONCLUDES)
    assert receiver.ids == ([events[0]] if again else []) + events
    assert [(d.status, d.attempts) for d in await harness.deliveries()] == [(SUCCEEDED, 1)] * 3


async def test_of_two_workers_that_made_the_same_attempt_one_counts(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    receiver.reply = lambda _: Reply(status=500, after=0.3)
    await harness.message("SENDING", "SENT")
    await asyncio.gather(harness.turn(), harness.turn())
    assert len(receiver.requests) == 2
    assert [d.attempts for d in await harness.deliveries()] == [1, 0]
    receiver.reply = lambda _: Reply(after=0.3)
    harness.skipped += 10 * SECOND
    await asyncio.gather(harness.turn(), harness.turn())
    assert [(d.status, d.attempts) for d in await harness.deliveries()] == [
        (SUCCEEDED, 2),
        (SUCCEEDED, 1),
    ]


async def test_nothing_is_posted_once_another_worker_may_repeat_the_step(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    """The body takes so long that the attempt could outlast the activity."""
    await harness.message()
    harness.start_to_close = timedelta(seconds=20.2)
    plain = harness.bodies.render

    async def slow(events):  # type: ignore[no-untyped-def]
        await asyncio.sleep(0.4)
        return await plain(events)

    harness.bodies.render = slow  # type: ignore[method-assign]
    turn = asyncio.create_task(harness.turn())
    await asyncio.sleep(1)
    turn.cancel()
    await asyncio.gather(turn, return_exceptions=True)
    assert receiver.requests == []
    assert [d.attempts for d in await harness.deliveries()] == [0]


async def test_a_locked_row_is_concluded_once_it_is_free(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    await harness.message()
    async with harness.database.transaction() as db:
        await db.execute(
            text("SELECT 1 FROM webhook_delivery WHERE tenant_id = :t FOR SHARE"),
            {"t": harness.endpoint.tenant_id},
        )
        turn = asyncio.create_task(harness.turn())
        await asyncio.sleep(0.5)
        assert not turn.done()
    assert (await turn).succeeded == 1
    assert len(receiver.requests) == 1


async def test_a_busy_client_is_asked_again_and_counts_as_no_attempt(
    harness: EndpointHarness,
) -> None:
    async def busy(
        url: str, headers: Mapping[str, str], body: bytes, *, owner: int
    ) -> WebhookResponse:
        raise WebhookBusy

    await harness.message()
    plain, harness.post = harness.post, busy
    result = await harness.turn()
    assert (result.failed, result.pausing) == (0, True)
    assert result.next_in is not None
    assert SECOND <= result.next_in <= 3 * SECOND
    assert (await harness.reload()).failures == 0
    harness.post = plain
    assert (await harness.turn()).succeeded == 1


async def test_a_database_that_is_away_ends_no_delivery(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    async def away(events):  # type: ignore[no-untyped-def]
        raise ConnectionError("no database")

    await harness.message()
    plain = harness.bodies.render
    harness.bodies.render = away  # type: ignore[method-assign]
    with pytest.raises((ConnectionError, ApplicationError)):
        await harness.turn()
    assert [d.status for d in await harness.deliveries()] == [PENDING]
    harness.bodies.render = plain  # type: ignore[method-assign]
    assert (await harness.turn()).succeeded == 1


async def test_a_client_that_fails_unexpectedly_counts_as_an_attempt(
    harness: EndpointHarness,
) -> None:
    async def broken(
        url: str, headers: Mapping[str, str], body: bytes, *, owner: int
    ) -> WebhookResponse:
        raise RuntimeError(url)

    await harness.message()
    harness.post = broken
    assert (await harness.turn()).failed == 1
    delivery = await harness.only()
    assert (delivery.status, delivery.attempts, delivery.last_error) == (PENDING, 1, "PROTOCOL")


async def test_an_outcome_that_comes_late_does_not_take_back_later_attempts(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    receiver.reply = lambda _: Reply(status=500, after=1 if len(receiver.requests) == 1 else 0)
    await harness.message()
    late = asyncio.create_task(harness.turn())
    await asyncio.sleep(0.3)
    await harness.turn()
    await harness.turn(after=10 * SECOND)
    assert (await harness.only()).attempts == 2
    await late
    assert (await harness.only()).attempts == 2
