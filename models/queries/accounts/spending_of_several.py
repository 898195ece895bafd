"""Reserves what several attempts with one account cost, within the daily limits.

The rules and the lock order are those of a single reservation (`spending`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlalchemy import text

from models.queries.accounts.spending import (
    Limits,
    NewAttempt,
    Reservation,
    cost_of,
    find_card,
    lock_limits,
    reservation_of,
)
from models.rules.accounts.spending import Spending
from models.rules.billing.periods import day_of
from models.rules.billing.pricing import NOTHING, Card, country_of
from models.session import WriteSession
from models.tables.spending import SHARDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Affordable:
    """Attempts that the limits allow together, with the cost of each."""

    attempts: Sequence[NewAttempt]
    costs: Sequence[Decimal]
    reservation: Reservation | None
    """Of all of them; None if there is none."""


_SPENT: Final = text(
    """
    SELECT owner.account <> '' AS of_account,
           (SELECT COALESCE(sum(d.reserved + d.booked), 0) FROM spending_day d
             WHERE d.tenant_id = owner.tenant_id AND d.day = CAST(:day AS date)
               AND d.account = owner.account) AS spent
      FROM (VALUES (CAST(0 AS bigint), CAST(:account AS varchar)),
                   (CAST(:tenant_id AS bigint), '')) AS owner (tenant_id, account)
     ORDER BY of_account DESC
    """
)


async def choose_affordable(db: WriteSession, attempts: Sequence[NewAttempt]) -> Affordable:
    """Return those attempts, in their order, that the limits allow together.

    The attempts have the same tenant, account and time. Concurrent claims of an account or tenant
    with a limit wait here for the end of the one before, until this transaction ends. Where there
    is a limit, an attempt that nothing tells the price of is not allowed.
    """
    if not attempts:
        return Affordable(attempts=[], costs=[], reservation=None)
    first = attempts[0]
    cards: dict[str, Card | None] = {}
    limits: Limits = (None, None)
    for attempt in attempts:
        country = country_of(attempt.channel, attempt.to)
        if country not in cards:
            cards[country], limits = await find_card(db, attempt)
    limited = limits != (None, None)
    spent = (NOTHING, NOTHING)
    if limited:
        await lock_limits(db, first, limits)
        named = {
            "tenant_id": first.tenant_id,
            "account": first.account,
            "day": day_of(first.now),
        }
        of_account, of_tenant = [row.spent for row in await db.execute(_SPENT, named)]
        spent = (of_account, of_tenant)
    allowed: list[NewAttempt] = []
    costs: list[Decimal] = []
    for attempt in attempts:
        card = cards[country_of(attempt.channel, attempt.to)]
        cost = cost_of(attempt, card)
        if limited and (card is None or not _fits(limits, spent, sum(costs, NOTHING), cost)):
            continue
        allowed.append(attempt)
        costs.append(cost)
    together = reservation_of(limits, spent, sum(costs, NOTHING), priced=True)
    return Affordable(attempts=allowed, costs=costs, reservation=together if allowed else None)


def _fits(limits: Limits, spent: tuple[Decimal, Decimal], before: Decimal, cost: Decimal) -> bool:
    return not any(
        Spending(spent=already + before, cost=cost, limit=limit).full
        for already, limit in zip(spent, limits, strict=True)
    )


_RESERVE: Final = text(
    f"""
    WITH attempts AS (
        SELECT message_id, cost
          FROM unnest(CAST(:message_ids AS bigint[]), CAST(:costs AS numeric[]))
               AS named (message_id, cost)
    ), noted AS (
        INSERT INTO attempt_cost (tenant_id, message_id, number, account, day, reserved, booked)
        SELECT :tenant_id, message_id, :number, :account, :day, cost, 0 FROM attempts
    )
    INSERT INTO spending_day AS total (tenant_id, day, account, shard, reserved, booked)
    SELECT owner.tenant_id, :day, owner.account, attempts.message_id % {SHARDS},
           sum(attempts.cost), 0
      FROM attempts,
           (VALUES (CAST(0 AS bigint), CAST(:account AS varchar)),
                   (CAST(:tenant_id AS bigint), '')) AS owner (tenant_id, account)
     GROUP BY owner.tenant_id, owner.account, attempts.message_id % {SHARDS}
     ORDER BY owner.tenant_id, owner.account, attempts.message_id % {SHARDS}
    ON CONFLICT (tenant_id, day, account, shard) DO UPDATE
       SET reserved = total.reserved + excluded.reserved
    """  # noqa: S608 - every value is a parameter
)


async def reserve_several(db: WriteSession, affordable: Affordable) -> None:
    """Reserve what attempts cost; they are inserted and have one number.

    Call it last in the transaction that claims their messages and has chosen them.
    """
    if not affordable.attempts:
        return
    first = affordable.attempts[0]
    await db.execute(
        _RESERVE,
        {
            "tenant_id": first.tenant_id,
            "message_ids": [attempt.message_id for attempt in affordable.attempts],
            "costs": list(affordable.costs),
            "number": first.number,
            "account": first.account,
            "day": day_of(first.now),
        },
    )
