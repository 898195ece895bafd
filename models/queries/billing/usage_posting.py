"""Posts the end of a message, or its correction, to a day of usage."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any, Final

from models.enums import MessageStatus
from models.queries.billing.usage_days import lock_day
from models.queries.messages.settlement_facts import LockedMessage
from models.rules.billing.periods import day_of
from models.rules.billing.price_asking import FIRST_PRICE_GAP
from models.rules.billing.pricing import billed_by_aws
from models.rules.messages.settlement import End
from models.session import WriteSession


def posting(*, message_id: str, totals: str, messages: str) -> str:
    """Return the SQL that records usage and adds it to a day, for what a part `ended` returns.

    An accepted message counts in the usage of its day, or of today if that day is closed; so does
    its outcome.

    Args:
        message_id: SQL of the id of a message of `ended`.
        totals: SQL of what is added to a day, from its number of messages on, with the FROM clause
            over `used`.
        messages: SQL of the number of messages that is added to a day that has a row.
    """
    return f"""
    counted AS (
        SELECT CASE WHEN EXISTS (SELECT 1 FROM usage_closing
                                  WHERE tenant_id = :tenant_id AND day = CAST(:day AS date))
                    THEN CAST(:today AS date) ELSE CAST(:day AS date) END AS day
         WHERE CAST(:day AS date) IS NOT NULL
    ), used AS (
        INSERT INTO usage_record
               (tenant_id, message_id, merchant_id, channel, provider, day, units, country,
                cost_units, cost, carrier_fee, markup, priced_by, gap, state, recorded_at,
                price_due_at)
        SELECT :tenant_id, {message_id}, :merchant_id, :channel, :provider, counted.day,
               :captured, :country, :cost_units, :cost, :carrier_fee, :markup, :priced_by, :gap,
               :usage_state, :now, :price_due_at
          FROM ended, counted
        ON CONFLICT (tenant_id, message_id) DO NOTHING
        RETURNING *
    ), totals AS (
        INSERT INTO usage_day AS t
               (tenant_id, day, merchant_id, channel, messages, units, aws_cost, provider_cost,
                carrier_fees, markup, delivered, failed)
        SELECT tenant_id, day, merchant_id, channel, {totals}
        ON CONFLICT (tenant_id, day, merchant_id, channel) DO UPDATE
           SET messages = t.messages + {messages}, units = t.units + excluded.units,
               aws_cost = t.aws_cost + excluded.aws_cost,
               provider_cost = t.provider_cost + excluded.provider_cost,
               carrier_fees = t.carrier_fees + excluded.carrier_fees,
               markup = t.markup + excluded.markup,
               delivered = t.delivered + excluded.delivered,
               failed = t.failed + excluded.failed
    )"""  # noqa: S608 - no input in it


USED: Final = posting(
    message_id=":message_id",
    totals="""1, units,
               CASE WHEN :aws THEN cost + carrier_fee ELSE 0 END,
               CASE WHEN :aws THEN 0 ELSE cost + carrier_fee END, carrier_fee, markup,
               :delivered, :failed
          FROM used""",
    messages="1",
)
"""The posting of one message."""

USED_BY_SEVERAL: Final = posting(
    message_id="ended.id",
    totals="""count(*), sum(units),
               CASE WHEN :aws THEN sum(cost + carrier_fee) ELSE 0 END,
               CASE WHEN :aws THEN 0 ELSE sum(cost + carrier_fee) END, sum(carrier_fee),
               sum(markup), count(*) * :delivered, count(*) * :failed
          FROM used GROUP BY tenant_id, day, merchant_id, channel""",
    messages="excluded.messages",
)
"""The posting of messages with equal values, whose ids a part `ended` returns."""

# The outcome of a message that has a usage record already. Must follow `USED`.
LATE_OUTCOME: Final = """
    late AS (
        INSERT INTO usage_day AS t
               (tenant_id, day, merchant_id, channel, messages, units, delivered, failed)
        SELECT :tenant_id, counted.day, :merchant_id, :channel, 0, 0, :delivered, :failed
          FROM ended, counted
         WHERE NOT EXISTS (SELECT 1 FROM used)
        ON CONFLICT (tenant_id, day, merchant_id, channel) DO UPDATE
           SET delivered = t.delivered + excluded.delivered,
               failed = t.failed + excluded.failed
    )"""

_FAILED: Final = frozenset({MessageStatus.UNDELIVERED, MessageStatus.FAILED})

TOO_LATE: Final = """
    EXISTS (SELECT 1 FROM counted JOIN usage_closing USING (day)
             WHERE tenant_id = :tenant_id)"""


async def lock_days(db: WriteSession, message: LockedMessage, days: set[date]) -> None:
    """Lock the days that may be written to and were not locked with the message, after midnight."""
    for day in sorted(days - message.days):
        await lock_day(db, tenant_id=message.tenant_id, day=day, alone=False)


def usage_of(
    message: LockedMessage, end: End, now: datetime, price_reporters: Collection[str]
) -> dict[str, Any]:
    """Return the values of the usage record for an end; without a provider there is no record.

    If the outcome stayed unknown until the horizon, the provider's price is not awaited: the card's
    price is used.
    """
    provider = end.provider or ""
    awaited = provider in price_reporters and end.status is not MessageStatus.UNKNOWN
    price = message.price(provider, end.cost_units, awaited=awaited)
    return {
        "day": end.day,
        "today": day_of(now),
        "country": message.country,
        "cost_units": end.cost_units,
        "cost": price.cost,
        "carrier_fee": price.carrier_fee,
        "markup": price.markup,
        "priced_by": price.priced_by,
        "gap": price.gap,
        "usage_state": price.state,
        "price_due_at": now + FIRST_PRICE_GAP if awaited else None,
        "aws": billed_by_aws(provider),
        "delivered": int(end.status is MessageStatus.DELIVERED),
        "failed": int(end.status in _FAILED),
    }
