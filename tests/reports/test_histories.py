"""Random days of a tenant with late events: FINAL reports never change, and sums agree."""

import asyncio
import json
import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from api.services.billing.usage_reports import Reports, UsageFilter
from models.enums import FINAL_REPORT, AttemptState, ReportStatus
from models.session import Database
from tests.api.doubles import Clock
from tests.factories import make_owner
from tests.reports.histories import (
    CHANNELS,
    Action,
    Again,
    Close,
    Conclude,
    Price,
    Scenario,
    Send,
    Settle,
    Tell,
)
from tests.reports.sums import check_sums
from tests.reports.usage_fixtures import born

AT_ONCE = 5
EXAMPLES = int(os.environ.get("REPORT_EXAMPLES", "5"))
"""Times AT_ONCE histories; a longer search has more, with random seeds."""

BEGIN = datetime(2026, 4, 10, 9, tzinfo=UTC)
SLOTS = st.integers(0, 7)
PROVIDERS = st.sampled_from([*CHANNELS])
AMOUNTS = st.integers(0, 25_000).map(lambda millionths: Decimal(millionths) / 1_000_000)
SENDS = st.builds(
    Send,
    SLOTS,
    PROVIDERS,
    st.integers(1, 4),
    st.sampled_from([timedelta(0), timedelta(0), timedelta(hours=9), timedelta(days=2)]),
)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    SENDS,
    SENDS,
    st.builds(Conclude, SLOTS, st.sampled_from([AttemptState.ACCEPTED, *AttemptState])),
    st.builds(Again, SLOTS),
    st.builds(
        Tell,
        SLOTS,
        st.sampled_from([ReportStatus.SENT, *sorted(FINAL_REPORT)]),
        st.none() | AMOUNTS,
    ),
    st.builds(Settle, SLOTS, st.booleans()),
    st.builds(Settle, SLOTS, st.booleans()),
    st.builds(Price, PROVIDERS, AMOUNTS, AMOUNTS, st.integers(0, 5000)),
    st.builds(Close),
)


@dataclass(frozen=True, slots=True)
class Round:
    """Time passes, then actions run concurrently, each as often as it states."""

    passes: timedelta
    actions: list[tuple[Action, int]]


ROUNDS = st.builds(
    Round,
    st.sampled_from([timedelta(hours=1), timedelta(hours=8), timedelta(days=1), timedelta(days=2)]),
    st.lists(st.tuples(ACTIONS, st.integers(1, 2)), min_size=3, max_size=7),
)


async def live(database: Database, rounds: list[Round]) -> None:
    owner = await make_owner(database, sms_limit=1000)
    await born(database, owner, BEGIN - timedelta(days=2))
    scenario = Scenario(database, owner, BEGIN)
    for turn in rounds:
        scenario.now += turn.passes
        await asyncio.gather(scenario.at_once(turn.actions), look(scenario))
        await look(scenario)
    await scenario.act(Close())
    for day in days_of(scenario):
        await scenario.read(day, day)
    await look(scenario)
    await check_sums(database, owner)
    await check_report(scenario)
    await check_daily(scenario)
    check_final_days_make_the_final_month(scenario)


async def look(scenario: Scenario) -> None:
    """Read all days so far, and the oldest ones, which are FINAL and must not change."""
    days = days_of(scenario)
    await scenario.read(days[0] - timedelta(days=3), days[-1])
    await scenario.read(days[0], days[-2])
    await scenario.read(days[-3], days[-3])
    await scenario.read_daily(days[0], days[-1])


def days_of(scenario: Scenario) -> list[date]:
    first = BEGIN.date() - timedelta(days=2)
    return [first + timedelta(days=n) for n in range((scenario.now.date() - first).days + 1)]


async def check_report(scenario: Scenario) -> None:
    """Sum up records and corrections, and compare with the report to the cent."""
    async with scenario.database.read() as db:
        rows = await db.execute(
            text(
                "SELECT day, channel, provider, cost + carrier_fee AS cost, markup"
                " FROM usage_record WHERE tenant_id = :t UNION ALL"
                " SELECT day, channel, provider, cost + carrier_fee, markup"
                " FROM usage_correction WHERE tenant_id = :t"
            ),
            {"t": scenario.owner.tenant_id},
        )
        sums: defaultdict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
        for row in rows:
            sums[row.day, row.channel, "aws" if row.provider == "ses" else "other"] += row.cost
            sums[row.day, row.channel, "markup"] += row.markup
    cents: defaultdict[str, Decimal] = defaultdict(Decimal)
    for (_, _, kind), amount in sums.items():
        cents[kind] += amount.quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    days = days_of(scenario)
    report = json.loads(await scenario.read(days[0], days[-1]), parse_float=Decimal)
    assert report["awsCost"] == cents["aws"]
    assert report["hqMarkup"] == cents["markup"]
    assert report["finalCharges"] == cents["aws"] + cents["other"] + cents["markup"]


async def check_daily(scenario: Scenario) -> None:
    """Sum up daily usage, and compare with the report of the merchant to the cent."""
    days = days_of(scenario)
    reports = Reports(scenario.database, Clock(scenario.now))
    for first in (days[0], days[-3]):
        lines = await scenario.read_daily(first, days[-1])
        wanted = UsageFilter(merchant_id=scenario.owner.merchant, first=first, last=days[-1])
        report = await reports.usage(scenario.caller, wanted)
        counts: Counter[str] = Counter()
        for line in lines:
            counts[line.channel] += line.messages
        assert counts["SMS"] == report.total_sms_count
        assert counts["EMAIL"] == report.total_email_count
        assert sum(line.charge for line in lines) == report.final_charges
        assert [(line.day, line.channel) for line in lines] == sorted(
            {(line.day, line.channel) for line in lines}
        )


def check_final_days_make_the_final_month(scenario: Scenario) -> None:
    reports = {
        span: json.loads(written, parse_float=Decimal) for span, written in scenario.final.items()
    }
    for (first, last), month in reports.items():
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        parts = [reports[day, day] for day in days if (day, day) in reports]
        if len(parts) == len(days):
            for name in ("totalSmsCount", "totalEmailCount", "awsCost", "hqMarkup", "finalCharges"):
                assert sum(part[name] for part in parts) == month[name]


@settings(
    max_examples=EXAMPLES,
    derandomize="REPORT_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(
    histories=st.lists(st.lists(ROUNDS, min_size=4, max_size=7), min_size=AT_ONCE, max_size=AT_ONCE)
)
async def test_final_stays_and_everything_adds_up_after_any_history(
    database: Database, histories: list[list[Round]]
) -> None:
    await asyncio.gather(*(live(database, rounds) for rounds in histories))
