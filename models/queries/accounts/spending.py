"""Reserves what attempts cost within daily limits, and books what ended messages have cost.

Lock order: everything else of a transaction comes first, then the limits that it reserves within
(the account's, then the tenant's), then `attempt_cost`, then `spending_day` by its key, then
alerts. Claims wait for each other only where there is a limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final, TypeAlias

from sqlalchemy import text

from models.enums import AttemptState, Channel
from models.queries.billing.applicable_rates import AS_JSON, CARDS, read_cards
from models.rules.accounts.spending import Spending
from models.rules.billing.periods import day_of
from models.rules.billing.pricing import NOTHING, Card, choose, country_of, price
from models.session import ReadSession, WriteSession
from models.tables.spending import SHARDS

RELEASED: Final = frozenset({AttemptState.REFUSED, AttemptState.NOT_PROCESSED, AttemptState.ABSENT})
"""The vendor takes nothing for such an attempt."""


Limits: TypeAlias = tuple[Decimal | None, Decimal | None]
"""Daily limits of an account and of a tenant; None: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAttempt:
    """An attempt that was inserted in this transaction."""

    tenant_id: int
    message_id: int
    number: int
    provider: str
    account: str
    channel: Channel
    to: str = field(repr=False)
    units: int
    now: datetime
    """When it was requested; its UTC day is charged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What an attempt reserves, or that it may not. Then nothing was written."""

    account: Spending
    tenant: Spending
    priced: bool
    """Whether a rate card covers it; if not, it reserves nothing."""

    @property
    def refused(self) -> bool:
        """Whether a limit forbids the attempt: also one that nothing tells the price of."""
        limited = self.account.limit is not None or self.tenant.limit is not None
        return self.account.full or self.tenant.full or (limited and not self.priced)


_FACTS = text(
    f"""
    SELECT (SELECT {AS_JSON}
              FROM (SELECT CAST(:tenant_id AS bigint) AS tenant_id,
                           CAST(:channel AS text) AS channel, CAST(:provider AS text) AS provider,
                           CAST(:country AS text) AS country,
                           CAST(:now AS timestamptz) AS accepted_at,
                           CAST(:now AS timestamptz) AS now) wanted, {CARDS}) AS cards,
           (SELECT daily_limit FROM provider_account WHERE account = :account) AS account_limit,
           (SELECT daily_spending_limit FROM tenant WHERE id = :tenant_id) AS tenant_limit
    """  # noqa: S608 - every value is a parameter
)

# In the order of the array.
_LOCK = text(
    """
    SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(chr(31), 'spending', owner), 0))
      FROM unnest(CAST(:owners AS text[])) AS owner
    """
)

# Nothing is written unless both limits allow it. A separate statement, so that it sees what was
# committed while the locks were waited for.
_RESERVE = text(
    """
    WITH wanted AS (
        SELECT owner.tenant_id, owner.account, owner.most,
               (SELECT COALESCE(sum(d.reserved + d.booked), 0) FROM spending_day d
                 WHERE d.tenant_id = owner.tenant_id AND d.day = CAST(:day AS date)
                   AND d.account = owner.account) AS spent
          FROM (VALUES (CAST(0 AS bigint), CAST(:account AS varchar),
                        CAST(:account_limit AS numeric)),
                       (CAST(:tenant_id AS bigint), '', CAST(:tenant_limit AS numeric)))
               AS owner (tenant_id, account, most)
    ), allowed AS (
        SELECT bool_and(most IS NULL OR CAST(:cost AS numeric) = 0
                        OR spent + CAST(:cost AS numeric) <= most) AS yes
          FROM wanted
    ), noted AS (
        INSERT INTO attempt_cost (tenant_id, message_id, number, account, day, reserved, booked)
        SELECT :tenant_id, :message_id, :number, :account, :day, :cost, 0
          FROM allowed WHERE allowed.yes
    ), counted AS (
        INSERT INTO spending_day AS total (tenant_id, day, account, shard, reserved, booked)
        SELECT wanted.tenant_id, :day, wanted.account, :shard, :cost, 0
          FROM wanted, allowed WHERE allowed.yes
         ORDER BY wanted.tenant_id, wanted.account
        ON CONFLICT (tenant_id, day, account, shard) DO UPDATE
           SET reserved = total.reserved + excluded.reserved
    )
    SELECT (SELECT spent FROM wanted WHERE wanted.account <> '') AS of_account,
           (SELECT spent FROM wanted WHERE wanted.account = '') AS of_tenant
    """
)


