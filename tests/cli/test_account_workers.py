"""Workers of account queues follow the accounts while the process runs."""

import pytest
from pydantic import SecretStr
from temporalio.client import Client

from cli.dev.temporal import EmbeddedTemporal
from cli.worker.composition import assemble
from cli.worker.queues import AccountWorkers, workers
from models.configuration.environment_settings import BadSettings
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
    every = AccountWorkers(client, parts)
    # A client serves a queue once.
    some = AccountWorkers(await another(temporal), parts, [names.MESSAGES, "provider-c"])
    await every.adjust()
    await some.adjust()
    assert [sorted(one.queues) for one in (every, some)] == [["provider-a", "provider-b"], []]
    routes.replace(Routes([Vendor("b"), Vendor("c")], {}))
    await every.adjust()
    await some.adjust()
    assert sorted(every.queues) == ["provider-b", "provider-c"]
    assert sorted(some.queues) == ["provider-c"]
    await every.close()
    await some.close()
    assert [sorted(one.queues) for one in (every, some)] == [[], []]


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
    ):
        built = workers(await another(temporal), parts, named)
        assert {worker.task_queue for worker in built} == served
    with pytest.raises(BadSettings, match="there is no task queue mesages"):
        workers(client, parts, ["mesages"])
