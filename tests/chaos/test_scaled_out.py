"""Several APIs and workers on one Temporal and one Postgres; some are killed."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import cycle

import httpx
import pytest
from sqlalchemy import text
from temporalio.client import Client

from tests.chaos.invariants import violations
from tests.chaos.payments import Buyer
from tests.chaos.scaled_out import (
    APIS,
    BURST,
    FLEETS,
    RATE,
    at_each_api,
    polled_queues,
    scaled_out,
)
from tests.chaos.test_killed_webhooks import (
    MESSAGES,
    WHOLE,
    all_told,
    by_message,
    receiver,
    without_repeats,
)
from tests.chaos.test_killed_workers import MIXTURE
from tests.e2e.harness import ORDINARY, Harness, Integrator, number, until
from tests.factories import unique
from tests.webhooks.endpoints import make_endpoint
from tests.webhooks.receiver import Receiver
from workflows import names
from workflows.payloads import data_converter

pytestmark = [
    pytest.mark.xdist_group("chaos"),
    # A webhook whose wake-up was lost with its worker waits two minutes.
    pytest.mark.timeout(240),
]

__all__ = ["receiver"]


@pytest.fixture(scope="module")
async def fleet(status: Harness) -> AsyncIterator[Harness]:
    """The stack with more processes; no test of this module repairs it."""
    async with scaled_out(status.stack):
        yield status


@pytest.fixture
async def integrator(fleet: Harness) -> Integrator:
    return await fleet.integrator()


@pytest.fixture(scope="module")
async def client(status: Harness) -> Client:
    return await Client.connect(status.stack.temporal_address, data_converter=data_converter)


async def test_each_worker_polls_the_queues_that_it_names_and_says_so(
    fleet: Harness, client: Client
) -> None:
    for name, queues in FLEETS.items():
        for path in ("healthz", "readyz"):
            answer = await fleet.http.get(f"{fleet.stack.url(name)}/{path}")
            assert (answer.status_code, answer.json()["queues"]) == (200, sorted(queues))

    async def as_named() -> bool:
        return await polled_queues(fleet, client) == FLEETS

    await until(as_named)


async def test_requests_spread_over_two_apis_have_one_limit(integrator: Integrator) -> None:
    seconds = 5.0
    began = time.monotonic()
    answers = await asyncio.gather(*(_ask(one, seconds) for one in at_each_api(integrator)))
    took = time.monotonic() - began

    statuses = sum(answers, Counter[int]())
    assert set(statuses) == {200, 429}
    # Each further process may serve one burst before they know of each other.
    assert statuses[200] <= len(APIS) * BURST + RATE * took
    assert statuses[200] >= 0.6 * (BURST + RATE * took)


async def test_what_two_apis_are_asked_with_one_key_at_once_is_one_action(
    fleet: Harness, integrator: Integrator
) -> None:
    sends = {unique("key"): number() for _ in range(12)}
    key, reference = unique("key"), unique("ref")
    both = at_each_api(integrator)

    messages, payments, keys = await asyncio.gather(
        asyncio.gather(*(one.accepted(sends[key], key=key) for key in sends for one in both)),
        asyncio.gather(*(Buyer(one).bought(key=key, referenceId=reference) for one in both)),
        asyncio.gather(
            *(one.post("/keys", {"name": "CRM", "scopes": ["read"]}, key=key) for one in both)
        ),
    )

    assert len(set(messages)) == len(sends)
    assert len(set(payments)) == 1
    assert len({answer.json()["keyId"] for answer in keys}) == 1
    assert sum("apiSecret" in answer.json() for answer in keys) == 1
    await integrator.all_ended()
    assert await fleet.copies(sends.values()) == [1] * len(sends)
    assert [charge["amountCents"] for charge in await Buyer(integrator).listed()] == [4900]
    assert await violations(integrator) == []


async def test_with_four_workers_every_pump_pumps_once(
    fleet: Harness, integrator: Integrator, receiver: Receiver, client: Client
) -> None:
    await make_endpoint(fleet.database, integrator.owner, url=receiver.url, events=MESSAGES)
    per_second = 8
    await _limit_sender(fleet, integrator, per_second)
    apis = cycle(at_each_api(integrator))
    messages = await asyncio.gather(*(next(apis).accepted(number()) for _ in range(24)))

    await integrator.all_ended()
    await all_told(receiver, messages)
    assert by_message(receiver.requests) == dict.fromkeys(messages, WHOLE)
    # A claim precedes its slot by half a second at most.
    assert await _sending_took(integrator) >= (len(messages) - 1) / per_second - 0.6
    for workflow in (names.SWEEPER_ID, names.WATCHER_ID):
        query = f"WorkflowType = '{workflow}' AND ExecutionStatus = 'Running'"
        assert [run.id async for run in client.list_workflows(query)] == [workflow]
    assert [entry.id async for entry in await client.list_schedules()] == [names.CLOSE_DAYS_ID]


async def test_when_one_of_each_kind_is_killed_the_others_go_on(
    fleet: Harness, receiver: Receiver
) -> None:
    told, other = [await fleet.integrator() for _ in range(2)]
    await make_endpoint(fleet.database, told.owner, url=receiver.url, events=MESSAGES)
    sends = [
        (replace(integrator, api=api), unique("key"), number(last_four))
        for last_four in MIXTURE * 2
        for integrator, last_four in ((told, ORDINARY), (other, last_four))
        for api in APIS
    ]
    accepting = asyncio.gather(*(_accepted_somewhere(*send) for send in sends))
    await until(lambda: _some_attempted(told), every=0.01)
    for name in ("api-3", "worker-2", "worker-4"):
        fleet.stack.kill(name)

    messages = await accepting
    assert len(set(messages)) == len(sends)
    for integrator in (told, other):
        await integrator.all_ended()
        assert await violations(integrator) == []
    assert await fleet.copies(to for _, _, to in sends) == [1] * len(sends)
    with_events = messages[0::4] + messages[1::4]
    await all_told(receiver, with_events, within=150)
    types = by_message(receiver.requests)
    assert {message: without_repeats(types[message]) for message in with_events} == dict.fromkeys(
        with_events, WHOLE
    )


async def _ask(integrator: Integrator, seconds: float) -> Counter[int]:
    """Request something cheap three times as often as is allowed; return the statuses."""
    requests: list[asyncio.Task[httpx.Response]] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        requests.append(asyncio.create_task(integrator.get("/alerts")))
        await asyncio.sleep(1 / (3 * RATE))
    return Counter(answer.status_code for answer in await asyncio.gather(*requests))


async def _accepted_somewhere(integrator: Integrator, key: str, to: str) -> str:
    """Send; once the API is gone, send again with the same key to the other one."""
    while True:
        try:
            answer = await integrator.send(to, key=key)
        except httpx.TransportError:
            integrator = replace(integrator, api=APIS[0])
            continue
        if answer.status_code == 200:
            message_id: str = answer.json()["messageId"]
            return message_id
        assert answer.status_code in (429, 503), answer.text
        await asyncio.sleep(0.3)


async def _some_attempted(integrator: Integrator) -> bool:
    return bool(
        await integrator.harness.rows(
            "SELECT 1 FROM attempt WHERE tenant_id = :tenant LIMIT 1",
            tenant=integrator.owner.tenant_id,
        )
    )


async def _limit_sender(harness: Harness, integrator: Integrator, per_second: int) -> None:
    async with harness.database.transaction() as db:
        await db.execute(
            text("UPDATE sender_number SET segments_per_second = :limit WHERE tenant_id = :tenant"),
            {"limit": per_second, "tenant": integrator.owner.tenant_id},
        )


async def _sending_took(integrator: Integrator) -> float:
    """Return the seconds from the first to the last attempt."""
    [(seconds,)] = await integrator.harness.rows(
        "SELECT extract(epoch FROM max(requested_at) - min(requested_at))::float8 FROM attempt"
        " WHERE tenant_id = :tenant",
        tenant=integrator.owner.tenant_id,
    )
    return float(seconds)