async def reserve(db: WriteSession, attempt: NewAttempt) -> Reservation:
    """Reserve what an attempt costs by the card in force, unless that exceeds a limit.

    Call it last in the transaction that claims the message, once per attempt. Concurrent claims of
    an account or tenant with a limit wait here for the end of the one before.
    """
    card, limits = await find_card(db, attempt)
    cost = cost_of(attempt, card)
    if card is None and limits != (None, None):
        return reservation_of(limits, (NOTHING, NOTHING), cost, priced=False)
    await lock_limits(db, attempt, limits)
    found = (
        await db.execute(
            _RESERVE,
            {
                "tenant_id": attempt.tenant_id,
                "message_id": attempt.message_id,
                "number": attempt.number,
                "account": attempt.account,
                "day": day_of(attempt.now),
                "shard": attempt.message_id % SHARDS,
                "cost": cost,
                "account_limit": limits[0],
                "tenant_limit": limits[1],
            },
        )
    ).one()
    spent = (found.of_account, found.of_tenant)
    return reservation_of(limits, spent, cost, priced=card is not None)


async def find_card(db: WriteSession, attempt: NewAttempt) -> tuple[Card | None, Limits]:
    """Return the card in force for an attempt, and the limits of its account and its tenant."""
    named = {
        "tenant_id": attempt.tenant_id,
        "account": attempt.account,
        "provider": attempt.provider,
        "channel": attempt.channel,
        "country": country_of(attempt.channel, attempt.to),
        "now": attempt.now,
    }
    facts = (await db.execute(_FACTS, named)).one()
    card = choose(read_cards(facts.cards), attempt.now)
    return card, (facts.account_limit, facts.tenant_limit)


def cost_of(attempt: NewAttempt, card: Card | None) -> Decimal:
    """Return what an attempt reserves by a card; without one it is nothing."""
    priced = price(attempt.units, card, told=None, awaited=False)
    return priced.cost + priced.carrier_fee


async def lock_limits(db: WriteSession, attempt: NewAttempt, limits: Limits) -> None:
    """Lock the limits until the transaction ends, always in this order."""
    names = (f"account {attempt.account}", f"tenant {attempt.tenant_id}")
    owners = [name for name, limit in zip(names, limits, strict=True) if limit is not None]
    if owners:
        await db.execute(_LOCK, {"owners": owners})


def reservation_of(
    limits: Limits, spent: tuple[Decimal, Decimal], cost: Decimal, *, priced: bool
) -> Reservation:
    """Return what an attempt that costs so much does to what is spent so far."""
    account, tenant = (
        Spending(spent=before, cost=cost, limit=limit)
        for before, limit in zip(spent, limits, strict=True)
    )
    return Reservation(account=account, tenant=tenant, priced=priced)


# Must follow a part named `moved`: tenant_id, account, day, shard and the changes of both amounts.
_TOTALS: Final = """
    changes AS (
        SELECT owner.tenant_id, moved.day, owner.account, moved.shard,
               sum(moved.reserved) AS reserved, sum(moved.booked) AS booked
          FROM moved,
               LATERAL (SELECT CAST(0 AS bigint) AS tenant_id, moved.account AS account
                         UNION ALL
                        SELECT moved.tenant_id, '') owner
         GROUP BY owner.tenant_id, moved.day, owner.account, moved.shard
    ), held AS (
        SELECT total.tenant_id, total.day, total.account, total.shard, changes.reserved,
               changes.booked
          FROM changes
          JOIN spending_day total
            ON total.tenant_id = changes.tenant_id AND total.day = changes.day
           AND total.account = changes.account AND total.shard = changes.shard
         ORDER BY total.tenant_id, total.day, total.account, total.shard
           FOR NO KEY UPDATE OF total
    )
    UPDATE spending_day total
       SET reserved = total.reserved + held.reserved, booked = total.booked + held.booked
      FROM held
     WHERE total.tenant_id = held.tenant_id AND total.day = held.day
       AND total.account = held.account AND total.shard = held.shard
    """

_RELEASE = text(
    f"""
    WITH due AS (
        SELECT c.tenant_id, c.message_id, c.number, c.account, c.day, c.reserved
          FROM attempt_cost c
         WHERE c.tenant_id = :tenant_id AND c.message_id = :message_id AND c.number = :number
           AND c.reserved > 0
           FOR NO KEY UPDATE
    ), moved AS (
        UPDATE attempt_cost c SET reserved = 0
          FROM due
         WHERE c.tenant_id = due.tenant_id AND c.message_id = due.message_id
           AND c.number = due.number
        RETURNING c.tenant_id, c.account, c.day, c.message_id % {SHARDS} AS shard,
                  -due.reserved AS reserved, CAST(0 AS numeric) AS booked
    ), {_TOTALS}
    """  # noqa: S608 - every value is a parameter
)


