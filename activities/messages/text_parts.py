"""Making the text parts of e-mails: small ones at once, large ones in a thread and in turn."""

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

_WAITING_AT_MOST: Final = 4
"""E-mails of one merchant that wait in a worker, and as many OTPs; others come back later."""

_OF_TENANT_AT_MOST: Final = 8
_OF_PROCESS_AT_MOST: Final = 16
"""E-mails of one tenant, and of all, that wait in a worker, OTPs included: each holds one of its
steps at once, 30 or 100 of them, and other messages need those."""

_PATIENCE: Final = timedelta(seconds=3)
"""A step waits at most so long for its turn: it holds a slot that others need."""

_SPACING: Final = timedelta(milliseconds=500)
_LONGEST: Final = timedelta(minutes=1)
"""When those that were turned away come back: one after the other, and within a minute."""

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)
_STEP: Final = "text_part"

_UNFINISHED_AT_MOST: Final = 2
"""Conversions that ended with their process, after which the parser is not used again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unprepared:
    """An e-mail that cannot be claimed yet: making its text part takes long."""

    merchant_id: int
    urgent: bool
    """It does not come back behind the merchant's other mail."""
    html: str = field(repr=False)


def quick_text(found: Dispatchable) -> str | None:
    """Return the text part of a small e-mail, nothing for another channel, None if it takes long.

    It takes a few milliseconds at most.
    """
    if found.channel is not Channel.EMAIL:
        return ""
    return text_part(found.body) if len(found.body) <= QUICK else None


@dataclass(slots=True)
class _Lane:
    """The e-mails of one merchant: one of them at a time asks for the thread."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0
    back_at: datetime = _LONG_AGO
    """When the last one that was turned away comes back."""


class TextParts:
    """Makes the text parts of large e-mails in one thread, where merchants take turns."""

    def __init__(
        self,
        database: Database,
        *,
        convert: Callable[[str], str] = text_part,
        patience: timedelta = _PATIENCE,
    ) -> None:
        self._database = database
        self._convert_with = convert
        self._patience = patience
        self._thread = asyncio.Lock()
        self._lanes: dict[Owner, _Lane] = {}

    async def make(self, step: DispatchStep, mail: Unprepared) -> str | datetime:
        """Return the text part, or when to ask again because too many others wait."""
        lane = self._lane((step.tenant_id, mail.merchant_id))
        if self._is_full(step.tenant_id) or lane.waiting >= _WAITING_AT_MOST * (
            2 if mail.urgent else 1
        ):
            return _back_at(lane, mail)
        lane.waiting += 1
        try:
            async with asyncio.timeout(self._patience.total_seconds()) as patience:
                async with lane.turn, self._thread:
                    patience.reschedule(None)
                    return await self._convert(step, mail.html)
        except TimeoutError:
            if not patience.expired():
                raise
            return _back_at(lane, mail)
        finally:
            lane.waiting -= 1

    def _is_full(self, tenant_id: int) -> bool:
        """Say whether as many of the tenant, or of all, wait as may."""
        waiting = [(tenant, lane.waiting) for (tenant, _), lane in self._lanes.items()]
        return (
            sum(number for _, number in waiting) >= _OF_PROCESS_AT_MOST
            or sum(number for tenant, number in waiting if tenant == tenant_id)
            >= _OF_TENANT_AT_MOST
        )

    def _lane(self, owner: Owner) -> _Lane:
        now = datetime.now(UTC)
        for other in [
            key for key, it in self._lanes.items() if not it.waiting and it.back_at < now
        ]:
            del self._lanes[other]
        return self._lanes.setdefault(owner, _Lane())

    async def _convert(self, step: DispatchStep, html: str) -> str:
        """Convert in a thread; what ended this process before is only scanned.

        The conversion is counted before it begins, because nobody can count it once the process
        is gone. Cancelled, the thread ends by itself within its budget.
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
        careful = noted.failures > _UNFINISHED_AT_MOST
        try:
            return await asyncio.to_thread(scanned if careful else self._convert_with, html)
        finally:
            async with self._database.statement() as db:
                await step_failures.forget(
                    db, tenant_id=tenant_id, message_id=message_id, step=_STEP
                )


def _back_at(lane: _Lane, mail: Unprepared) -> datetime:
    """Return when one that is turned away comes back: after those that were turned away before."""
    now = datetime.now(UTC)
    wait = timedelta(seconds=1 + random.random())  # noqa: S311 - no secret
    if mail.urgent:
        return now + wait
    lane.back_at = min(max(lane.back_at + _SPACING, now + wait), now + _LONGEST)
    return lane.back_at
