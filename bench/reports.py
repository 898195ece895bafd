"""Compares the usage report of a month over a million records with one over ten thousand.

Two tenants in one database, among a thousand others, are measured alternately; only the ratios are
meaningful. About three in ten records wait for a vendor's price, one in five hundred for a rate.
The plans are printed too, because a report with a sequential scan would grow with the table. Only
some messages exist, and those in progress: no report reads the others.
"""

import json
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import text

from api.http import usage_csv
from api.http.auth import Caller
from api.http.bodies.exact_json import ExactJson
from api.services.billing.usage_reports import Reports, UsageFilter
from bench.database import durable
from models.queries.billing import repricing, usage
from models.session import Database
from tests.factories import Owner, make_owner

SIZES = {"1,000,000": 1_000_000, "10,000": 10_000}
WANTED = 2.0
APRIL = (date(2026, 4, 1), date(2026, 4, 30))
MAY = (date(2026, 5, 1), date(2026, 5, 31))
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
MESSAGES = 50_000
UNDER_WAY = 2_000

_OTHERS = """
    INSERT INTO tenant (name, delivery_mode, created_at)
    SELECT 'other-' || n, 'SIMULATOR', '2025-01-01' FROM generate_series(1, 1000) AS n
"""
_CLOSED = """
    INSERT INTO usage_closing (tenant_id, day, closed_at)
    SELECT tenant.id, CAST(day AS date), now() FROM tenant,
           generate_series(timestamp '2026-01-01', '2026-04-30', interval '1 day') AS day
"""
_RECORDS = """
    INSERT INTO usage_record (tenant_id, message_id, merchant_id, channel, provider, day, units,
                              state, country, cost, carrier_fee, markup, gap, recorded_at)
    SELECT :t, n, 1 + n % 50, (ARRAY['SMS', 'VOICE', 'EMAIL'])[1 + n % 3],
           CASE WHEN n % 3 = 2 THEN 'ses' ELSE 'simulator' END, date '2026-04-01' + n % 49, 1,
           CASE WHEN waits.gap IS NULL THEN 'FINAL' ELSE 'PROVISIONAL' END, 'US',
           0.0079, 0.003, 0.0012, waits.gap, now()
      FROM generate_series(1, CAST(:records AS int)) AS n,
           LATERAL (SELECT CASE WHEN n % 49 = 48 AND n % 10 = 0 THEN 'RATE_MISSING'
                                WHEN n % 49 >= 34 THEN 'VENDOR_PRICE' END AS gap) AS waits
"""
_DAYS = """
    INSERT INTO usage_day (tenant_id, day, merchant_id, channel, messages, units, aws_cost,
                           provider_cost, carrier_fees, markup)
    SELECT tenant_id, day, merchant_id, channel, count(*), sum(units),
           sum(CASE WHEN provider = 'ses' THEN cost + carrier_fee ELSE 0 END),
           sum(CASE WHEN provider = 'ses' THEN 0 ELSE cost + carrier_fee END), sum(carrier_fee),
           sum(markup)
      FROM usage_record WHERE tenant_id = :t GROUP BY tenant_id, day, merchant_id, channel
"""
_OTHERS_DAYS = """
    INSERT INTO usage_day (tenant_id, day, merchant_id, channel, messages, units, aws_cost,
                           provider_cost, carrier_fees, markup)
    SELECT other.id, day, merchant_id, channel, messages, units, aws_cost, provider_cost,
           carrier_fees, markup
      FROM usage_day, (SELECT id FROM tenant WHERE name LIKE 'other-%' LIMIT 40) AS other
     WHERE tenant_id = :t
"""
_MESSAGES = """
    WITH accepted AS (
        INSERT INTO message (tenant_id, delivery_mode, merchant_id, channel, type, contact_key,
                             to_contact, sender, body, details, attributes, operation, scope,
                             fingerprint, status, attempts, units, billed_units, month,
                             funded, held_allowance, held_credits, accepted_at,
                             due_at, sweep_at, completed_at)
        SELECT :t, (SELECT delivery_mode FROM tenant WHERE id = :t), :m, 'SMS', 'OTP',
               '+18135551234', '+18135551234', '+18005550100', 'Hello', '{}', '{}',
               'send-sms', '', repeat('0', 64), 'SENT', 1, 1, 0, '2026-05', TRUE, 1, 0,
               '2026-05-20 11:00Z', '2026-05-20 11:00Z', '2026-05-20 11:00Z',
               CASE WHEN n > :under_way THEN timestamptz '2026-05-20 11:01Z' END
          FROM generate_series(1, CAST(:messages AS int)) AS n
        RETURNING id
    )
    INSERT INTO attempt (tenant_id, message_id, number, provider, account, state, requested_at,
                         deadline, everywhere)
    SELECT :t, id, 1, 'simulator', 'simulator', 'ACCEPTED', '2026-05-20 11:00Z',
           '2026-05-20 11:01Z', FALSE
      FROM accepted
"""


@dataclass(frozen=True, kw_only=True)
class Timed:
    """Times of one report of one tenant, in ms."""

    p50: float
    p95: float