async def release(db: WriteSession, *, tenant_id: int, message_id: int, number: int) -> None:
    """Release what an attempt reserves, because the vendor certainly did not send it. Idempotent.

    Call it last in the transaction that concludes the attempt.
    """
    await db.execute(_RELEASE, {"tenant_id": tenant_id, "message_id": message_id, "number": number})


# The usage record belongs to the attempt of its provider that a final report is about, or else to
# the one that was accepted or reported on. Corrections change the cost of the day of the claim.
_BOOK = text(
    f"""
    WITH posted AS (
        SELECT m.id AS message_id, record.provider,
               COALESCE(record.cost + record.carrier_fee, 0)
               + COALESCE((SELECT sum(more.cost + more.carrier_fee) FROM usage_correction more
                            WHERE more.tenant_id = m.tenant_id AND more.message_id = m.id), 0)
               AS cost
          FROM message m
          LEFT JOIN usage_record record
                 ON record.tenant_id = m.tenant_id AND record.message_id = m.id
         WHERE m.tenant_id = :tenant_id AND m.id = ANY(CAST(:ids AS bigint[]))
           AND m.completed_at IS NOT NULL
    ), due AS (
        SELECT c.tenant_id, c.message_id, c.number, c.reserved, c.booked,
               CASE WHEN c.number = (
                    SELECT a.number FROM attempt a
                     WHERE a.tenant_id = c.tenant_id AND a.message_id = c.message_id
                       AND a.provider = posted.provider
                     ORDER BY EXISTS (SELECT 1 FROM receipt r
                                       WHERE r.tenant_id = a.tenant_id
                                         AND r.message_id = a.message_id AND r.attempt = a.number
                                         AND r.status IN ('DELIVERED', 'UNDELIVERED', 'FAILED')
                                     ) DESC,
                              a.state = 'ACCEPTED' DESC,
                              EXISTS (SELECT 1 FROM receipt r
                                       WHERE r.tenant_id = a.tenant_id
                                         AND r.message_id = a.message_id AND r.attempt = a.number
                                     ) DESC,
                              a.number LIMIT 1)
                    THEN posted.cost ELSE 0 END AS cost
          FROM attempt_cost c
          JOIN posted ON posted.message_id = c.message_id
         WHERE c.tenant_id = :tenant_id
         ORDER BY c.message_id, c.number FOR NO KEY UPDATE OF c
    ), moved AS (
        UPDATE attempt_cost c SET reserved = 0, booked = due.cost
          FROM due
         WHERE c.tenant_id = due.tenant_id AND c.message_id = due.message_id
           AND c.number = due.number AND (due.reserved > 0 OR due.booked <> due.cost)
        RETURNING c.tenant_id, c.account, c.day, c.message_id % {SHARDS} AS shard,
                  -due.reserved AS reserved, due.cost - due.booked AS booked
    ), {_TOTALS}
    """  # noqa: S608 - every value is a parameter
)


async def book(db: WriteSession, *, tenant_id: int, message_ids: Sequence[int]) -> None:
    """Replace what ended messages reserve by their posted cost, on the day of each attempt.

    Idempotent: it compares with what is booked, so it is called after every posting. The caller
    holds the locks of the messages. Call it before alerts and after everything else.
    """
    await db.execute(_BOOK, {"tenant_id": tenant_id, "ids": list(message_ids)})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSpending:
    """Spending of an account on a day, over all tenants, in USD."""

    account: str
    reserved: Decimal
    booked: Decimal
    limit: Decimal | None
    """A day; None: no limit."""


_READ = text(
    """
    SELECT account, COALESCE(total.reserved, 0) AS reserved, COALESCE(total.booked, 0) AS booked,
           known.daily_limit
      FROM (SELECT account, sum(reserved) AS reserved, sum(booked) AS booked
              FROM spending_day
             WHERE tenant_id = 0 AND day = CAST(:day AS date)
             GROUP BY account) total
      FULL JOIN provider_account known USING (account)
     ORDER BY account
    """
)


async def read_spending(db: ReadSession | WriteSession, day: date) -> Sequence[AccountSpending]:
    """Return the spending of every account that spent on a UTC day or has settings, by name."""
    return [
        AccountSpending(
            account=row.account, reserved=row.reserved, booked=row.booked, limit=row.daily_limit
        )
        for row in await db.execute(_READ, {"day": day})
    ]
