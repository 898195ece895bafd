"""Reads and changes the row of a payment, one function per state change.

Functions that change a payment require its lock. Lock order: payment, credits, alerts.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text, update
from sqlmodel import col

from models.enums import ChargeState, PaymentFailure, PaymentStatus
from models.queries.alerts.threshold_alerts import credits_changed
from models.queries.billing.upgrades import payment_alerts
from models.queries.billing.upgrades.payment_rows import PaymentRow
from models.rules.billing.payments import (
    Change,
    ChargeMismatch,
    PaymentAction,
    change_by,
    may_step,
    mismatch_change,
)
from models.rules.billing.periods import month_of
from models.session import WriteSession
from models.tables.payment import Payment


class StepNotAllowed(Exception):
    """The status of a payment may not change to that one: a bug."""


class ForeignCharge(Exception):
    """A gateway reported, under a payment's reference, a charge of another payment."""

    def __init__(self, reason: ChargeMismatch) -> None:
        super().__init__(reason)
        self.reason = reason


async def claim_charge(
    db: WriteSession, payment: PaymentRow, *, gateway: str, deadline: datetime
) -> None:
    """Record that the gateway is about to be called; from then on it may have charged."""
    latest = max(deadline, payment.deadline or deadline)  # clocks differ
    await _write(db, payment, {"gateway": gateway, "deadline": latest})


async def give_up(db: WriteSession, payment: PaymentRow, now: datetime) -> None:
    """Mark a payment as given up: no charge is requested any more, a pending one is canceled."""
    if not payment.facts.given_up:
        await _write(db, payment, {"given_up_at": now})


async def apply_charge_state(
    db: WriteSession,
    payment: PaymentRow,
    *,
    charge_id: str,
    state: ChargeState,
    provider_code: str | None,
    next_action_url: str | None = None,
    now: datetime,
) -> bool:
    """Apply a charge's state; return whether the status changed. Idempotent.

    Raises:
        ForeignCharge: the charge belongs to another payment.
        IntegrityError: another payment got the charge concurrently; a retry then raises
            ForeignCharge.
    """
    await refuse_foreign(db, payment, charge_id)
    change = change_by(payment.facts, state)
    if change is None:
        if payment.charge_id is None:
            await _write(db, payment, {"charge_id": charge_id})
        return False
    changes: dict[str, Any] = {"provider_code": provider_code}
    if change.taken or payment.charge_id is None:
        changes["charge_id"] = charge_id
    if change.taken:
        changes |= {"mismatch_at": None, "captured_cents": None, "captured_currency": None}
    if change.status is PaymentStatus.REQUIRES_ACTION:
        changes["next_action_url"] = next_action_url
    await _change(db, payment, change, now, changes)
    return True


async def apply_mismatch(
    db: WriteSession,
    payment: PaymentRow,
    *,
    charge_id: str,
    amount_cents: int,
    currency: str,
    now: datetime,
) -> bool:
    """Note that a charge of another amount or currency succeeded; tell whether that changed it.

    No credits are granted for it: those of a payment that waits for them become a refund.

    Raises:
        ForeignCharge, IntegrityError: as `apply_charge_state`.
    """
    await refuse_foreign(db, payment, charge_id)
    if payment.facts.fulfilled:
        await payment_alerts.raise_disputed(
            db, payment, "has its credits, and the gateway reports another amount", now
        )
        return False
    if payment.facts.refund_due:
        return False
    changes: dict[str, Any] = {
        "charge_id": charge_id,
        "captured_cents": amount_cents,
        "captured_currency": currency,
        "mismatch_at": payment.mismatch_at or now,
    }
    if payment.next_action is PaymentAction.GRANT:
        changes |= {"refund_due_at": now, "failure": PaymentFailure.AMOUNT_MISMATCH}
    change = mismatch_change(payment.facts, due=False)
    if change is None:
        await _write(db, payment, changes)
    else:
        await _change(db, payment, change, now, changes)
    return True


async def conclude_mismatch(
    db: WriteSession, payment: PaymentRow, *, wait: timedelta, now: datetime
) -> None:
    """Fail a payment that has waited long enough for the right amount, and schedule its refund."""
    if payment.mismatch_at is None or payment.facts.refund_due:
        return
    change = mismatch_change(payment.facts, due=now >= payment.mismatch_at + wait)
    if change is not None:
        await _change(db, payment, change, now, {})


async def refuse_foreign(db: WriteSession, payment: PaymentRow, charge_id: str) -> None:
    """Raise ForeignCharge if a charge belongs to another payment."""
    if charge_id != payment.charge_id and await _is_elsewhere(db, payment, charge_id):
        raise ForeignCharge(ChargeMismatch.CHARGE_ID)


async def _is_elsewhere(db: WriteSession, payment: PaymentRow, charge_id: str) -> bool:
    statement = select(col(Payment.id)).where(
        col(Payment.tenant_id) == payment.tenant_id,
        col(Payment.gateway) == payment.gateway,
        col(Payment.account) == payment.account,
        col(Payment.charge_id) == charge_id,
        col(Payment.id) != payment.payment_id,
    )
    return await db.scalar(statement) is not None


async def fail(
    db: WriteSession, payment: PaymentRow, failure: PaymentFailure, now: datetime
) -> None:
    """Fail a payment that was certainly not charged."""
    if may_step(payment.facts.status, PaymentStatus.FAILED):
        await _change(db, payment, Change(status=PaymentStatus.FAILED, failure=failure), now, {})


