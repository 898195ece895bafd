"""Sums of usage, checked from records and corrections alone."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import text

from models.session import Database
from tests.factories import Owner

# Every day's totals compared with its records and corrections; returns differences only.
_BROKEN = """
    WITH booked AS (
        SELECT day, merchant_id, channel, 1 AS messages, units, provider, cost, carrier_fee, markup,
               0 AS delivered, 0 AS failed
          FROM usage_record WHERE tenant_id = :t
        UNION ALL
        SELECT day, merchant_id, channel, 0, 0, provider, cost, carrier_fee, markup, 0, 0
          FROM usage_correction WHERE tenant_id = :t
        UNION ALL
        SELECT COALESCE(CAST(m.corrected_at AT TIME ZONE 'UTC' AS date), r.day), r.merchant_id,
               r.channel, 0, 0, r.provider, 0, 0, 0, CAST(m.status = 'DELIVERED' AS int),
               CAST(m.status IN ('UNDELIVERED', 'FAILED') AS int)
          FROM usage_record r JOIN message m ON m.tenant_id = r.tenant_id AND m.id = r.message_id
         WHERE r.tenant_id = :t AND m.status IN ('DELIVERED', 'UNDELIVERED', 'FAILED')
    ), sums AS (
        SELECT day, merchant_id, channel, sum(messages) AS messages, sum(units) AS units,
               sum(CASE WHEN provider = 'ses' THEN cost + carrier_fee ELSE 0 END) AS aws_cost,
               sum(CASE WHEN provider = 'ses' THEN 0 ELSE cost + carrier_fee END)
               AS provider_cost,
               sum(carrier_fee) AS carrier_fees, sum(markup) AS markup,
               sum(delivered) AS delivered, sum(failed) AS failed
          FROM booked GROUP BY day, merchant_id, channel
    ), days AS (
        SELECT day, merchant_id, channel, messages, units, aws_cost, provider_cost, carrier_fees,
               markup, delivered, failed
          FROM usage_day WHERE tenant_id = :t
    )
    (TABLE sums EXCEPT ALL TABLE days) UNION ALL (TABLE days EXCEPT ALL TABLE sums)
"""
_CLOSED_TOO_EARLY = """
    SELECT record.day, record.message_id
      FROM usage_record record JOIN usage_closing USING (tenant_id, day)
     WHERE tenant_id = :t AND record.state = 'PROVISIONAL'
"""
_TOTAL = """
    SELECT COALESCE(sum(aws_cost + provider_cost), 0) AS cost, COALESCE(sum(markup), 0) AS markup
      FROM usage_day WHERE tenant_id = :t
"""


@dataclass(frozen=True, slots=True)
class Sums:
    """The unrounded totals of a tenant's days."""

    cost: Decimal
    markup: Decimal


async def check_sums(database: Database, owner: Owner) -> Sums:
    """Check that every day is the sum of its records and corrections; return the grand total."""
    async with database.read() as db:
        broken = (await db.execute(text(_BROKEN), {"t": owner.tenant_id})).all()
        assert broken == [], "days and what is booked on them differ"
        early = (await db.execute(text(_CLOSED_TOO_EARLY), {"t": owner.tenant_id})).all()
        assert early == [], "a price is missing on a day that is closed"
        row = (await db.execute(text(_TOTAL), {"t": owner.tenant_id})).one()
    return Sums(row.cost, row.markup)
