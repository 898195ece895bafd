"""Inputs and results of `send-chunk` in Temporal history: ids, counts, enum values and times. They
hold no contact, message text or secret.

Fields are only added, with a default, so that running workflows can still be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from models.rules.waits import SendWaits


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkInput:
    """One chunk of accepted messages to send and to settle."""

    tenant_id: int
    chunk_id: int
    due_at: datetime
    waits: SendWaits
    merchant_id: int = 0
    public_id: int = 0
    """Public id of the chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkStep:
    """The chunk whose members are to be sent.

    `report_wait` is how long reports are awaited in the chunk after the last member was sent.
    """

    tenant_id: int
    chunk_id: int
    report_wait: timedelta
    merchant_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleChunkStep:
    """The chunk whose reported members are to be settled.

    With `leave` the others leave the chunk: each goes on as a workflow of its own.
    """

    tenant_id: int
    chunk_id: int
    leave: bool = False
    merchant_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkResult:
    """How many members are open after a step, and what the step did."""

    unsent: int
    """Without an attempt."""
    awaited: int
    """Accepted by a provider, and not settled."""
    settleable: int
    """Of the awaited, those that can be settled now."""
    accepted: Mapping[str, int] = field(default_factory=dict)
    """Members that this step handed to a provider, by account."""
    left: int = 0
    """Members that left the chunk in this step."""
    ended: Mapping[str, int] = field(default_factory=dict)
    """Members that this step ended, by status."""
