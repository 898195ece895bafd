"""Alerts about the daily spending limit of a tenant."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import text

from models.enums import AlertType
from models.queries.alerts.alerts import raise_alert
from models.rules.accounts.spending import limit_message, severity_of
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


_RESOLVE = text(
    """
    UPDATE alert SET resolved_at = :now
      FROM (SELECT t.daily_spending_limit AS most,
                   (SELECT COALESCE(sum(d.reserved + d.booked), 0)
                      FROM spending_day d
                     WHERE d.tenant_id = t.id AND d.day = CAST(:day AS date) AND d.account = '')
                   AS spent
              FROM tenant t WHERE t.id = :tenant_id) today
     WHERE alert.tenant_id = :tenant_id AND alert.type = 'SPENDING_LIMIT'
       AND alert.resolved_at IS NULL
       AND (today.most IS NULL OR today.spent * 100 < today.most * alert.threshold)
    """
)


async def spending_limit_changed(db: WriteSession, *, tenant_id: int, now: datetime) -> None:
    """Resolve the alerts of what a tenant has not reached by its new limit.

    Call it last in the transaction that changes the limit. Those of earlier days are resolved by
    the watcher.
    """
    await db.execute(_RESOLVE, {"tenant_id": tenant_id, "day": day_of(now), "now": now})
