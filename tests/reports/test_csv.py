"""CSV rows of a range: complete, each rounded once, with the report's sum to the cent."""

import csv
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from io import StringIO

from sqlalchemy import text

from api.http import usage_csv
from api.http.auth import Caller
from api.services.billing.usage_reports import Reports, UsageFilter
from models.session import Database
from tests.api.doubles import Clock
from tests.factories import Owner, make_owner

FIRST, LAST = date(2026, 3, 1), date(2026, 4, 29)
CENT = Decimal("0.01")

# 60 days, 60 merchants, 3 channels: more than one batch. Tenths of cents with ties, positive and
# negative.
_FILL = """
    INSERT INTO usage_day (tenant_id, day, merchant_id, channel, messages, units, aws_cost,
                           provider_cost, carrier_fees, markup)
    SELECT :t, date '2026-03-01' + n / 180, n / 3 % 60, (ARRAY['SMS', 'VOICE', 'EMAIL'])[1 + n % 3],
           1, 2, (n - 3000) / 1000.0, (n - 3000) / 1000.0 + 0.000001, 0, n / 2000.0
      FROM generate_series(0, 10799) AS n
"""


async def test_a_long_range_is_written_whole_and_its_columns_add_up_to_the_report(
    database: Database, owner: Owner
) -> None:
    other = await make_owner(database)
    async with database.transaction() as db:
        for whose in (owner, other):
            await db.execute(text(_FILL), {"t": whose.tenant_id})
        raw = (
            await db.execute(
                text(
                    "SELECT aws_cost, provider_cost, markup FROM usage_day WHERE tenant_id = :t"
                    " ORDER BY day, merchant_id, channel"
                ),
                {"t": owner.tenant_id},
            )
        ).all()
    reports = Reports(database, Clock(datetime(2026, 5, 1, 9, tzinfo=UTC)))
    caller = Caller(
        tenant_id=owner.tenant_id,
        key_id=0,
        merchant_id=None,
        tenant_public_id=0,
        merchant_public_id=None,
        merchant=None,
    )
    wanted = UsageFilter(merchant_id=None, first=FIRST, last=LAST)
    written = [part async for part in usage_csv.write(await reports.lines(caller, wanted))]
    lines = list(csv.DictReader(StringIO("".join(written))))
    rounded = [tuple(cell.quantize(CENT, ROUND_HALF_EVEN) for cell in row) for row in raw]
    columns = ("awsCost", "providerCost", "markup")
    assert [tuple(Decimal(line[c]) for c in columns) for line in lines] == rounded
    report = await reports.usage(caller, wanted)
    assert report.aws_cost == sum(row[0] for row in rounded)
    assert report.hq_markup == sum(row[2] for row in rounded)
    assert report.final_charges == sum(Decimal(line["charge"]) for line in lines)
    assert report.total_sms_count == sum(line["channel"] == "SMS" for line in lines)
