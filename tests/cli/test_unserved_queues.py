"""Task queues that no worker polls are found."""

import asyncio
import logging
from contextlib import AsyncExitStack

import pytest
from pydantic import SecretStr
from temporalio.client import Client

from cli.dev.temporal import EmbeddedTemporal
from cli.worker.composition import assemble
from cli.worker.queues import AccountWorkers, workers
from cli.worker.unserved_queues import find_unserved_queues, warn_of_unserved_queues
from models.session import Database
from models.settings import Settings
from providers.routing import Routes
from providers.vendors import Vendors
from tests.factories import unique
from tests.unit.providers.test_routing import Vendor
from workflows import names
from workflows.payloads import data_converter


async def test_a_queue_that_no_worker_of_any_fleet_polls_is_found(
    database: Database, client: Client, temporal: EmbeddedTemporal
) -> None:
    accounts = [unique("served"), unique("unserved")]
    served, unserved = map(names.provider_queue, accounts)
    routes = Routes([Vendor(account) for account in accounts], {})
    settings = Settings(database_url=SecretStr("postgresql://nowhere"))
    own = await Client.connect(temporal.address, data_converter=data_converter)
    parts = assemble(settings, database, own, Vendors(routes=routes))
    assert await find_unserved_queues(client, [unserved, served]) == [served, unserved]
    async with AsyncExitStack() as fleet:
        for worker in workers(own, parts, [names.MONEY, served]):
            await fleet.enter_async_context(worker)
        account_workers = AccountWorkers(own, parts, [names.MONEY, served])
        fleet.push_async_callback(account_workers.close)
        await account_workers.adjust()
        async with asyncio.timeout(20):
            while (
                found := await find_unserved_queues(client, [unserved, names.MONEY, served])
            ) != [unserved]:
                assert unserved in found
                await asyncio.sleep(0.05)


async def test_workers_warn_of_it_again_and_again(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    queue = names.provider_queue(unique("unserved"))

    def warned() -> list[object]:
        texts = [record for record in caplog.records if "no worker serves" in record.message]
        return [vars(record)["queues"] for record in texts]

    with caplog.at_level(logging.WARNING):
        warning = asyncio.create_task(warn_of_unserved_queues(client, lambda: [queue], every=0.01))
        async with asyncio.timeout(20):
            while len(warned()) < 2:  # noqa: ASYNC110 - a log has no event
                await asyncio.sleep(0.01)
        warning.cancel()
    assert warned()[:2] == [[queue], [queue]]
