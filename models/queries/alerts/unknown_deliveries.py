"""Alert about messages whose delivery is unknown."""

from datetime import datetime

from sqlalchemy import text

from models.enums import AlertSeverity, AlertType
from models.queries.alerts.alerts import raise_alert
from models.queries.alerts.threshold_alerts import Account
from models.rules.alerts.thresholds import unknown_message
from models.session import WriteSession


async def warn_of_unknown(
    db: WriteSession, account: Account, *, public_id: int, now: datetime
) -> None:
    """Raise or count the alert for a message that ended UNKNOWN without a provider's acceptance.

    `public_id` identifies the message in the text for the tenant.
    """
    await raise_alert(
        db,
        tenant_id=account.tenant_id,
        merchant_id=account.merchant_id,
        channel=account.channel,
        type=AlertType.DELIVERY_UNKNOWN,
        severity=AlertSeverity.WARNING,
        message=unknown_message(public_id),
        now=now,
    )


_NOT_ACCEPTED = text(
    """
    SELECT completed_at FROM message m
     WHERE tenant_id = :tenant_id AND id = :message_id AND status = 'UNKNOWN'
       AND corrected_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM usage_record u
                        WHERE u.tenant_id = m.tenant_id AND u.message_id = m.id)
    """
)


async def find_untaken(db: WriteSession, *, tenant_id: int, message_id: int) -> datetime | None:
    """Return since when a message is UNKNOWN without a provider's acceptance; None if it is not.

    Call it before a correction, which writes the usage record that it checks for.
    """
    found: datetime | None = await db.scalar(
        _NOT_ACCEPTED, {"tenant_id": tenant_id, "message_id": message_id}
    )
    return found


# A message whose outcome became known is no longer counted; the last one resolves the alert.
_TOLD = text(
    """
    UPDATE alert
       SET count = GREATEST(count - 1, 1),
           resolved_at = CASE WHEN count = 1 THEN CAST(:now AS timestamptz) END
     WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = :channel
       AND type = 'DELIVERY_UNKNOWN' AND resolved_at IS NULL AND created_at <= :since
    """
)


async def resolve_unknown(
    db: WriteSession, account: Account, *, since: datetime, now: datetime
) -> None:
    """Subtract a message that became UNKNOWN at `since` from the alert, if the alert counts it."""
    await db.execute(
        _TOLD,
        {
            "tenant_id": account.tenant_id,
            "merchant_id": account.merchant_id,
            "channel": account.channel,
            "since": since,
            "now": now,
        },
    )
