"""Inputs and results of the workflow that delivers webhooks: ids, counts and times only."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpointInput:
    """The endpoint: the row id is for statements, the public id for the workflow id."""

    tenant_id: int
    endpoint_id: int
    public_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverStep:
    """One turn of an endpoint, at a time of the workflow's clock."""

    tenant_id: int
    endpoint_id: int
    public_id: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverResult:
    """Attempts of one turn, and the wait before the next one: None if no delivery is pending.

    `pausing` means that new events do not shorten the wait, because the endpoint fails.
    """

    succeeded: int = 0
    failed: int = 0
    next_in: timedelta | None = None
    pausing: bool = False
