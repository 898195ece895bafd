"""Workers of account queues follow the accounts while the process runs."""

import asyncio

from pydantic import SecretStr
from temporalio.client import Client

from cli.dev.temporal import EmbeddedTemporal
from cli.worker.composition import assemble
from cli.worker.queues import AccountWorkers, workers
from models.session import Database
from models.settings import Settings
from providers.routing import Routes
from providers.vendors import Vendors
from tests.unit.providers.test_routing import Vendor
from workflows import names
from workflows.payloads import data_converter


def settings() -> Settings:
    return Settings(database_url=SecretStr("postgresql://nowhere"))


async def another(temporal: EmbeddedTemporal) -> Client:
    return await Client.connect(temporal.address, data_converter=data_converter)


async def test_exactly_the_queues_of_present_accounts_are_served(
    database: Database, client: Client, temporal: EmbeddedTemporal
) -> None:
    routes = Routes([Vendor("a"), Vendor("b")], {})
    parts = assemble(settings(), database, client, Vendors(routes=routes))
    # A client serves a queue once.
    fleets = [
        AccountWorkers(await another(temporal), parts, named)
        for named in (None, [names.MESSAGES, "provider-c"], ["providers"], [names.MESSAGES])
    ]

    async def served() -> list[list[str]]:
        await asyncio.gather(*(fleet.adjust() for fleet in fleets))
        return [sorted(fleet.queues) for fleet in fleets]

    both = ["provider-a", "provider-b"]
    assert await served() == [both, [], both, []]
    routes.replace(Routes([Vendor("b"), Vendor("c")], {}))
    both = ["provider-b", "provider-c"]
    assert await served() == [both, ["provider-c"], both, []]
    await asyncio.gather(*(fleet.close() for fleet in fleets))
    assert [sorted(fleet.queues) for fleet in fleets] == [[]] * 4


async def test_the_other_queues_are_the_named_ones_or_all(
    database: Database, client: Client, temporal: EmbeddedTemporal
) -> None:
    parts = assemble(settings(), database, client, Vendors(routes=Routes([], {})))
    every = {
        *(names.MESSAGES, names.MONEY, names.HOUSEKEEPING, names.REGISTRATION),
        *(names.WEBHOOKS, names.BATCHES),
    }
    for named, served in (
        (None, every),
        ([], every),
        ([names.MONEY, "provider-x"], {names.MONEY}),
        (["providers"], set()),
        ([names.MONEY, names.WEBHOOKS, names.MONEY], {names.MONEY, names.WEBHOOKS}),
    ):
        built = workers(await another(temporal), parts, named)
        assert {worker.task_queue for worker in built} == served