async def measure(calls: int) -> None:
    """Fill a database, measure the reports of both tenants alternately, print a table."""
    async with durable(pool_size=5) as database:
        owners = await _fill(database)
        reports = Reports(database, lambda: NOW)
        print(f"\n{calls} reports each, in turns{'p50 ms':>26}{'p95 ms':>8}{'ratio of p50':>14}")
        for name, span in (("a FINAL month", APRIL), ("the running month", MAY)):
            await _compare(name, [*await _time(reports, owners, span, calls)])
        await _compare(
            "a month as CSV", [*await _time(reports, owners, APRIL, max(calls // 10, 3), csv=True)]
        )
        await _explain(database, owners[0])


async def _fill(database: Database) -> list[Owner]:
    owners = [await make_owner(database) for _ in SIZES]
    async with database.transaction() as db:
        await db.execute(text(_OTHERS))
        await db.execute(text("UPDATE tenant SET created_at = '2026-01-01'"))
        await db.execute(text(_CLOSED))
        # Disables foreign keys: the records have no messages.
        await db.execute(text("SET LOCAL session_replication_role = replica"))
        for owner, records in zip(owners, SIZES.values(), strict=True):
            ids = {"t": owner.tenant_id, "m": owner.merchant_id}
            await db.execute(text(_RECORDS), {**ids, "records": records})
            await db.execute(text(_DAYS), ids)
            few = {"messages": MESSAGES, "under_way": UNDER_WAY}
            await db.execute(text(_MESSAGES), {**ids, **few})
        await db.execute(text(_OTHERS_DAYS), {"t": owners[0].tenant_id})
    async with database.read() as db:
        await db.execute(text("VACUUM ANALYZE"))
    return owners


async def _time(
    reports: Reports, owners: list[Owner], span: tuple[date, date], calls: int, *, csv: bool = False
) -> list[Timed]:
    """Alternate between the owners, so that other load affects both."""
    wanted = UsageFilter(merchant_id=None, first=span[0], last=span[1])
    times: list[list[float]] = [[] for _ in owners]
    for _ in range(calls):
        for owner, taken in zip(owners, times, strict=True):
            caller = Caller(
                tenant_id=owner.tenant_id,
                key_id=0,
                merchant_id=None,
                tenant_public_id=0,
                merchant_public_id=None,
                merchant=None,
            )
            began = time.perf_counter()
            if csv:
                async for _rows in usage_csv.write(await reports.lines(caller, wanted)):
                    pass
            else:
                ExactJson(await reports.usage(caller, wanted))
            taken.append(1000 * (time.perf_counter() - began))
    return [
        Timed(p50=statistics.median(taken), p95=statistics.quantiles(taken, n=20)[-1])
        for taken in times
    ]


async def _compare(name: str, timed: list[Timed]) -> None:
    ratio = timed[0].p50 / timed[1].p50
    for size, one in zip(SIZES, timed, strict=True):
        told = f"{ratio:>14.2f}" if size == next(iter(SIZES)) else ""
        print(f"{f'{name}, {size} records':<45} {one.p50:>8.1f}{one.p95:>8.1f}{told}", flush=True)
    if "CSV" not in name:
        print(f"  (wanted: at most {WANTED})")


async def _explain(database: Database, owner: Owner) -> None:
    """Print the plans of the larger tenant's reports."""
    months = {"today": NOW.date(), "first": APRIL[0], "last": APRIL[1]}
    may = {**months, "first": MAY[0], "last": MAY[1]}
    merchant = {**may, "merchant_id": owner.merchant_id}
    missing = {"now": NOW, "most": 500}
    for name, statement, facts in (
        ("a FINAL month", usage.TOTALS[False], months),
        ("the running month", usage.TOTALS[False], may),
        ("a merchant's running month", usage.TOTALS[True], merchant),
        ("what lacks a rate", repricing.MISSING, missing),
    ):
        explain = text(f"EXPLAIN (FORMAT JSON) {statement.text}")
        async with database.read() as db:
            plan = await db.scalar(explain, {**facts, "tenant_id": owner.tenant_id})
        scans = sorted(set(_scans(json.loads(plan) if isinstance(plan, str) else plan)))
        print(f"\nhow {name} is read:")
        for scan in scans:
            print(f"  {scan}")
        whole = [scan for scan in scans if scan.startswith("Seq Scan")]
        print(f"  tables read from end to end: {', '.join(whole) or 'none'}")


def _scans(plan: Any) -> list[str]:
    """Return every scan node of a plan."""
    if isinstance(plan, list):
        return [scan for part in plan for scan in _scans(part)]
    if not isinstance(plan, dict):
        return []
    found = [scan for part in plan.values() for scan in _scans(part)]
    if "Relation Name" in plan:
        by = f" by {plan['Index Name']}" if "Index Name" in plan else ""
        found.append(f"{plan['Node Type']} on {plan['Relation Name']}{by}")
    elif "Index Name" in plan:
        found.append(f"{plan['Node Type']} by {plan['Index Name']}")
    return found
