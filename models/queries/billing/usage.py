"""Reads usage: daily totals, each rounded once, and the reasons why they are not final."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Row, TextClause, text

from models.enums import Channel, UnpricedReason
from models.queries.billing.day_closing import SINCE, unsettled
from models.queries.billing.unpriced import unpriced_kinds
from models.queries.tenants.visibility import CallerScope
from models.rules.billing.freshness import OpenDays, Unpriced
from models.session import ReadSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Totals of a range of days, every amount in whole cents.

    `open_days` is None if all of its days are closed.
    """

    sms: int
    emails: int
    aws_cost: Decimal
    provider_cost: Decimal
    """Of all providers except AWS."""
    markup: Decimal
    open_days: OpenDays | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLine:
    """One merchant's usage of one channel on one day, every amount in whole cents."""

    day: date
    merchant_id: int
    merchant: str
    """Empty, with merchant_id 0, for the tenant's own usage."""
    channel: Channel
    messages: int
    units: int
    aws_cost: Decimal
    provider_cost: Decimal
    carrier_fees: Decimal
    markup: Decimal
    delivered: int
    failed: int
    closed: bool


def _cents(column: str) -> str:
    """Return the SQL of an amount with two decimals, rounded half to even.

    Postgres's numeric `round` rounds ties away from zero. So a tie is halved, rounded and doubled,
    which gives an even number: 2.5 → 1.25 → 1 → 2, 3.5 → 1.75 → 2 → 4.
    """
    cents = f"({column} * 100)"
    return (
        f"round(CASE WHEN abs({cents} - trunc({cents})) = 0.5 THEN round({cents} / 2) * 2"
        f" ELSE round({cents}) END / 100, 2)"
    )


def _mine(column: str, one: bool) -> str:
    return f"{column} = :merchant_id" if one else "TRUE"


def _unpriced(gap: UnpricedReason, one: bool) -> str:
    """Return the SQL of the kinds of unpriced records in the range.

    For one merchant each day is looked up separately, so that records of others are not read.
    """
    days = "wanted" if one else "(SELECT CAST(NULL AS date) AS day)"
    when = (
        "r.day = wanted.day AND r.merchant_id = :merchant_id"
        if one
        else "r.day BETWEEN CAST(:first AS date) AND CAST(:last AS date)"
    )
    return f"""
        SELECT json_agg(jsonb_build_array(kind.channel, kind.provider, kind.country))
          FROM ({unpriced_kinds(gap)}) AS kind
         WHERE (SELECT TRUE FROM {days}, LATERAL (
                    SELECT 1 FROM usage_record r
                     WHERE r.tenant_id = :tenant_id AND r.state = 'PROVISIONAL'
                       AND r.gap = '{gap}' AND r.channel = kind.channel
                       AND r.provider = kind.provider AND r.country = kind.country
                       AND {when} LIMIT 1) AS one LIMIT 1)
    """  # noqa: S608 - no input in it


# One statement, so one snapshot: if it finds every day closed, it also sees everything written to
# them. Days before the tenant's creation count as closed if they are empty.
def _totals(one: bool) -> TextClause:
    return text(
        f"""
        WITH totals AS (
            SELECT COALESCE(sum(messages) FILTER (WHERE channel = 'SMS'), 0) AS sms,
                   COALESCE(sum(messages) FILTER (WHERE channel = 'EMAIL'), 0) AS emails,
                   COALESCE(sum({_cents("aws_cost")}), 0.00) AS aws_cost,
                   COALESCE(sum({_cents("provider_cost")}), 0.00) AS provider_cost,
                   COALESCE(sum({_cents("markup")}), 0.00) AS markup
              FROM usage_day
             WHERE tenant_id = :tenant_id AND {_mine("merchant_id", one)}
               AND day BETWEEN CAST(:first AS date) AND CAST(:last AS date)
        ), wanted AS (
            SELECT CAST(midnight AS date) AS day
              FROM generate_series(CAST(:first AS timestamp), CAST(:last AS timestamp),
                                   interval '1 day')
                   AS midnight
        ), since AS ({SINCE}), opened AS (
            SELECT min(wanted.day) AS earliest, max(wanted.day) AS latest
              FROM wanted, since
             WHERE NOT EXISTS (SELECT 1 FROM usage_closing closing
                                WHERE closing.tenant_id = :tenant_id AND closing.day = wanted.day)
               AND (wanted.day >= LEAST(since.day, CAST(:today AS date))
                    OR EXISTS (SELECT 1 FROM usage_day used
                                WHERE used.tenant_id = :tenant_id AND used.day = wanted.day)
                    OR EXISTS ({unsettled("wanted.day", "wanted.day")}))
        )
        SELECT totals.*, opened.*,
               CASE WHEN earliest IS NOT NULL THEN EXISTS (
                   {unsettled("CAST(:first AS date)", "CAST(:last AS date)")}
                   AND {_mine("m.merchant_id", one)}) END AS unsettled,
               CASE WHEN earliest IS NOT NULL
                    THEN ({_unpriced(UnpricedReason.RATE_MISSING, one)}) END AS unpriced,
               CASE WHEN earliest IS NOT NULL
                    THEN ({_unpriced(UnpricedReason.VENDOR_PRICE, one)}) END AS awaited
          FROM totals, opened
        """  # noqa: S608 - no input in it
    )


