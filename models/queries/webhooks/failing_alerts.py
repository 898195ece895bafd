"""Raises and resolves the alert WEBHOOK_FAILING; its subject is the endpoint's public id."""

from datetime import datetime
from typing import Final

from sqlalchemy import text

from models.enums import AlertSeverity, AlertType, WebhookDisabledReason
from models.queries.alerts.alerts import raise_alert, resolve_alerts
from models.queries.webhooks.deliveries_due import Endpoint
from models.session import WriteSession


async def resolve_failing(
    db: WriteSession, *, tenant_id: int, merchant_id: int, public_id: int, now: datetime
) -> None:
    """Resolve the alert of an endpoint, if it is open."""
    await resolve_alerts(
        db,
        tenant_id=tenant_id,
        merchant_id=merchant_id,
        type=AlertType.WEBHOOK_FAILING,
        subject=str(public_id),
        now=now,
    )


# Raising an open alert again leaves its severity.
_IS_CRITICAL: Final = text(
    f"""
    UPDATE alert SET severity = '{AlertSeverity.CRITICAL}'
     WHERE tenant_id = :tenant_id AND merchant_id = :merchant_id AND channel = ''
       AND type = '{AlertType.WEBHOOK_FAILING}' AND threshold = 0 AND subject = :subject
       AND resolved_at IS NULL
    """  # noqa: S608 - values of enums
)


async def raise_failing(
    db: WriteSession,
    endpoint: Endpoint,
    *,
    error: str,
    disabled: WebhookDisabledReason | None,
    now: datetime,
) -> None:
    """Raise the endpoint's alert, or update it; the message does not contain the URL."""
    await raise_alert(
        db,
        tenant_id=endpoint.tenant_id,
        merchant_id=endpoint.merchant_id,
        type=AlertType.WEBHOOK_FAILING,
        severity=AlertSeverity.CRITICAL if disabled else AlertSeverity.WARNING,
        subject=str(endpoint.public_id),
        message=_message(endpoint.public_id, error, disabled),
        now=now,
    )
    if disabled:
        await db.execute(
            _IS_CRITICAL,
            {
                "tenant_id": endpoint.tenant_id,
                "merchant_id": endpoint.merchant_id,
                "subject": str(endpoint.public_id),
            },
        )


def _message(endpoint: int, error: str, disabled: WebhookDisabledReason | None) -> str:
    match disabled:
        case None:
            return f"Deliveries to webhook endpoint {endpoint} fail: {error}. They are retried."
        case WebhookDisabledReason.GONE:
            return f"Webhook endpoint {endpoint} answered 410 Gone and was disabled."
        case WebhookDisabledReason.FAILING:
            return (
                f"Webhook endpoint {endpoint} was disabled: no delivery has succeeded for 5 days. "
                f"Last error: {error}."
            )
