"""Every table, imported once, so that migrations see the whole schema."""

from models.tables import (
    alert,
    consent,
    idempotency,
    inbound,
    ledger,
    merchant,
    message,
    messaging,
    payment,
    request_limit,
    sender,
    tenant,
    usage,
    voice,
)
from models.tables.base import metadata

TABLES = (
    tenant,
    merchant,
    consent,
    idempotency,
    message,
    inbound,
    payment,
    ledger,
    usage,
    sender,
    alert,
    messaging,
    voice,
    request_limit,
)

CROSS_TENANT = frozenset({"tenant", "sender_number", "alembic_version"})
"""Tables whose primary key does not begin with `tenant_id`, and why, is told in each."""

__all__ = ["CROSS_TENANT", "TABLES", "metadata"]
