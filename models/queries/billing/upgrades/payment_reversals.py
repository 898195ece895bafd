"""What gateways report of a charge after it succeeded: refunds made there, and disputes.

The credits stay with the merchant: what was granted may be used up, and whether to bill, block or
forgive is the operator's decision. A payment without credits gets none any more.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.enums import AlertSeverity, ReversalState
from models.queries.billing.upgrades import payment_alerts, payments
from models.queries.billing.upgrades.payment_rows import PaymentRow
from models.queries.billing.upgrades.payments import ForeignCharge
from models.rules.billing.payments import ChargeMismatch, changes_dispute
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalEvent:
    """One event of a gateway about a charge that had succeeded, under our reference.

    `refunded_cents` is all that was refunded of the charge so far; 0 for an event about a dispute.
    """

    event_id: str
    charge_id: str
    state: ReversalState
    refunded_cents: int
    currency: str
    reported_at: datetime


def check_reversal(payment: PaymentRow, event: ReversalEvent) -> None:
    """Raise ForeignCharge if an event is about more money, or another currency, than was taken."""
    if event.refunded_cents > payment.taken_cents or event.currency != payment.taken_currency:
        raise ForeignCharge(ChargeMismatch.AMOUNT)


async def apply_reversal(
    db: WriteSession, payment: PaymentRow, event: ReversalEvent, now: datetime
) -> None:
    """Note a refund or a dispute, and alert; an older report than the one known changes nothing.

    A refund that was stuck is taken up again when the payer has the money, or may be given it.

    Raises:
        ForeignCharge, IntegrityError: as `payments.apply_charge_state`.
    """
    await payments.refuse_foreign(db, payment, event.charge_id)
    changes: dict[str, Any] = {}
    if event.state is ReversalState.REFUNDED:
        if event.refunded_cents > payment.refunded_cents:
            changes["refunded_cents"] = event.refunded_cents
    elif changes_dispute(payment.dispute, payment.disputed_at, event.state, event.reported_at):
        changes |= {"dispute": event.state, "disputed_at": event.reported_at}
    if not changes:
        return
    if payment.charge_id is None:
        changes["charge_id"] = event.charge_id
    closes = event.state in (ReversalState.DISPUTE_WON, ReversalState.DISPUTE_LOST)
    if payment.facts.refund_stuck and (closes or event.refunded_cents >= payment.taken_cents):
        changes |= {"refund_due_at": now, "refund_stuck_at": None, "completed_at": None}
    await payments.write_reversal(db, payment, changes)
    await _alert(db, payment, event, now)


async def _alert(
    db: WriteSession, payment: PaymentRow, event: ReversalEvent, now: datetime
) -> None:
    match event.state:
        case ReversalState.REFUNDED:
            if payment.facts.fulfilled:
                what = f"was refunded at the gateway ({event.refunded_cents} cents so far)"
                warning = AlertSeverity.WARNING
                await payment_alerts.raise_disputed(db, payment, what, now, severity=warning)
        case ReversalState.DISPUTED:
            await payment_alerts.raise_disputed(db, payment, "is disputed by the payer", now)
        case ReversalState.DISPUTE_LOST:
            await payment_alerts.raise_disputed(db, payment, "was disputed, and lost", now)
        case ReversalState.DISPUTE_WON:
            settled = payment.refunded_cents == 0 or not payment.facts.fulfilled
            if settled and not payment.facts.refund_stuck:
                await payment_alerts.resolve(db, payment, now)
