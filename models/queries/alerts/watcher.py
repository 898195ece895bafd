"""Queries of the watcher over all tenants: alerts to resolve, and alerts that were missed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from models.enums import AlertSeverity, AlertType, Channel
from models.queries.alerts.alerts import raise_alert, resolve_alerts
from models.queries.alerts.threshold_alerts import Account, beginning_of
from models.rules.alerts.thresholds import UNKNOWN_FOR, degraded_message, is_degraded
from models.rules.billing.periods import day_of, month_of
from models.session import ReadSession, WriteSession

Place = tuple[int, int]
"""Tenant and merchant to continue after; (0, 0) is the start."""

# Rows locked by others are skipped and left to the next turn, so that nothing waits.
_RESOLVE_OLD = text(
    """
    WITH old AS (
        SELECT tenant_id, id FROM alert
         WHERE resolved_at IS NULL
           AND (type = 'USAGE_THRESHOLD' AND created_at < :month_began
                OR type = 'DELIVERY_UNKNOWN' AND raised_at <= :silent_since
                OR type = 'SPENDING_LIMIT' AND subject < :today)
         LIMIT :most FOR UPDATE SKIP LOCKED
    )
    UPDATE alert SET resolved_at = :now
      FROM old WHERE alert.tenant_id = old.tenant_id AND alert.id = old.id
    """
)


async def resolve_old(db: WriteSession, *, now: datetime, most: int) -> None:
    """Resolve alerts by age: usage of an earlier month, spending of an earlier day, and unknown
    deliveries without another one.
    """
    await db.execute(
        _RESOLVE_OLD,
        {
            "month_began": beginning_of(month_of(now)),
            "silent_since": now - UNKNOWN_FOR,
            "today": day_of(now).isoformat(),
            "now": now,
            "most": most,
        },
    )


_RECOVERED = text(
    """
    SELECT DISTINCT a.tenant_id, a.merchant_id, a.channel
      FROM alert a
      JOIN credit_account ca
        ON ca.tenant_id = a.tenant_id AND ca.merchant_id = a.merchant_id
       AND ca.channel = a.channel
     WHERE a.resolved_at IS NULL AND a.type IN ('LOW_CREDITS', 'CREDITS_EXHAUSTED')
       AND ca.available > 0
    """
)


async def find_recovering(db: ReadSession) -> Sequence[Account]:
    """Return the accounts with an open credit alert and available credits."""
    return [
        Account(tenant_id=row.tenant_id, merchant_id=row.merchant_id, channel=Channel(row.channel))
        for row in await db.execute(_RECOVERED)
    ]


_FOLLOWING = text(
    """
    SELECT tenant_id, id FROM merchant
     WHERE (tenant_id, id) > (:tenant_id, :merchant_id)
     ORDER BY tenant_id, id LIMIT :most
    """
)


async def find_following(db: ReadSession, after: Place, most: int) -> Sequence[Place]:
    """Return the next merchants, ordered by tenant and id."""
    tenant_id, merchant_id = after
    rows = await db.execute(
        _FOLLOWING, {"tenant_id": tenant_id, "merchant_id": merchant_id, "most": most}
    )
    return [(row.tenant_id, row.id) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Health:
    """A provider's recent attempts for a tenant."""

    tenant_id: int
    provider: str
    attempts: int
    """Attempts with a known outcome."""
    failed: int
    """Not processed, or the answer was lost, even if it was reconciled later."""
    warned: bool
    """An alert is open."""


_HEALTH = text(
    """
    WITH served AS (
        SELECT tenant_id, provider, count(*) AS attempts,
               count(*) FILTER (WHERE state = 'NOT_PROCESSED' OR lost_at IS NOT NULL) AS failed
          FROM attempt WHERE requested_at > :since AND state <> 'REQUESTED'
         GROUP BY tenant_id, provider
    ), warned AS (
        SELECT tenant_id, subject AS provider FROM alert
         WHERE type = 'PROVIDER_DEGRADED' AND resolved_at IS NULL
    )
    SELECT tenant_id, provider, COALESCE(attempts, 0) AS attempts, COALESCE(failed, 0) AS failed,
           warned.tenant_id IS NOT NULL AS warned
      FROM served FULL JOIN warned USING (tenant_id, provider)
     WHERE failed > 0 OR warned.tenant_id IS NOT NULL
    """
)


async def read_health(db: ReadSession, since: datetime) -> Sequence[Health]:
    """Return providers with failed attempts since then, or with an open alert."""
    return [
        Health(
            tenant_id=row.tenant_id,
            provider=row.provider,
            attempts=row.attempts,
            failed=row.failed,
            warned=row.warned,
        )
        for row in await db.execute(_HEALTH, {"since": since})
    ]


async def align_health(db: WriteSession, health: Health, now: datetime) -> bool:
    """Raise or resolve the alert about a provider; False if nothing had to change."""
    degraded = is_degraded(health.attempts, health.failed, known=health.warned)
    if degraded == health.warned:
        return False
    if degraded:
        await raise_alert(
            db,
            tenant_id=health.tenant_id,
            type=AlertType.PROVIDER_DEGRADED,
            severity=AlertSeverity.CRITICAL,
            subject=health.provider,
            message=degraded_message(health.provider, health.attempts, health.failed),
            now=now,
        )
    else:
        await resolve_alerts(
            db,
            tenant_id=health.tenant_id,
            type=AlertType.PROVIDER_DEGRADED,
            subject=health.provider,
            now=now,
        )
    return True
