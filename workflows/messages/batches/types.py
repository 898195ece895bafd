"""Inputs and results of `send-batch` in Temporal history: ids, counts and times only."""

from dataclasses import dataclass
from datetime import timedelta

from models.rules.waits import SendWaits


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchInput:
    """A stored batch whose lines are to be accepted."""

    tenant_id: int
    batch_id: int
    public_id: int
    merchant_id: int
    waits: SendWaits
    """Of the messages; the workflows of chunks get them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptLinesStep:
    """The batch whose next lines are to be decided."""

    tenant_id: int
    batch_id: int
    public_id: int
    waits: SendWaits


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptLinesResult:
    """Lines that were decided, and how the batch goes on.

    `decided` means that no line is left. `canceled` means that the batch was canceled. `wait` is
    set if no line may be accepted before.
    """

    accepted: int = 0
    refused: int = 0
    decided: bool = False
    canceled: bool = False
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelMembersStep:
    """A canceled batch whose waiting messages are to be canceled."""

    tenant_id: int
    batch_id: int
    public_id: int
    merchant_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelMembersResult:
    """Messages that one run of the step canceled, and whether others may still wait."""

    canceled: int
    more: bool
