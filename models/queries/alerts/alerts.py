"""Queries that raise, resolve and list alerts; concurrent calls raise an alert once."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import text
from sqlmodel import col

from models.enums import AlertSeverity, AlertType, Channel
from models.queries.tenants.visibility import CallerScope, visible_alerts
from models.session import ReadSession, WriteSession
from models.tables.alert import Alert

# A concurrent insert waits here for the other transaction, and then only increments the count.
_RAISE = text(
    """
    INSERT INTO alert AS known
           (tenant_id, merchant_id, channel, type, threshold, subject, severity, message, count,
            created_at, raised_at)
    VALUES (:tenant_id, :merchant_id, :channel, :type, :threshold, :subject, :severity, :message,
            1, :now, :now)
    ON CONFLICT (tenant_id, merchant_id, channel, type, threshold, subject)
          WHERE resolved_at IS NULL
    DO UPDATE
       SET count = known.count + 1, message = excluded.message, raised_at = excluded.raised_at
    RETURNING known.count = 1 AS fresh
    """
)

_RESOLVE = text(
    """
    UPDATE alert SET resolved_at = :now
     WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
       AND type = :type AND resolved_at IS NULL
       AND (CAST(:thresholds AS int[]) IS NULL OR threshold = ANY(CAST(:thresholds AS int[])))
       AND (CAST(:subject AS text) IS NULL OR subject = :subject)
    """
)


async def raise_alert(
    db: WriteSession,
    *,
    tenant_id: int,
    type: AlertType,
    severity: AlertSeverity,
    message: str,
    now: datetime,
    merchant_id: int = 0,
    channel: Channel | None = None,
    threshold: int = 0,
    subject: str = "",
) -> bool:
    """Raise an alert, or increment its count if it is open; True if it is new.

    `message` is shown to the tenant as it is: it must contain no contact, text or secret. Lock
    order: alerts come last, after month, credits, message and day.
    """
    row = await db.execute(
        _RAISE,
        {
            "tenant_id": tenant_id,
            "merchant_id": merchant_id,
            "channel": channel or "",
            "type": type,
            "threshold": threshold,
            "subject": subject,
            "severity": severity,
            "message": message,
            "now": now,
        },
    )
    return bool(row.scalar_one())


async def resolve_alerts(
    db: WriteSession,
    *,
    tenant_id: int,
    type: AlertType,
    now: datetime,
    merchant_id: int = 0,
    channel: Channel | None = None,
    thresholds: Collection[int] | None = None,
    subject: str | None = None,
) -> None:
    """Resolve the open alerts of a type; None for `thresholds` or `subject` means any."""
    await db.execute(
        _RESOLVE,
        {
            "tenant_id": tenant_id,
            "merchant_id": merchant_id,
            "channel": channel or "",
            "type": type,
            "thresholds": None if thresholds is None else list(thresholds),
            "subject": subject,
            "now": now,
        },
    )


async def list_alerts(
    db: ReadSession,
    scope: CallerScope,
    *,
    type: AlertType | None,
    open: bool | None,
    after: int | None,
    most: int,
) -> Sequence[tuple[Alert, str | None]]:
    """Return alerts, the newest first, each with its merchant's external id.

    None for `type` or `open` means any; `after` is the last id of the previous page.
    """
    statement = visible_alerts(scope).order_by(col(Alert.id).desc())
    if type is not None:
        statement = statement.where(col(Alert.type) == type)
    if open is not None:
        resolved = col(Alert.resolved_at)
        statement = statement.where(resolved.is_(None) if open else resolved.is_not(None))
    if after is not None:
        statement = statement.where(col(Alert.id) < after)
    return [(row[0], row[1]) for row in await db.execute(statement.limit(most))]
