"""Workflow ids of requests; every retry of a request gets the same id."""

from hashlib import sha256
from typing import Final

_LONGEST_ID: Final = 255
"""Limit of Temporal's SQL schema."""

_HASHED: Final = "sha256:"


def keyed_workflow_id(
    operation: str, tenant: int, scope: str, idempotency_key: str | None, public_id: int
) -> str:
    """Return the workflow id of a row that was created by a request.

    A new database may see an Idempotency-Key again while Temporal still has the workflow of the old
    database. Public ids of tenants are random, so these workflows never share an id.

    Args:
        operation: a value of `models.rules.messages.operations`.
        tenant: public id of the tenant.
        scope: public id of the merchant for a merchant's API key, else empty.
        idempotency_key: the caller's; None uses the public id of the row instead.
    """
    if idempotency_key is None:
        return f"{operation}-unkeyed/{tenant}/{public_id}"
    owner = f"{tenant}.{scope}" if scope else str(tenant)
    workflow_id = f"{operation}/{owner}/{idempotency_key}"
    # An Idempotency-Key that looks like a hash is hashed too, so that no two share an id.
    if len(workflow_id) <= _LONGEST_ID and not idempotency_key.startswith(_HASHED):
        return workflow_id
    return f"{operation}/{owner}/{_HASHED}{sha256(idempotency_key.encode()).hexdigest()}"
