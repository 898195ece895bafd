"""Inputs and results of the workflow of a sender's queue: ids and times only."""

from dataclasses import dataclass
from datetime import timedelta

from models.enums import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderQueueStep:
    """The queue whose next slots are to be granted.

    The ids are used because phone numbers must not enter workflow history: the row id for
    statements, the public id for the workflow id.
    """

    tenant_id: int
    sender_id: int
    sender_public_id: int
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderQueueResult:
    """Result of one turn, and the wait before the next one: None once no message is queued."""

    granted: int
    next_in: timedelta | None
