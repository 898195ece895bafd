"""Connects a process to Temporal. Not workflow code.

Address, namespace, API key and mTLS come from Temporal's own environment variables or profile file,
so its command line tool and this system share their configuration.
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
"""Errors of Temporal Cloud and other managed servers that do not allow these calls."""


async def connect(
    *,
    lazy: bool = False,
    runtime: Runtime | None = None,
) -> Client:
    """Return a client. A lazy client connects at its first call, so startup needs no server."""
    config = ClientConfig.load_client_connect_config()
    if not config.get("namespace"):  # an empty value counts as unset
        config.pop("namespace", None)
    config.setdefault("target_host", "127.0.0.1:7233")
    return await Client.connect(
        **config,
        data_converter=data_converter,
        lazy=lazy,
        runtime=runtime,
    )


async def register_search_attributes(client: Client) -> None:
    """Register our search attributes on the server; existing ones are left unchanged.

    Temporal Cloud does not allow this: there they are created in its console, and this only logs a
    warning.
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
