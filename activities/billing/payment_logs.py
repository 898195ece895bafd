"""What the activities of a payment log: ids, amounts and the gateway's codes."""

import logging

from models.queries.billing.upgrades.payment_rows import PaymentRow
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered
from providers.ports.payments import Charge, RefundRefused
from workflows.billing.types import UpgradeStep

log = logging.getLogger(__name__)


def log_mismatch(payment: PaymentRow, answer: Charge) -> None:
    log.error(
        "the charge at the gateway does not match the payment",
        extra={
            "tenant_id": payment.tenant_id,
            "payment_id": payment.public_id,
            "charge_id": answer.charge_id,
            "amount_cents": answer.amount_cents,
            "currency": answer.currency,
        },
    )


def log_missing_gateway(payment: PaymentRow) -> None:
    """Log that the gateway of an open payment is not configured any more."""
    log.error(
        "the gateway of an open payment is not configured",
        extra={
            "tenant_id": payment.tenant_id,
            "payment_id": payment.public_id,
            "gateway": payment.gateway,
        },
    )


def log_unanswered(
    step: UpgradeStep, answer: NotProcessed | Ambiguous | NotFound | Unanswered
) -> None:
    match answer:
        case NotFound():
            pass
        case _:
            log.warning(
                "the gateway did not answer about a charge",
                extra={**_ids(step), "answer": type(answer).__name__, "reason": answer.reason},
            )


def log_refund(step: UpgradeStep, answer: RefundRefused | NotProcessed | Ambiguous) -> None:
    if isinstance(answer, RefundRefused):
        log.error(
            "the gateway refused a refund",
            extra={**_ids(step), "provider_code": answer.provider_code},
        )
    else:
        log.warning("refund is not completed yet", extra={**_ids(step), "reason": answer.reason})


def _ids(step: UpgradeStep) -> dict[str, int]:
    return {"tenant_id": step.tenant_id, "payment_id": step.public_id}
