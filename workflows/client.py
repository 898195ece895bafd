"""How a process reaches Temporal. Not workflow code.

Address, namespace, API key and mTLS come from Temporal's own environment variables or profile file,
so that its command line tool and this system are configured alike.
"""

import logging

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesRequest,
    ListSearchAttributesRequest,
)
from temporalio.client import Client
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from workflows.names import SEARCH_ATTRIBUTES
from workflows.payloads import data_converter

log = logging.getLogger(__name__)  # noqa: TID251 - this is not workflow code

_NOT_OURS_TO_MAKE = frozenset({RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED})
"""How Temporal Cloud, and servers that are kept by others, answer who manages them."""


async def connect(
    *,
    lazy: bool = False,
    runtime: Runtime | None = None,
) -> Client:
    """Return a client; a lazy one connects at its first call, so a dead server stops nobody."""
    config = ClientConfig.load_client_connect_config()
    if not config.get("namespace"):  # set to nothing is not set
        config.pop("namespace", None)
    config.setdefault("target_host", "127.0.0.1:7233")
    return await Client.connect(
        **config,
        data_converter=data_converter,
        lazy=lazy,
        runtime=runtime,
    )


async def register_search_attributes(client: Client) -> None:
    """Make our search attributes known to the server; those it has are left alone.

    Temporal Cloud does not let us: there they are made in its console, and this only warns.
    """
    try:
        await _register_missing(client)
    except RPCError as error:
        if error.status not in _NOT_OURS_TO_MAKE:
            raise
        log.warning(
            "search attributes cannot be registered here; make them in Temporal's console",
            extra={"reason": error.status.name},
        )


async def _register_missing(client: Client) -> None:
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
