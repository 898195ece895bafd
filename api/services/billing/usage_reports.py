"""Usage reports: read from daily totals; FINAL once all days are closed."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from api.http.auth import Caller
from api.schemas.reports import UsageDayView, V1UsageReportResponse
from models.enums import UsageState
from models.errors import InvalidDateRange
from models.queries.billing import usage
from models.queries.billing.usage import DayLine
from models.queries.tenants.visibility import CallerScope, narrow_scope
from models.rules.billing.freshness import reason
from models.rules.billing.periods import day_of
from models.session import Database

LONGEST_RANGE: Final = 366
"""Days."""

DEFAULT_RANGE: Final = 30
"""Days of daily usage if its request names no first day."""

_LINES: Final = 5000
"""Lines per query: no connection is held while a client downloads slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """Scope and days of a report, both days inclusive."""

    merchant_id: str | None
    first: date
    last: date


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyFilter:
    """Days of one merchant's daily usage, both inclusive; None is the default."""

    first: date | None
    last: date | None


def check_range(first: date, last: date) -> None:
    """Raise InvalidDateRange if a range is empty or too long."""
    if first > last:
        raise InvalidDateRange("to must not be before from.", (("to", "must not be before from"),))
    if (last - first).days >= LONGEST_RANGE:
        reason = f"must be at most {LONGEST_RANGE} days from the first to the last"
        raise InvalidDateRange(f"The range {reason}.", (("to", reason),))


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

    async def daily(
        self, caller: Caller, merchant_id: str, wanted: DailyFilter
    ) -> Sequence[UsageDayView]:
        """Return a merchant's usage by day and channel.

        Raises:
            MerchantNotFound: it does not exist or is outside the caller's scope.
            InvalidDateRange: with its defaults the range is empty or too long.
        """
        last = wanted.last or day_of(self._clock())
        first = wanted.first
        if first is None:
            first = last - min(timedelta(days=DEFAULT_RANGE - 1), last - date.min)
        check_range(first, last)
        async with self._database.read() as db:
            scope = await narrow_scope(db, caller, merchant_id)
            lines = await usage.read_daily(db, scope, first=first, last=last)
        return [
            UsageDayView(
                day=line.day,
                channel=line.channel,
                messages=line.messages,
                units=line.units,
                delivered=line.delivered,
                failed=line.failed,
                charge=line.aws_cost + line.provider_cost + line.markup,
                state=UsageState.FINAL if line.closed else UsageState.PROVISIONAL,
            )
            for line in lines
        ]

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
