"""Imports every table, so that migrations see the whole schema."""

from models.tables import (
    account_health,
    alert,
    batch,
    consent,
    destination,
    failure,
    idempotency,
    inbound,
    ledger,
    load,
    merchant,
    message,
    messaging,
    payment,
    price,
    provider_account,
    rate,
    request_limit,
    sender,
    spending,
    tenant,
    usage,
    voice,
    webhook,
)
from models.tables.base import metadata

TABLES = (
    tenant,
    merchant,
    consent,
    idempotency,
    message,
    batch,
    destination,
    failure,
    inbound,
    payment,
    price,
    provider_account,
    rate,
    ledger,
    usage,
    spending,
    sender,
    alert,
    messaging,
    voice,
    webhook,
    load,
    request_limit,
    account_health,
)

CROSS_TENANT = frozenset(
    {
        "tenant",
        "sender_number",
        "load_sample",
        "contact_key",
        "provider_account",
        "account_health",
        "account_circuit",
        "alembic_version",
    }
)
"""Tables whose primary key does not begin with `tenant_id`; each explains why."""

__all__ = ["CROSS_TENANT", "TABLES", "metadata"]
