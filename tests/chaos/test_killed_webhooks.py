"""Workers are killed at each step of a delivery: every event arrives, in order per message."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

import pytest

from models.enums import WebhookEventType
from tests.e2e.harness import Harness, Integrator, number, until
from tests.webhooks.endpoints import deliveries_of, make_endpoint
from tests.webhooks.receiver import Received, Receiver, Reply, receiving

pytestmark = pytest.mark.xdist_group("chaos")

MESSAGES = [kind for kind in WebhookEventType if kind.startswith("message.")]
WHOLE = ["message.accepted", "message.sent", "message.delivered"]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


async def restart_worker(harness: Harness) -> None:
    harness.stack.kill("worker")
    await asyncio.to_thread(harness.stack.start, "worker")


def by_message(requests: Sequence[Received]) -> dict[str, list[str]]:
    """Return the types of the requests about each message, in the order in which they came."""
    types: defaultdict[str, list[str]] = defaultdict(list)
    for request in requests:
        types[request.event["data"]["messageId"]].append(request.event["type"])
    return types


def without_repeats(types: Sequence[str]) -> list[str]:
    """Leave out what repeats its predecessor: an event whose answer was lost is sent again."""
    return [kind for place, kind in enumerate(types) if place == 0 or types[place - 1] != kind]


async def all_told(receiver: Receiver, messages: Sequence[str], *, within: float = 60) -> None:
    """Wait until the receiver was told the end of each message."""

    async def told() -> bool:
        types = by_message(receiver.requests)
        return all(WHOLE[-1] in types[message] for message in messages)

    await until(told, within)


async def test_events_recorded_while_no_worker_runs_are_delivered(
    harness: Harness, integrator: Integrator, receiver: Receiver
) -> None:
    await make_endpoint(harness.database, integrator.owner, url=receiver.url, events=MESSAGES)
    harness.stack.kill("worker")
    message = await integrator.accepted(number())
    await asyncio.sleep(0.5)
    assert receiver.requests == []
    await asyncio.to_thread(harness.stack.start, "worker")
    await all_told(receiver, [message])
    assert by_message(receiver.requests) == {message: WHOLE}


@pytest.mark.parametrize("step", range(3), ids=WHOLE)
async def test_a_worker_killed_before_the_answer_sends_the_event_again_with_the_same_id(
    harness: Harness, integrator: Integrator, receiver: Receiver, step: int
) -> None:
    endpoint = await make_endpoint(
        harness.database, integrator.owner, url=receiver.url, events=MESSAGES
    )
    receiver.reply = lambda request: Reply(hang=request.event["type"] == WHOLE[step])
    message = await integrator.accepted(number())

    async def hangs() -> bool:
        return receiver.in_flight["/"] == 1

    await until(hangs, 40)
    receiver.reply = lambda _: Reply()
    await restart_worker(harness)

    async def stored() -> bool:
        found = await deliveries_of(harness.database, endpoint)
        return [(d.status, d.attempts) for d in found] == [("SUCCEEDED", 1)] * 3

    await until(stored, 40)
    expected = [*WHOLE[: step + 1], *WHOLE[step:]]
    assert by_message(receiver.requests) == {message: expected}
    assert len(set(receiver.ids)) == 3


async def test_workers_killed_after_an_answer_lose_nothing_and_keep_the_order(
    harness: Harness, integrator: Integrator, receiver: Receiver
) -> None:
    await make_endpoint(harness.database, integrator.owner, url=receiver.url, events=MESSAGES)
    messages = [await integrator.accepted(number()) for _ in range(10)]
    for arrived in (1, 8, 16):
        enough = arrived

        async def have_arrived(enough: int = enough) -> bool:
            return len(receiver.requests) >= enough

        await until(have_arrived, 40)
        await restart_worker(harness)
    await all_told(receiver, messages)
    types = by_message(receiver.requests)
    assert {message: without_repeats(types[message]) for message in messages} == dict.fromkeys(
        messages, WHOLE
    )
