"""From event to request: the poller wakes the workflow of an endpoint, which delivers and ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from activities.webhooks.wake_ups import WebhookWakeUps
from cli.dev.postgres import EmbeddedPostgres
from cli.dev.temporal import EmbeddedTemporal
from cli.worker.composition import assemble
from cli.worker.queues import workers
from models.queries.webhooks import deliveries_due, wake_ups
from models.queries.webhooks.deliveries_due import EndpointKey
from models.session import Database
from models.settings import Settings
from providers.routing import Routes
from providers.vendors import Vendors
from tests.contacts import CONTACT_KEYS
from tests.factories import make_message, make_owner, new_message, unique
from tests.stack import async_url, make_database
from tests.webhook_key import WEBHOOK_KEY_FILE
from tests.webhooks.endpoints import deliveries_of, make_endpoint
from tests.webhooks.harness import EndpointHarness, make_harness
from tests.webhooks.receiver import Receiver, Reply, receiving
from tests.workflows.harness import until
from workflows import names
from workflows.payloads import data_converter

EVERY = timedelta(milliseconds=100)


@pytest.fixture
async def alone(postgres: EmbeddedPostgres, database_url: str) -> AsyncIterator[Database]:
    """A database without other tests' endpoints: all tenants are looked at at once."""
    url = make_database(postgres, unique("waking").replace("-", "_"))
    database = Database(async_url(url), pool_size=10, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


@pytest.fixture
async def harness(alone: Database, receiver: Receiver) -> EndpointHarness:
    return await make_harness(alone, await make_owner(alone), receiver.url)


@dataclass
class Deployment:
    """Workers of the queue `webhooks`, each with its poller."""

    database: Database
    address: str
    queues: tuple[str, ...] = (names.WEBHOOKS,)

    async def start(self, held: AsyncExitStack) -> None:
        """Start one worker."""
        client = await Client.connect(self.address, data_converter=data_converter)
        settings = Settings(
            database_url=SecretStr("postgresql://nowhere"),
            webhook_key_file=WEBHOOK_KEY_FILE,
            webhook_local_urls=True,
            webhook_wake_every=EVERY,
        )
        parts = assemble(settings, self.database, client, Vendors(routes=Routes([], {})))
        for worker in workers(client, parts, self.queues):
            await held.enter_async_context(worker)
        held.callback(asyncio.create_task(parts.wake_ups.run()).cancel)


@pytest.fixture
async def deployment(
    alone: Database, temporal: EmbeddedTemporal, client: Client
) -> AsyncIterator[Deployment]:
    async with AsyncExitStack() as held:
        started = Deployment(alone, temporal.address)
        for _ in range(2):
            await started.start(held)
        yield started


async def status_of(client: Client, harness: EndpointHarness) -> WorkflowExecutionStatus | None:
    """Return the status of the endpoint's workflow; None if it never ran."""
    workflow_id = names.deliver_webhooks_id(harness.endpoint.tenant_id, harness.endpoint.public_id)
    try:
        return (await client.get_workflow_handle(workflow_id).describe()).status
    except RPCError:
        return None


async def until_ended(client: Client, harness: EndpointHarness) -> None:
    """Wait until the endpoint's workflow has ended.

    One that is left would deliver for the next test's endpoint, whose row ids are the same.
    """

    async def has_ended() -> bool:
        return await status_of(client, harness) is WorkflowExecutionStatus.COMPLETED

    await until(has_ended)


async def test_an_event_is_delivered_within_a_second_and_the_workflow_ends(
    harness: EndpointHarness, receiver: Receiver, deployment: Deployment, client: Client
) -> None:
    await harness.message("SENDING", "SENT")

    await until_ended(client, harness)
    assert [r.event["type"] for r in receiver.requests] == ["message.accepted", "message.sent"]
    assert [r.event["data"]["status"] for r in receiver.requests] == ["QUEUED", "SENT"]
    assert (await harness.reload()).awake_since is None
    created = {d.event_id: d.created_at for d in await harness.deliveries()}
    took = [
        d.last_attempt_at - created[d.event_id]
        for d in await harness.deliveries()
        if d.last_attempt_at is not None
    ]
    assert len(took) == 2

    await harness.message()

    async def third() -> bool:
        return len(receiver.requests) == 3

    await until(third)
    await until_ended(client, harness)


async def test_each_event_of_a_burst_is_delivered_once(
    harness: EndpointHarness, receiver: Receiver, deployment: Deployment, client: Client
) -> None:
    for _ in range(60):
        await harness.message()

    async def all_arrived() -> bool:
        return len(receiver.requests) >= 60

    await until(all_arrived)
    await until_ended(client, harness)
    assert len(set(receiver.ids)) == len(receiver.ids) == 60


async def test_a_hanging_endpoint_does_not_delay_another(
    harness: EndpointHarness,
    alone: Database,
    receiver: Receiver,
    deployment: Deployment,
) -> None:
    receiver.reply = lambda request: Reply(hang=request.path == "/hangs")
    for _ in range(3):
        owner = await make_owner(alone)
        await make_endpoint(alone, owner, url=f"{receiver.url}/hangs")
        for _ in range(3):
            await make_message(alone, new_message(owner))

    async def are_hanging() -> bool:
        return receiver.in_flight["/hangs"] == 3

    await until(are_hanging)
    began = datetime.now(UTC)
    await harness.message()

    async def delivered() -> bool:
        return any(request.path == "/" for request in receiver.requests)

    await until(delivered)
    assert datetime.now(UTC) - began < timedelta(seconds=5)
    assert receiver.most["/hangs"] == 3


async def test_an_endpoint_is_woken_by_one_of_several_and_not_again_while_it_is_awake(
    harness: EndpointHarness, alone: Database
) -> None:
    await harness.message()

    async def look() -> list[int]:
        async with alone.statement() as db:
            return [key.public_id for key in await wake_ups.take_sleeping(db, most=10)]

    woken = await asyncio.gather(*(look() for _ in range(8)))
    assert sorted(woken) == [*[[]] * 7, [harness.endpoint.public_id]]
    assert await look() == []
    async with alone.statement() as db:
        await wake_ups.put_back(db, [key_of(harness)])
    assert await look() == [harness.endpoint.public_id]
    await harness.set(awake_since=datetime.now(UTC) - wake_ups.LOST_AFTER)
    assert await look() == [harness.endpoint.public_id]


def key_of(harness: EndpointHarness) -> EndpointKey:
    assert harness.endpoint.id is not None
    return EndpointKey(
        tenant_id=harness.endpoint.tenant_id,
        endpoint_id=harness.endpoint.id,
        public_id=harness.endpoint.public_id,
    )


async def test_what_is_due_later_wakes_nobody_until_then(
    harness: EndpointHarness, alone: Database
) -> None:
    await harness.message()
    later = datetime.now(UTC) + timedelta(hours=1)
    await harness.write(
        "UPDATE webhook_delivery SET due_at = :due"
        " WHERE tenant_id = :tenant AND endpoint_id = :endpoint",
        due=later,
    )
    async with alone.statement() as db:
        assert await wake_ups.take_sleeping(db, most=10) == []
        assert await deliveries_due.rest(db, key_of(harness), now=datetime.now(UTC)) == later


async def test_many_pending_deliveries_of_one_endpoint_cost_a_look_nothing(
    harness: EndpointHarness, alone: Database
) -> None:
    await harness.message()
    other = await make_owner(alone)
    endpoint = await make_endpoint(alone, other)
    await make_message(alone, new_message(other))
    await harness.write(
        "INSERT INTO webhook_delivery (tenant_id, endpoint_id, event_id, type, merchant_id,"
        " subject, subject_id, number, state, status, attempts, due_at, created_at)"
        " SELECT :tenant, :endpoint, n, 'webhook.test', 0, 'TEST', n, 1, '{}', 'PENDING', 0,"
        " now(), now() FROM generate_series(1, 20000) n"
    )
    async with alone.statement() as db:
        await db.execute(text("ANALYZE webhook_delivery"))
        await db.execute(text("ANALYZE webhook_endpoint"))
    async with alone.transaction() as db:
        plan = await db.execute(
            text(
                "EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF, FORMAT JSON) "
                + wake_ups.TAKE_SLEEPING.text
            ),
            {"lost_after": wake_ups.LOST_AFTER, "most": 10},
        )
        (tree,) = plan.scalar_one()
    read = rows_read(tree["Plan"], "webhook_delivery")
    assert 2 <= read <= 20
    assert len(await deliveries_of(alone, endpoint)) == 1


def rows_read(plan: dict, table: str) -> float:  # type: ignore[type-arg]
    """Return how many rows the scans of a table have read."""
    own = plan.get("Relation Name") == table or "webhook_delivery" in plan.get("Index Name", "")
    read = plan["Actual Rows"] * plan["Actual Loops"] if own else 0
    read += plan.get("Rows Removed by Filter", 0) * plan["Actual Loops"] if own else 0
    return read + sum(rows_read(child, table) for child in plan.get("Plans", []))


async def test_a_look_survives_that_temporal_is_away(
    harness: EndpointHarness, alone: Database
) -> None:
    await harness.message()
    away = await Client.connect("127.0.0.1:1", lazy=True)
    assert await WebhookWakeUps(alone, away, EVERY).look() == 0
    assert (await harness.reload()).awake_since is None
