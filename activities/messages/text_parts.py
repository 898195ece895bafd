"""Renders the text parts of e-mails: small ones inline, large ones fairly in one thread."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from models.enums import Channel
from models.queries.messages.dispatch import Dispatchable
from models.queries.system import step_failures
from models.session import Database
from providers.email_text.text_part import QUICK, scanned, text_part
from workflows.messages.types import DispatchStep

Owner: TypeAlias = tuple[int, int]
"""Tenant and merchant."""

_MAX_PER_MERCHANT: Final = 4
"""E-mails of one merchant that wait in a worker, and as many OTPs; others are retried later."""

_MAX_PER_TENANT: Final = 8
_MAX_PER_PROCESS: Final = 16
"""E-mails of one tenant, and of all tenants, that wait in a worker, OTPs included. Each occupies
one of the 30 or 100 activity slots, which other messages need.
"""

_MAX_WAIT: Final = timedelta(seconds=3)
"""Longest wait of an activity for the thread, because it occupies a slot of the worker."""

_SPACING: Final = timedelta(milliseconds=500)
_LONGEST: Final = timedelta(minutes=1)
"""Retries of rejected e-mails are spaced out within a minute."""

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_STEP: Final = "text_part"

_MAX_UNFINISHED: Final = 2
"""After this many conversions that crashed the process, the parser is not used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsTextPart:
    """An e-mail that cannot be claimed yet, because rendering its text part takes long."""

    merchant_id: int
    urgent: bool
    """An OTP: its retry is not queued behind the merchant's other e-mails."""
    html: str = field(repr=False)


def quick_text(found: Dispatchable) -> str | None:
    """Return the text part of a small e-mail; empty for other channels, None if it takes long.

    It takes a few milliseconds at most.
    """
    if found.channel is not Channel.EMAIL:
        return ""
    return text_part(found.body) if len(found.body) <= QUICK else None


@dataclass(slots=True)
class _MerchantQueue:
    """The waiting e-mails of one merchant, of which one at a time competes for the thread."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    retry_at: datetime = _LONG_AGO
    """When the last rejected one is retried."""


class TextParts:
    """Renders the text parts of large e-mails in one thread, in which merchants alternate."""

    def __init__(
        self,
        database: Database,
        *,
        convert: Callable[[str], str] = text_part,
        patience: timedelta = _MAX_WAIT,
    ) -> None:
        self._database = database
        self._convert_with = convert
        self._patience = patience
        self._thread = asyncio.Lock()
        self._queues: dict[Owner, _MerchantQueue] = {}

    async def make(self, step: DispatchStep, mail: NeedsTextPart) -> str | datetime:
        """Return the text part, or the time to retry because too many others wait."""
        queue = self._queue_of((step.tenant_id, mail.merchant_id))
        if self._is_full(step.tenant_id) or queue.waiting >= _MAX_PER_MERCHANT * (
            2 if mail.urgent else 1
        ):
            return _retry_at(queue, mail)
        queue.waiting += 1
        try:
            async with asyncio.timeout(self._patience.total_seconds()) as patience:
                async with queue.turn, self._thread:
                    patience.reschedule(None)
                    return await self._convert(step, mail.html)
        except TimeoutError:
            if not patience.expired():
                raise
            return _retry_at(queue, mail)
        finally:
            queue.waiting -= 1

    def _is_full(self, tenant_id: int) -> bool:
        """Return whether the limit of the tenant or of the process is reached."""
        waiting = [(tenant, queue.waiting) for (tenant, _), queue in self._queues.items()]
        return (
            sum(number for _, number in waiting) >= _MAX_PER_PROCESS
            or sum(number for tenant, number in waiting if tenant == tenant_id) >= _MAX_PER_TENANT
        )

    def _queue_of(self, owner: Owner) -> _MerchantQueue:
        now = datetime.now(UTC)
        for other in [
            key for key, it in self._queues.items() if not it.waiting and it.retry_at < now
        ]:
            del self._queues[other]
        return self._queues.setdefault(owner, _MerchantQueue())

    async def _convert(self, step: DispatchStep, html: str) -> str:
        """Convert in a thread; e-mails that crashed the process before are only scanned.

        The conversion is counted before it begins, because a crash leaves no one to count it. After
        a cancellation the thread ends by itself within its budget.
        """
        tenant_id, message_id = step.tenant_id, step.message_id
        async with self._database.statement() as db:
            noted = await step_failures.note(
                db,
                tenant_id=tenant_id,
                message_id=message_id,
                step=_STEP,
                reason="Unfinished",
                now=datetime.now(UTC),
            )
        careful = noted.failures > _MAX_UNFINISHED
        try:
            return await asyncio.to_thread(scanned if careful else self._convert_with, html)
        finally:
            async with self._database.statement() as db:
                await step_failures.forget(
                    db, tenant_id=tenant_id, message_id=message_id, step=_STEP
                )


def _retry_at(queue: _MerchantQueue, mail: NeedsTextPart) -> datetime:
    """Return when a rejected e-mail is retried: after those that were rejected before."""
    now = datetime.now(UTC)
    wait = timedelta(seconds=1 + random.random())  # noqa: S311 - no secret
    if mail.urgent:
        return now + wait
    queue.retry_at = min(max(queue.retry_at + _SPACING, now + wait), now + _LONGEST)
    return queue.retry_at
