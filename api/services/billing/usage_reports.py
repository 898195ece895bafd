"""Usage reports: read from daily totals; FINAL once all days are closed."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from api.http.auth import Caller
from api.schemas.reports import V1UsageReportResponse
from models.enums import UsageState
from models.queries.billing import usage
from models.queries.billing.usage import DayLine
from models.queries.tenants.visibility import CallerScope, narrow_scope
from models.rules.billing.freshness import reason
from models.rules.billing.periods import day_of
from models.session import Database

LONGEST_RANGE: Final = 366
"""Days."""

_LINES: Final = 5000
"""Lines per query: no connection is held while a client downloads slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """Scope and days of a report, both days inclusive."""

    merchant_id: str | None
    first: date
    last: date


class Reports:
    """Reads usage."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def usage(self, caller: Caller, wanted: UsageFilter) -> V1UsageReportResponse:
        """Return the totals of a range; raises MerchantNotFound."""
        today = day_of(self._clock())
        async with self._database.read() as db:
            totals = await usage.total(
                db,
                await narrow_scope(db, caller, wanted.merchant_id),
                first=wanted.first,
                last=wanted.last,
                today=today,
            )
        openness = totals.open_days
        final = openness is None
        report = V1UsageReportResponse(
            since=wanted.first,
            to=wanted.last,
            total_sms_count=totals.sms,
            total_email_count=totals.emails,
            aws_cost=totals.aws_cost,
            hq_markup=totals.markup,
            final_charges=totals.aws_cost + totals.provider_cost + totals.markup,
            freshness_state=UsageState.FINAL if final else UsageState.PROVISIONAL,
            freshness_reason=openness and reason(openness, last=wanted.last, today=today),
        )
        if wanted.merchant_id is not None:
            report.merchant_id = wanted.merchant_id
        return report

    async def lines(self, caller: Caller, wanted: UsageFilter) -> AsyncIterator[Sequence[DayLine]]:
        """Yield the lines of a range in batches; raises MerchantNotFound.

        The first batch is read at once, so that errors become a response. Lines of an open day may
        be outdated by later postings.
        """
        async with self._database.read() as db:
            scope = await narrow_scope(db, caller, wanted.merchant_id)
        first = await self._some(scope, wanted, after=None)
        return self._from(first, scope, wanted)

    async def _from(
        self,
        lines: Sequence[DayLine],
        scope: CallerScope,
        wanted: UsageFilter,
    ) -> AsyncIterator[Sequence[DayLine]]:
        yield lines
        while len(lines) == _LINES:
            lines = await self._some(scope, wanted, after=lines[-1])
            yield lines

    async def _some(
        self, scope: CallerScope, wanted: UsageFilter, after: DayLine | None
    ) -> Sequence[DayLine]:
        async with self._database.read() as db:
            return await usage.read_lines(
                db,
                scope,
                first=wanted.first,
                last=wanted.last,
                after=after,
                most=_LINES,
            )
