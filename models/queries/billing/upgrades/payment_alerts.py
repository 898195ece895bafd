"""Alerts about payments: raised and resolved in the transaction that changes the payment."""

from datetime import datetime

from models.enums import AlertSeverity, AlertType, Channel, PaymentFailure, ReversalState
from models.queries.alerts.alerts import raise_alert, resolve_alerts
from models.queries.billing.upgrades.payment_rows import PaymentRow
from models.session import WriteSession

_OF_ONE = (AlertType.REFUND_STUCK, AlertType.PAYMENT_DISPUTED)
"""Open for each payment by itself, because each is a matter of its own."""


async def raise_failed(
    db: WriteSession, payment: PaymentRow, failure: PaymentFailure, now: datetime
) -> None:
    """Alert that a payment failed."""
    await raise_alert(
        db,
        tenant_id=payment.tenant_id,
        merchant_id=payment.merchant_id,
        channel=payment.channel,
        type=AlertType.PAYMENT_FAILED,
        severity=AlertSeverity.WARNING,
        message=_message(payment, f"failed: {failure}"),
        now=now,
    )


async def resolve_failed(db: WriteSession, payment: PaymentRow, now: datetime) -> None:
    """Resolve the alerts about failed payments of a merchant, because one succeeded."""
    for channel in Channel:
        await resolve_alerts(
            db,
            tenant_id=payment.tenant_id,
            merchant_id=payment.merchant_id,
            channel=channel,
            type=AlertType.PAYMENT_FAILED,
            now=now,
        )


async def raise_stuck(db: WriteSession, payment: PaymentRow, now: datetime) -> None:
    """Alert that a refund is owed and not made: of a disputed or another charge, as disputed."""
    if payment.dispute is ReversalState.DISPUTED:
        what = "is disputed by the payer, so it is not refunded"
        await raise_disputed(db, payment, what, now)
    elif payment.captured_cents is None:
        what = "is owed a refund that the gateway does not make"
        await _raise(db, payment, AlertType.REFUND_STUCK, AlertSeverity.CRITICAL, what, now)
    else:
        what = "was charged another amount, and the gateway does not refund it"
        await raise_disputed(db, payment, what, now)


async def raise_disputed(
    db: WriteSession,
    payment: PaymentRow,
    what: str,
    now: datetime,
    *,
    severity: AlertSeverity = AlertSeverity.CRITICAL,
) -> None:
    """Alert that the money of a payment is not what its row says; `what` is shown to the tenant."""
    await _raise(db, payment, AlertType.PAYMENT_DISPUTED, severity, what, now)


async def resolve(db: WriteSession, payment: PaymentRow, now: datetime) -> None:
    """Resolve what is open about one payment."""
    for type in _OF_ONE:
        await resolve_alerts(
            db,
            tenant_id=payment.tenant_id,
            merchant_id=payment.merchant_id,
            channel=payment.channel,
            type=type,
            subject=str(payment.public_id),
            now=now,
        )


async def _raise(
    db: WriteSession,
    payment: PaymentRow,
    type: AlertType,
    severity: AlertSeverity,
    what: str,
    now: datetime,
) -> None:
    await raise_alert(
        db,
        tenant_id=payment.tenant_id,
        merchant_id=payment.merchant_id,
        channel=payment.channel,
        type=type,
        subject=str(payment.public_id),
        severity=severity,
        message=_message(payment, what),
        now=now,
    )


def _message(payment: PaymentRow, what: str) -> str:
    return f"Payment pay_{payment.public_id} for {payment.units} {payment.channel} units {what}."
