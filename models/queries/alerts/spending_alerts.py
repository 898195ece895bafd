"""Alerts about the daily spending limit of a tenant."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import text

from models.enums import AlertType
from models.queries.alerts.alerts import raise_alert
from models.rules.accounts.spending import WARNED_AT, limit_message, severity_of
from models.rules.billing.periods import day_of
from models.session import WriteSession

_IS_OPEN = text(
    """
    SELECT EXISTS (SELECT 1 FROM alert
                    WHERE tenant_id = :tenant_id AND merchant_id = 0 AND channel = ''
                      AND type = 'SPENDING_LIMIT' AND threshold = :percent AND subject = :day
                      AND resolved_at IS NULL)
    """
)


async def warn_of_spending(
    db: WriteSession, *, tenant_id: int, percent: int, limit: Decimal, day: date, now: datetime
) -> None:
    """Raise the alert that a percentage of a tenant's limit is reached, once while it is open.

    Messages that wait at the limit find it open, and do not wait for each other to count it.
    """
    named = {"tenant_id": tenant_id, "percent": percent, "day": day.isoformat()}
    if await db.scalar(_IS_OPEN, named):
        return
    await raise_alert(
        db,
        tenant_id=tenant_id,
        type=AlertType.SPENDING_LIMIT,
        threshold=percent,
        subject=day.isoformat(),
        severity=severity_of(percent),
        message=limit_message(percent, limit, day),
        now=now,
    )


# Rows locked by others are skipped and left to the next turn, so that nothing waits.
_RESOLVE = text(
    """
    WITH past AS (
        SELECT a.tenant_id, a.id
          FROM alert a
          JOIN tenant t ON t.id = a.tenant_id
         WHERE a.type = 'SPENDING_LIMIT' AND a.resolved_at IS NULL
           AND (a.subject < CAST(:today AS text) OR t.daily_spending_limit IS NULL
                OR t.daily_spending_limit * CAST(:percent AS int)
                   > 100 * (SELECT COALESCE(sum(d.reserved + d.booked), 0)
                              FROM spending_day d
                             WHERE d.tenant_id = t.id AND d.day = CAST(:day AS date)
                               AND d.account = ''))
         LIMIT :most FOR UPDATE OF a SKIP LOCKED
    )
    UPDATE alert SET resolved_at = :now
      FROM past WHERE alert.tenant_id = past.tenant_id AND alert.id = past.id
    """
)


async def resolve_spending(db: WriteSession, *, now: datetime, most: int) -> None:
    """Resolve alerts of earlier days, and of tenants whose limit was raised or taken away.

    An alert of today lasts while 80 % of the limit are reserved or spent, so that it does not come
    and go with every message.
    """
    today = day_of(now)
    await db.execute(
        _RESOLVE,
        {
            "today": today.isoformat(),
            "day": today,
            "percent": WARNED_AT,
            "now": now,
            "most": most,
        },
    )
