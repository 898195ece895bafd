"""The embedded Temporal server responds when it reports ready, and keeps its data."""

import os
import signal
from pathlib import Path

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, ListNamespacesRequest
from temporalio.client import Client

from cli.dev.local_http import status_of
from cli.dev.temporal import EmbeddedTemporal


async def test_its_namespace_answers_once_it_is_started() -> None:
    with EmbeddedTemporal() as server:
        client = await Client.connect(server.address)
        request = DescribeNamespaceRequest(namespace="default")
        answer = await client.workflow_service.describe_namespace(request)
        assert answer.namespace_info.name == "default"
        assert status_of(server.ui_url) == 200


async def test_search_attributes_are_there_from_the_start_and_after_another() -> None:
    with EmbeddedTemporal(search_attributes={"HexavoxTenant": "Keyword"}) as server:
        client = await Client.connect(server.address)
        assert [run async for run in client.list_workflows("HexavoxTenant = '1'")] == []


async def test_its_data_survive_a_kill(tmp_path: Path) -> None:
    server = EmbeddedTemporal(database=tmp_path / "temporal.db")
    server.start()
    client = await Client.connect(server.address)
    await client.start_workflow("nobody-works-on-it", id="kept", task_queue="none")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.start()
    try:
        client = await Client.connect(server.address)
        found = await client.get_workflow_handle("kept").describe()
        assert found.workflow_type == "nobody-works-on-it"
        known = await client.workflow_service.list_namespaces(ListNamespacesRequest())
        assert "default" in {space.namespace_info.name for space in known.namespaces}
    finally:
        server.stop()
