"""State of one dispatch of a chunk."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from temporalio import activity

from activities.messages.batches.plain_claims import ChunkClaim
from providers.ports.messages import Answer
from workflows import policies
from workflows.messages.batches.chunk_types import ChunkStep

_REPORTS_LEFT: Final = timedelta(minutes=5)
"""How long after the last wait of its workflow a member's reports still signal nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A call that has ended."""

    claim: ChunkClaim
    answer: Answer


@dataclass(slots=True, kw_only=True)
class Run:
    """One dispatch of a chunk: its calls under way, and what it did."""

    step: ChunkStep
    began: float = field(default_factory=time.monotonic)
    calls: set[asyncio.Task[Answered | None]] = field(default_factory=set)
    accounts: set[str] = field(default_factory=set)
    """Accounts of the last claim, or those whose calls by chunks were all under way then."""
    accepted: Counter[str] = field(default_factory=Counter)
    """Members that were handed over, by account."""
    left: int = 0
    """Members that left the chunk."""
    done: bool = False
    """Nothing more is claimed."""

    @property
    def may_claim(self) -> bool:
        """Whether time is left for a further claim with its call."""
        over = time.monotonic() - self.began > policies.CHUNK_CLAIMS_FOR.total_seconds()
        return not (self.done or over or activity.is_worker_shutdown())

    @property
    def ends(self) -> float:
        """End of the activity's budget, in seconds of the monotonic clock."""
        return self.began + policies.DISPATCH_CHUNK_BUDGET.total_seconds()

    def report_wait_until(self, now: datetime) -> datetime:
        """Return until when the chunk looks for the reports of members that are claimed now."""
        return now + policies.DISPATCH_CHUNK_BUDGET + self.step.report_wait + _REPORTS_LEFT

    async def cancel_calls(self) -> None:
        """Cancel the calls under way; their attempts stay open and are reconciled."""
        for call in self.calls:
            call.cancel()
        await asyncio.gather(*self.calls, return_exceptions=True)
