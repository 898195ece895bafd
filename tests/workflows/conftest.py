"""A time-skipping Temporal server, and the harness on it."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.testing import WorkflowEnvironment

from tests.fakes import Activity
from tests.workflows.harness import Harness, HarnessFactory
from workflows.names import SEARCH_ATTRIBUTES
from workflows.payloads import data_converter


@pytest.fixture(scope="session")
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """Time only advances while a result is awaited: then it jumps to the next event."""
    async with await WorkflowEnvironment.start_time_skipping(
        data_converter=data_converter,
        test_server_existing_path=str(Path(sys.executable).with_name("temporal-test-server")),
    ) as environment:
        # This server cannot list them, so `register_search_attributes` does not work on it.
        kinds = {
            key.name: IndexedValueType.ValueType(key.indexed_value_type.value)
            for key in SEARCH_ATTRIBUTES
        }
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace=environment.client.namespace, search_attributes=kinds
            )
        )
        yield environment


@pytest.fixture
def harness(skipping: WorkflowEnvironment) -> HarnessFactory:
    """A harness with fakes."""

    def set_up(*fakes: Activity, **options: Any) -> Harness:
        return Harness(skipping.client, fakes, **options)

    return set_up