_GRANT = text(
    """
    WITH paid AS (
        SELECT delivery_mode, merchant_id, channel, units FROM payment
         WHERE tenant_id = :tenant_id AND id = :payment_id AND status = 'SUCCEEDED'
           AND fulfilled_at IS NULL AND refund_due_at IS NULL
           AND refunded_cents = 0 AND (dispute IS NULL OR dispute = 'DISPUTE_WON')
    ), account AS (
        INSERT INTO credit_account AS ca (tenant_id, delivery_mode, merchant_id, channel, available,
                                         held)
        SELECT :tenant_id, delivery_mode, merchant_id, channel, units, 0 FROM paid
        ON CONFLICT (tenant_id, merchant_id, channel) DO UPDATE
           SET available = ca.available + excluded.available
         WHERE ca.delivery_mode = excluded.delivery_mode
        RETURNING available
    ), entry AS (
        INSERT INTO ledger_entry
               (tenant_id, merchant_id, channel, kind, units, credit_units, balance, month,
                payment_id, at)
        SELECT :tenant_id, paid.merchant_id, paid.channel, 'TOPUP', paid.units, paid.units,
               account.available, :month, :payment_id, :now
          FROM paid, account
        RETURNING payment_id
    ), fulfilled AS (
        UPDATE payment SET fulfilled_at = :now, completed_at = :now FROM entry
         WHERE payment.tenant_id = :tenant_id AND payment.id = entry.payment_id
        RETURNING payment.id
    )
    SELECT EXISTS (SELECT 1 FROM fulfilled)
    """
)


async def grant(db: WriteSession, payment: PaymentRow, now: datetime) -> bool:
    """Grant the credits of a charged payment: account, ledger and payment in one statement.

    False if there is nothing to grant, because it was granted or will be refunded.
    """
    moved = await db.scalar(
        _GRANT,
        {
            "tenant_id": payment.tenant_id,
            "payment_id": payment.payment_id,
            "month": month_of(now),
            "now": now,
        },
    )
    if not moved:
        return False
    await credits_changed(
        db,
        tenant_id=payment.tenant_id,
        merchant_id=payment.merchant_id,
        channel=payment.channel,
        now=now,
    )
    await payment_alerts.resolve_failed(db, payment, now)
    return True


async def schedule_refund(
    db: WriteSession, payment: PaymentRow, failure: PaymentFailure, now: datetime
) -> None:
    """Mark a charged payment for a refund; no credits are granted for it any more."""
    if payment.next_action is PaymentAction.GRANT:
        await _write(db, payment, {"refund_due_at": now, "failure": failure})


async def record_refund(
    db: WriteSession, payment: PaymentRow, refund_id: str | None, now: datetime
) -> bool:
    """Store that the charge was refunded; False if it was before."""
    if payment.facts.status is PaymentStatus.REFUNDED or not payment.facts.refund_due:
        return False
    await _write(
        db,
        payment,
        {
            "refunded_cents": payment.taken_cents,
            "refund_stuck_at": None,
            "status": PaymentStatus.REFUNDED,
            "refund_id": refund_id,
            "refunded_at": now,
            "completed_at": now,
        },
    )
    await payment_alerts.resolve(db, payment, now)
    return True


async def fail_foreign(db: WriteSession, payment: PaymentRow, now: datetime) -> None:
    """End a payment under whose reference the gateway has only another payment's charge."""
    if may_step(payment.facts.status, PaymentStatus.FAILED):
        await fail(db, payment, PaymentFailure.FOREIGN_CHARGE, now)
        what = "has only the charge of another payment at the gateway"
        await payment_alerts.raise_disputed(db, payment, what, now)


async def stop_refund(db: WriteSession, payment: PaymentRow, now: datetime) -> None:
    """End the tries to refund: the refund stays owed, and an operator is alerted."""
    if payment.next_action is not PaymentAction.REFUND:
        return
    await _write(db, payment, {"refund_stuck_at": now, "completed_at": now})
    await payment_alerts.raise_stuck(db, payment, now)


async def retry_refund(db: WriteSession, payment: PaymentRow, now: datetime) -> bool:
    """Have a stuck refund tried again by the payment's workflow; False if none is stuck.

    The sweeper starts the workflow.
    """
    if not payment.facts.refund_stuck:
        return False
    retried = {"refund_due_at": now, "refund_stuck_at": None, "completed_at": None, "sweep_at": now}
    await _write(db, payment, retried)
    return True


async def close_matter(db: WriteSession, payment: PaymentRow, now: datetime) -> bool:
    """Resolve a payment's own alerts; True if a stuck refund is thereby stated to be made."""
    await payment_alerts.resolve(db, payment, now)
    return payment.facts.refund_stuck and await record_refund(db, payment, None, now)


async def write_reversal(db: WriteSession, payment: PaymentRow, changes: Mapping[str, Any]) -> None:
    """Write what a gateway reported of a charge after it succeeded; never the status."""
    await _write(db, payment, changes)


async def _change(
    db: WriteSession, payment: PaymentRow, change: Change, now: datetime, changes: dict[str, Any]
) -> None:
    changes["status"] = change.status
    if change.failure is not None:
        changes |= {"failure": change.failure, "failed_at": now, "completed_at": now}
    if change.taken:
        changes |= {"taken_at": now, "completed_at": None}
    if change.refund_due:
        changes["refund_due_at"] = now
    await _write(db, payment, changes)
    if change.failure is not None:
        await payment_alerts.raise_failed(db, payment, change.failure, now)


async def _write(db: WriteSession, payment: PaymentRow, changes: Mapping[str, Any]) -> None:
    """Write columns of a locked payment; the only place that writes a payment's status.

    Raises:
        StepNotAllowed: a bug.
    """
    status = payment.facts.status
    following = changes.get("status", status)
    if following is not status and not may_step(status, following):
        raise StepNotAllowed
    await db.execute(
        update(Payment)
        .where(col(Payment.tenant_id) == payment.tenant_id, col(Payment.id) == payment.payment_id)
        .values(**changes)
    )