_COUNTED: Final = """
    AND (used.messages > 0 OR used.units > 0 OR used.aws_cost <> 0 OR used.provider_cost <> 0
         OR used.carrier_fees <> 0 OR used.markup <> 0)
"""
"""SQL that leaves out lines of which only the outcome of an earlier day's message is known."""


def _lines(one: bool, counted: str) -> TextClause:
    return text(
        f"""
        SELECT used.day, used.merchant_id, COALESCE(merchant.external_id, '') AS merchant,
               used.channel, used.messages, used.units, {_cents("used.aws_cost")} AS aws_cost,
               {_cents("used.provider_cost")} AS provider_cost,
               {_cents("used.carrier_fees")} AS carrier_fees, {_cents("used.markup")} AS markup,
               used.delivered, used.failed,
               EXISTS (SELECT 1 FROM usage_closing closing
                        WHERE closing.tenant_id = :tenant_id AND closing.day = used.day) AS closed
          FROM usage_day used
          LEFT JOIN merchant ON merchant.tenant_id = used.tenant_id
                            AND merchant.id = used.merchant_id
         WHERE used.tenant_id = :tenant_id AND {_mine("used.merchant_id", one)}
           AND used.day BETWEEN CAST(:first AS date) AND CAST(:last AS date)
           {counted}
           AND (used.day, used.merchant_id, used.channel)
               > (CAST(:after_day AS date), CAST(:after_merchant AS bigint),
                  CAST(:after_channel AS text))
         ORDER BY used.day, used.merchant_id, used.channel
         LIMIT :most
        """  # noqa: S608 - no input in it
    )


TOTALS: Final = {one: _totals(one) for one in (False, True)}
_LINES: Final = {one: _lines(one, _COUNTED) for one in (False, True)}
"""By whether it is about one merchant, so that each has a query plan of its own."""
_DAILY: Final = _lines(True, "")


async def total(
    db: ReadSession,
    scope: CallerScope,
    *,
    first: date,
    last: date,
    today: date,
) -> Totals:
    """Sum the days of a range, of one merchant or of all merchants and the tenant itself."""
    row = (
        await db.execute(
            TOTALS[scope.merchant_id is not None],
            {
                "tenant_id": scope.tenant_id,
                "merchant_id": scope.merchant_id,
                "first": first,
                "last": last,
                "today": today,
            },
        )
    ).one()
    return Totals(
        sms=int(row.sms),
        emails=int(row.emails),
        aws_cost=row.aws_cost,
        provider_cost=row.provider_cost,
        markup=row.markup,
        open_days=_openness(row),
    )


def _openness(row: Row[Any]) -> OpenDays | None:
    if row.earliest is None:
        return None
    unpriced = [
        Unpriced(channel=Channel(channel), provider=provider, country=country)
        for channel, provider, country in row.unpriced or ()
    ]
    return OpenDays(
        earliest=row.earliest,
        latest=row.latest,
        unsettled=row.unsettled,
        unpriced=unpriced,
        awaited=sorted({provider for _, provider, _ in row.awaited or ()}),
    )


async def read_lines(
    db: ReadSession,
    scope: CallerScope,
    *,
    first: date,
    last: date,
    after: DayLine | None,
    most: int,
) -> Sequence[DayLine]:
    """Return lines of a range by day, merchant and channel, after a given line."""
    rows = await db.execute(
        _LINES[scope.merchant_id is not None],
        {
            "tenant_id": scope.tenant_id,
            "merchant_id": scope.merchant_id,
            "first": first,
            "last": last,
            "after_day": first if after is None else after.day,
            "after_merchant": -1 if after is None else after.merchant_id,
            "after_channel": "" if after is None else after.channel,
            "most": most,
        },
    )
    return _read(rows)


async def read_daily(
    db: ReadSession, scope: CallerScope, *, first: date, last: date
) -> Sequence[DayLine]:
    """Return all lines of one merchant in a range by day and channel.

    These include days on which nothing but the outcome of an earlier day's message was posted.
    """
    rows = await db.execute(
        _DAILY,
        {
            "tenant_id": scope.tenant_id,
            "merchant_id": scope.merchant_id,
            "first": first,
            "last": last,
            "after_day": first,
            "after_merchant": -1,
            "after_channel": "",
            "most": ((last - first).days + 1) * len(Channel),
        },
    )
    return _read(rows)


def _read(rows: Iterable[Row[Any]]) -> Sequence[DayLine]:
    return [
        DayLine(
            day=row.day,
            merchant_id=row.merchant_id,
            merchant=row.merchant,
            channel=Channel(row.channel),
            messages=row.messages,
            units=row.units,
            aws_cost=row.aws_cost,
            provider_cost=row.provider_cost,
            carrier_fees=row.carrier_fees,
            markup=row.markup,
            delivered=row.delivered,
            failed=row.failed,
            closed=row.closed,
        )
        for row in rows
    ]
