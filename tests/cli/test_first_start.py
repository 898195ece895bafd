"""Workers that start at the same moment on a new Temporal server."""

import asyncio
from datetime import timedelta

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from cli.dev.temporal import EmbeddedTemporal
from cli.worker.system_workflows import start_system_workflows
from workflows import names
from workflows.client import register_search_attributes
from workflows.payloads import data_converter

WORKERS = 8


async def _set_up(client: Client) -> None:
    await register_search_attributes(client)
    await start_system_workflows(client, timedelta(hours=1), adjust=True)


async def test_several_workers_set_a_new_server_up_together() -> None:
    with EmbeddedTemporal() as server:
        clients = [
            await Client.connect(server.address, data_converter=data_converter)
            for _ in range(WORKERS)
        ]
        await asyncio.gather(*map(_set_up, clients))
        client = clients[0]
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        assert {key.name for key in names.SEARCH_ATTRIBUTES} <= set(listed.custom_attributes)
        runs = [client.get_workflow_handle(id) for id in (names.SWEEPER_ID, names.WATCHER_ID)]
        types = [(await run.describe()).workflow_type for run in runs]
        assert types == [names.SWEEPER_ID, names.WATCHER_ID]
        await client.get_schedule_handle(names.CLOSE_DAYS_ID).describe()
