"""Reprices recorded messages after the provider's own price or a missing card arrives.

A PROVISIONAL record of an open day is changed together with its day. A FINAL record, or one of a
closed day, is not changed: the difference is posted to today.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import text

from models.enums import PriceSource, UnpricedReason
from models.queries.accounts.spending import book
from models.queries.billing.applicable_rates import AS_JSON, CARDS, read_cards
from models.queries.billing.unpriced import unpriced_kinds
from models.queries.billing.usage_days import DayIsClosed, lock_day, wait_briefly
from models.rules.billing.periods import day_of
from models.rules.billing.pricing import Price, billed_by_aws, choose, price
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedUsage:
    """State of a message's usage record."""

    provider: str
    cost_units: int
    priced_by: PriceSource | None
    gap: UnpricedReason | None

    @property
    def awaited(self) -> bool:
        """Whether the provider's own price is still awaited."""
        return self.priced_by is PriceSource.VENDOR and self.gap is not None


def read_posted(found: Sequence[Any] | None) -> PostedUsage | None:
    """Return a record that was read as [provider, cost_units, priced_by, gap]."""
    if found is None:
        return None
    provider, units, priced_by, gap = found
    return PostedUsage(
        provider=provider,
        cost_units=units,
        priced_by=None if priced_by is None else PriceSource(priced_by),
        gap=None if gap is None else UnpricedReason(gap),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Repriced:
    """Current price of a recorded message."""

    message_id: int
    provider: str
    units: int
    """Units that have a cost."""
    price: Price


# The posted cost of a message is its record plus all corrections. The record is locked before it is
# read: after a wait for `accept_card_prices` it must be seen as FINAL.
_REPRICE = text(
    """
    WITH wanted AS (
        SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:units AS int[]),
                             CAST(:costs AS numeric[]), CAST(:carrier_fees AS numeric[]),
                             CAST(:markups AS numeric[]), CAST(:sources AS text[]),
                             CAST(:gaps AS text[]), CAST(:states AS text[]),
                             CAST(:aws AS boolean[]))
            AS w (message_id, units, cost, carrier_fee, markup, priced_by, gap, state, aws)
    ), repriced AS (
        SELECT w.*, r.merchant_id, r.channel, r.provider, r.day,
               r.state = 'PROVISIONAL'
               AND NOT EXISTS (SELECT 1 FROM usage_closing closing
                                WHERE closing.tenant_id = r.tenant_id
                                  AND closing.day = r.day) AS open,
               w.cost - r.cost - posted.cost AS more_cost,
               w.carrier_fee - r.carrier_fee - posted.carrier_fee AS more_carrier_fee,
               w.markup - r.markup - posted.markup AS more_markup
          FROM wanted w
          JOIN usage_record r ON r.tenant_id = :tenant_id AND r.message_id = w.message_id,
               LATERAL (SELECT COALESCE(sum(c.cost), 0) AS cost,
                               COALESCE(sum(c.carrier_fee), 0) AS carrier_fee,
                               COALESCE(sum(c.markup), 0) AS markup
                          FROM usage_correction c
                         WHERE c.tenant_id = r.tenant_id
                           AND c.message_id = r.message_id) posted
           FOR NO KEY UPDATE OF r
    ), changed AS (
        UPDATE usage_record r
           SET cost_units = repriced.units,
               cost = CASE WHEN repriced.open THEN r.cost + repriced.more_cost ELSE r.cost END,
               carrier_fee = CASE WHEN repriced.open THEN r.carrier_fee + repriced.more_carrier_fee
                                  ELSE r.carrier_fee END,
               markup = CASE WHEN repriced.open THEN r.markup + repriced.more_markup
                             ELSE r.markup END,
               priced_by = repriced.priced_by, gap = repriced.gap, state = repriced.state
          FROM repriced
         WHERE r.tenant_id = :tenant_id AND r.message_id = repriced.message_id
           AND r.state = 'PROVISIONAL'
    ), noted AS (
        UPDATE usage_record r SET cost_units = repriced.units
          FROM repriced
         WHERE r.tenant_id = :tenant_id AND r.message_id = repriced.message_id AND r.state = 'FINAL'
           AND r.cost_units <> repriced.units
    ), posted AS (
        INSERT INTO usage_correction
               (tenant_id, message_id, merchant_id, channel, provider, day, cost, carrier_fee,
                markup, posted_at)
        SELECT :tenant_id, message_id, merchant_id, channel, provider, CAST(:today AS date),
               more_cost, more_carrier_fee, more_markup, :now
          FROM repriced
         WHERE NOT open AND (more_cost <> 0 OR more_carrier_fee <> 0 OR more_markup <> 0)
         ORDER BY message_id
    ), totals AS (
        INSERT INTO usage_day AS total
               (tenant_id, day, merchant_id, channel, aws_cost, provider_cost, carrier_fees,
                markup, messages, units)
        SELECT :tenant_id, CASE WHEN open THEN day ELSE CAST(:today AS date) END AS written,
               merchant_id, channel,
               sum(CASE WHEN aws THEN more_cost + more_carrier_fee ELSE 0 END),
               sum(CASE WHEN aws THEN 0 ELSE more_cost + more_carrier_fee END),
               sum(more_carrier_fee), sum(more_markup), 0, 0
          FROM repriced
         WHERE more_cost <> 0 OR more_carrier_fee <> 0 OR more_markup <> 0
         GROUP BY written, merchant_id, channel
         ORDER BY written, merchant_id, channel
        ON CONFLICT (tenant_id, day, merchant_id, channel) DO UPDATE
           SET aws_cost = total.aws_cost + excluded.aws_cost,
               provider_cost = total.provider_cost + excluded.provider_cost,
               carrier_fees = total.carrier_fees + excluded.carrier_fees,
               markup = total.markup + excluded.markup
    )
    SELECT EXISTS (SELECT 1 FROM usage_closing
                    WHERE tenant_id = :tenant_id AND day = CAST(:today AS date)) AS too_late
    """
)


async def reprice(
    db: WriteSession, *, tenant_id: int, wanted: Sequence[Repriced], now: datetime
) -> None:
    """Post what messages cost, minus what is already posted. Idempotent.

    The caller holds the locks of the messages, and of the days of their records and of today.

    Raises:
        DayIsClosed: the clock of this process is slow; a retry succeeds.
    """
    prices = [one.price for one in wanted]
    too_late = await db.scalar(
        _REPRICE,
        {
            "tenant_id": tenant_id,
            "ids": [one.message_id for one in wanted],
            "units": [one.units for one in wanted],
            "costs": [p.cost for p in prices],
            "carrier_fees": [p.carrier_fee for p in prices],
            "markups": [p.markup for p in prices],
            "sources": [p.priced_by for p in prices],
            "gaps": [p.gap for p in prices],
            "states": [p.state for p in prices],
            "aws": [billed_by_aws(one.provider) for one in wanted],
            "today": day_of(now),
            "now": now,
        },
    )
    if too_late:
        raise DayIsClosed


# Kinds that no card covers yet are skipped, so that their records are not read each time.
MISSING = text(
    f"""
    SELECT found.message_id
      FROM ({unpriced_kinds(UnpricedReason.RATE_MISSING)}) AS kind,
           LATERAL (SELECT r.message_id, r.day FROM usage_record r
                     WHERE r.tenant_id = :tenant_id AND r.state = 'PROVISIONAL'
                       AND r.gap = 'RATE_MISSING' AND r.channel = kind.channel
                       AND r.provider = kind.provider AND r.country = kind.country
                     ORDER BY r.day LIMIT :most) AS found
     WHERE EXISTS (SELECT 1 FROM rate
                    WHERE rate.tenant_id IN (:tenant_id, 0) AND rate.channel = kind.channel
                      AND rate.provider = kind.provider AND rate.country IN (kind.country, '')
                      AND rate.valid_from <= :now)
     ORDER BY found.day LIMIT :most
    """  # noqa: S608 - every value is a parameter
)

_LOCK = text(
    """
    SELECT id FROM message
     WHERE tenant_id = :tenant_id AND id = ANY(CAST(:ids AS bigint[]))
     ORDER BY id FOR NO KEY UPDATE
    """
)

_DAYS = text(
    """
    SELECT DISTINCT day FROM usage_record
     WHERE tenant_id = :tenant_id AND message_id = ANY(CAST(:ids AS bigint[]))
    """
)

# A separate statement, so that it sees what was committed while the locks were waited for.
_PRICEABLE = text(
    f"""
    SELECT r.message_id, r.provider, r.cost_units, r.priced_by, r.gap, m.accepted_at,
           (SELECT {AS_JSON} FROM {CARDS}) AS cards,
           (SELECT receipt.price FROM receipt
             WHERE receipt.tenant_id = r.tenant_id AND receipt.message_id = r.message_id
               AND receipt.provider = r.provider AND receipt.price IS NOT NULL
             ORDER BY receipt.id DESC LIMIT 1) AS told,
           EXISTS (SELECT 1 FROM receipt
                    WHERE receipt.tenant_id = r.tenant_id AND receipt.message_id = r.message_id
                      AND receipt.provider = r.provider AND receipt.price_settled) AS settled
      FROM usage_record r
      JOIN message m ON m.tenant_id = r.tenant_id AND m.id = r.message_id,
           LATERAL (SELECT r.tenant_id, r.channel, r.provider, r.country, m.accepted_at,
                           CAST(:now AS timestamptz) AS now) wanted
     WHERE r.tenant_id = :tenant_id AND r.message_id = ANY(CAST(:ids AS bigint[]))
       AND r.state = 'PROVISIONAL' AND r.gap = 'RATE_MISSING'
    """  # noqa: S608 - every value is a parameter
)


async def price_what_is_missing(
    db: WriteSession, *, tenant_id: int, now: datetime, most: int = 500
) -> int:
    """Price messages that had no card and now have one, the oldest days first.

    Returns how many were priced. Call it again, each time in a new transaction, until it returns 0.
    Safe to run twice and concurrently.

    Raises:
        DayIsClosed: the clock of this process is slow; a retry succeeds.
        OperationalError: a message's lock was not available within the lock timeout.
    """
    await wait_briefly(db)
    found = await db.scalars(MISSING, {"tenant_id": tenant_id, "now": now, "most": most})
    ids = {"tenant_id": tenant_id, "ids": list(found)}
    if not ids["ids"]:
        return 0
    await db.execute(_LOCK, ids)
    await _lock_days(db, tenant_id, {day_of(now), *(await db.scalars(_DAYS, ids))})
    wanted = [
        Repriced(
            message_id=row.message_id,
            provider=row.provider,
            units=row.cost_units,
            price=price(
                row.cost_units,
                choose(read_cards(row.cards), row.accepted_at),
                told=row.told,
                awaited=row.priced_by == PriceSource.VENDOR and not row.settled,
            ),
        )
        for row in await db.execute(_PRICEABLE, {**ids, "now": now})
    ]
    await reprice(db, tenant_id=tenant_id, wanted=wanted, now=now)
    await book(db, tenant_id=tenant_id, message_ids=[one.message_id for one in wanted])
    return len(wanted)


async def _lock_days(db: WriteSession, tenant_id: int, days: set[date]) -> None:
    for day in sorted(days):
        await lock_day(db, tenant_id=tenant_id, day=day, alone=False)


_ACCEPT = text(
    """
    WITH accepted AS (
        UPDATE usage_record SET priced_by = 'CARD', gap = NULL, state = 'FINAL'
         WHERE tenant_id = :tenant_id AND state = 'PROVISIONAL' AND gap = 'VENDOR_PRICE'
           AND day < CAST(:older_than AS date)
        RETURNING 1
    )
    SELECT count(*) AS accepted FROM accepted
    """
)


async def accept_card_prices(db: WriteSession, *, tenant_id: int, older_than: date) -> int:
    """Finalize records at the card's price if the provider has not priced them in time.

    This applies to days before `older_than`. The card's price is already posted, so no amount
    changes. Returns how many records became FINAL.

    Raises:
        OperationalError: a record's lock was not available within the lock timeout.
    """
    await wait_briefly(db)
    done = await db.execute(_ACCEPT, {"tenant_id": tenant_id, "older_than": older_than})
    return int(done.one().accepted)
