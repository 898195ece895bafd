"""One tenant's endpoints, however many hang, leave slots of a worker to the others."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import pytest
from sqlalchemy import text
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.webhooks.deliver import WebhookDeliveries
from activities.webhooks.tenant_shares import TenantShares
from activities.webhooks.turn import Tools
from cli.dev.postgres import EmbeddedPostgres
from models.queries.webhooks import wake_ups
from models.session import Database
from models.tables.webhook import WebhookEndpoint
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner, make_message, make_owner, new_message, unique
from tests.stack import async_url, make_database
from tests.webhook_key import WEBHOOK_KEY
from tests.webhooks import harness
from tests.webhooks.endpoints import make_endpoint
from tests.webhooks.receiver import Receiver, Reply, receiving
from tests.workflows.harness import until
from workflows.webhooks.types import WebhookEndpointInput
from workflows.webhooks.workflow import DeliverWebhooks

SLOTS: Final = 4
HANGING: Final = 6
HANGS: Final = 35.0
"""Seconds after which a request that hangs ends: after the test."""


@pytest.fixture
async def alone(postgres: EmbeddedPostgres, database_url: str) -> AsyncIterator[Database]:
    """A database without other tests' endpoints: all tenants are looked at at once."""
    url = make_database(postgres, unique("shares").replace("-", "_"))
    database = Database(async_url(url), pool_size=10, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        started.reply = lambda request: Reply(hang=request.path == "/hangs")
        yield started


@asynccontextmanager
async def serving(temporal: Client, database: Database, shares: TenantShares) -> AsyncIterator[str]:
    """Run a worker of a few slots; yields its queue."""
    tools = Tools(
        database=database,
        post=harness.client(HANGS).post,
        bodies=harness.Bodies(),
        key=WEBHOOK_KEY,
        shares=shares,
        looks=0,
    )
    queue = unique("webhooks")
    async with Worker(
        temporal,
        task_queue=queue,
        workflows=[DeliverWebhooks],
        activities=[WebhookDeliveries(tools).deliver_webhooks],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_concurrent_activities=SLOTS,
    ):
        yield queue


async def deliver(temporal: Client, queue: str, endpoints: Sequence[WebhookEndpoint]) -> None:
    """Start the workflows of endpoints."""
    for endpoint in endpoints:
        assert endpoint.id is not None
        await temporal.start_workflow(
            DeliverWebhooks.run,
            WebhookEndpointInput(
                tenant_id=endpoint.tenant_id,
                endpoint_id=endpoint.id,
                public_id=endpoint.public_id,
            ),
            id=unique("deliver"),
            task_queue=queue,
        )


async def endpoints_of(
    database: Database, owner: Owner, url: str, number: int
) -> list[WebhookEndpoint]:
    return [await make_endpoint(database, owner, url=url) for _ in range(number)]


async def test_endpoints_of_a_tenant_that_hang_do_not_delay_another_tenant(
    alone: Database, receiver: Receiver, client: Client
) -> None:
    """All of them hang until after the other tenant's event has arrived."""
    bad, good = await make_owner(alone), await make_owner(alone)
    hanging = await endpoints_of(alone, bad, f"{receiver.url}/hangs", HANGING)
    works = await endpoints_of(alone, good, f"{receiver.url}/works", 1)
    for owner in (bad, good):
        await make_message(alone, new_message(owner))

    async with serving(client, alone, TenantShares(most=2, failing=1)) as queue:
        await deliver(client, queue, hanging)
        await until_open(receiver, 2)
        await deliver(client, queue, works)
        await until_arrived(receiver, "/works")
        assert [r.path for r in receiver.requests] == ["/hangs", "/hangs", "/works"]
        assert receiver.in_flight["/hangs"] == 2


async def test_failing_endpoints_of_a_tenant_do_not_delay_its_others(
    alone: Database, receiver: Receiver, client: Client
) -> None:
    owner = await make_owner(alone)
    hanging = await endpoints_of(alone, owner, f"{receiver.url}/hangs", HANGING)
    async with alone.transaction() as db:
        await db.execute(text("UPDATE webhook_endpoint SET failures = 1, failing_since = now()"))
    works = await endpoints_of(alone, owner, f"{receiver.url}/works", 1)
    await make_message(alone, new_message(owner))

    async with serving(client, alone, TenantShares(most=2, failing=1)) as queue:
        await deliver(client, queue, hanging)
        await until_open(receiver, 1)
        await deliver(client, queue, works)
        await until_arrived(receiver, "/works")
        assert [r.path for r in receiver.requests] == ["/hangs", "/works"]
        assert receiver.in_flight["/hangs"] == 1


async def test_what_was_refused_is_delivered_once_the_share_is_free(
    alone: Database, receiver: Receiver, client: Client
) -> None:
    receiver.reply = lambda _: Reply(after=0.5)
    owner = await make_owner(alone)
    endpoints = await endpoints_of(alone, owner, f"{receiver.url}/slow", HANGING)
    await make_message(alone, new_message(owner))

    async def all_arrived() -> bool:
        return len(receiver.requests) == HANGING

    async with serving(client, alone, TenantShares(most=2, failing=1)) as queue:
        await deliver(client, queue, endpoints)
        await until(all_arrived)
    assert receiver.most["/slow"] <= 2


async def until_open(receiver: Receiver, number: int) -> None:
    """Wait until so many requests hang, and others had the time to do so as well."""

    async def are_open() -> bool:
        return receiver.in_flight["/hangs"] >= number

    await until(are_open)
    await asyncio.sleep(1)


async def until_arrived(receiver: Receiver, path: str) -> None:
    async def arrived() -> bool:
        return any(request.path == path for request in receiver.requests)

    await until(arrived)


async def test_tenants_are_woken_in_turns(alone: Database) -> None:
    owners = [await make_owner(alone) for _ in range(3)]
    for owner, number in zip(owners, (5, 2, 1), strict=True):
        await endpoints_of(alone, owner, "https://example.com/hook", number)
        await make_message(alone, new_message(owner))

    async def look() -> list[int]:
        async with alone.statement() as db:
            woken = await wake_ups.take_sleeping(db, most=4)
        return [[owner.tenant_id for owner in owners].index(key.tenant_id) for key in woken]

    assert await look() == [0, 1, 2, 0]
    assert await look() == [0, 1, 0, 0]
    assert await look() == []
