"""Inputs and results of the workflow of a sender's queue: ids and times only."""

from dataclasses import dataclass
from datetime import timedelta

from models.enums import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderQueueStep:
    """Whose queue to grant slots to.

    The ids are used because phone numbers must not enter workflow history: that of the row for
    statements, the public one for the id of the workflow.
    """

    tenant_id: int
    sender_id: int
    sender_public_id: int
    channel: Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderQueueResult:
    """What one turn did, and when the next is due: None once no message is queued."""

    granted: int
    next_in: timedelta | None
