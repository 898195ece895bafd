"""How a process reaches Temporal. Not workflow code.

Address, namespace, API key and mTLS come from Temporal's own environment variables or profile file,
so that its command line tool and this system are configured alike.
"""

from collections.abc import Sequence

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.worker import Interceptor

from workflows.names import SEARCH_ATTRIBUTES


async def connect(
    *,
    lazy: bool = False,
    runtime: Runtime | None = None,
    interceptors: Sequence[Interceptor] = (),
) -> Client:
    """Return a client; a lazy one connects at its first call, so a dead server stops nobody."""
    config = ClientConfig.load_client_connect_config()
    config.setdefault("target_host", "127.0.0.1:7233")
    return await Client.connect(
        **config,
        data_converter=pydantic_data_converter,
        lazy=lazy,
        runtime=runtime,
    )


async def register_search_attributes(client: Client) -> None:
    """Make our search attributes known to the server; those it has are left alone.

    On Temporal Cloud they are made in its console instead, and this finds them there.
    """
    operator = client.operator_service
    listed = await operator.list_search_attributes(
        ListSearchAttributesRequest(namespace=client.namespace)
    )
    missing = {
        key.name: IndexedValueType.ValueType(key.indexed_value_type.value)
        for key in SEARCH_ATTRIBUTES
        if key.name not in listed.custom_attributes
    }
    if missing:
        await operator.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
        )
