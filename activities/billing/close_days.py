"""Closes days: prices unpriced messages, then closes every day that nothing keeps open."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from sqlalchemy.exc import DBAPIError
from temporalio import activity

from models.database.faults import LOCKED, concerns_everybody, state_of
from models.queries.billing import day_closing, repricing
from models.queries.billing.day_closing import DueDay
from models.rules.billing.day_closing import AWAITED, last_over
from models.rules.billing.periods import day_of
from models.session import Database
from workflows.billing.close_days_types import CloseDaysResult, CloseDaysStep

log = logging.getLogger(__name__)

_MOST = 200
"""Tenants per batch."""

_LONGEST_SECONDS = 60.0
"""A batch ends early after this, so that its activity has time for a tenant with many days."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Result of processing one tenant."""

    closed: int = 0
    held: int = 0


class Closing:
    """Closes days, each in its own transaction, so that a crash loses no closed day.

    Idempotent: a closed day is not due any more.
    """

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime] = _now, most: int = _MOST
    ) -> None:
        self._database = database
        self._clock = clock
        self._most = most

    @activity.defn(name="close_days")
    async def close_days(self, step: CloseDaysStep) -> CloseDaysResult:
        """Process some tenants; the failure of one does not affect the others."""
        async with self._database.read() as db:
            tenants = await day_closing.find_tenants(db, after=step.after, most=self._most)
        result, began = CloseDaysResult(), time.monotonic()
        for tenant_id in tenants:
            try:
                turn = await self.close_tenant(tenant_id)
            except Exception as error:
                if concerns_everybody(error):  # otherwise it is the tenant's own failure
                    raise
                log.exception("days could not be closed", extra={"tenant_id": tenant_id})
                result = replace(result, failed=result.failed + 1)
            else:
                result = replace(
                    result, closed=result.closed + turn.closed, held=result.held + turn.held
                )
            if time.monotonic() - began > _LONGEST_SECONDS:
                return replace(result, after=tenant_id)
        full = len(tenants) == self._most
        return replace(result, after=tenants[-1] if full else None)

    async def close_tenant(self, tenant_id: int) -> Turn:
        """Price what can be priced, and close the due days of one tenant."""
        now = self._clock()
        await self._price(tenant_id, now)
        async with self._database.read() as db:
            due = await day_closing.find_due(db, tenant_id=tenant_id, last=last_over(now))
        outcomes = [await self._close(tenant_id, one, now) for one in due]
        return Turn(closed=outcomes.count(True), held=outcomes.count(False))

    async def _price(self, tenant_id: int, now: datetime) -> None:
        """Price messages that had no card; accept the card's price if the vendor's is late."""
        priced = 1
        while priced:
            async with self._database.transaction() as db:
                priced = await repricing.price_what_is_missing(db, tenant_id=tenant_id, now=now)
        async with self._database.transaction() as db:
            await repricing.accept_card_prices(
                db, tenant_id=tenant_id, older_than=day_of(now - AWAITED)
            )

    async def _close(self, tenant_id: int, due: DueDay, now: datetime) -> bool:
        held = due.held or await self._close_alone(tenant_id, due.day, now)
        facts = {"tenant_id": tenant_id, "day": due.day.isoformat()}
        if held is None:
            log.info("day closed", extra=facts)
        else:
            log.info("day stays open", extra={**facts, "reason": held})
        return held is None

    async def _close_alone(self, tenant_id: int, day: date, now: datetime) -> str | None:
        """Close a day that seems closable; it is checked again under its lock."""
        try:
            async with self._database.transaction() as db:
                return await day_closing.close_day(db, tenant_id=tenant_id, day=day, now=now)
        except DBAPIError as error:
            if state_of(error) != LOCKED:
                raise
            return "BEING_WRITTEN"  # by a slow or frozen process
