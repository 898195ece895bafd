"""Reads and changes the row of a payment, one function per state change.

Functions that change a payment require its lock. Lock order: payment, credits, alerts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.enums import (
    AlertSeverity,
    AlertType,
    Channel,
    ChargeState,
    DeliveryMode,
    PaymentFailure,
    PaymentStatus,
)
from models.queries.alerts.alerts import raise_alert, resolve_alerts
from models.queries.alerts.threshold_alerts import credits_changed
from models.rules.billing.payments import (
    Change,
    ChargeMismatch,
    PaymentAction,
    PaymentFacts,
    change_by,
    may_step,
    next_action_of,
)
from models.rules.billing.periods import month_of
from models.rules.messages.reference import PaymentReference
from models.session import WriteSession
from models.tables.payment import Payment


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    """A payment's row, with the data for its next action."""

    tenant_id: int
    payment_id: int
    tenant_public_id: int
    public_id: int
    merchant_id: int
    delivery_mode: DeliveryMode
    merchant_active: bool
    channel: Channel
    units: int
    amount_cents: int
    currency: str
    payment_method_id: str = field(repr=False)
    gateway: str | None
    account: str
    charge_id: str | None
    deadline: datetime | None
    completed: bool
    facts: PaymentFacts

    @property
    def reference(self) -> PaymentReference:
        """Its reference at the gateway."""
        return PaymentReference(tenant=self.tenant_public_id, payment=self.public_id)

    def is_for(self, amount_cents: int, currency: str) -> bool:
        """Return whether a charge has this payment's amount and currency."""
        return (amount_cents, currency) == (self.amount_cents, self.currency)

    @property
    def next_action(self) -> PaymentAction:
        """The next action."""
        return next_action_of(self.facts)


_FIND = """
    SELECT p.tenant_id, p.id, t.public_id AS tenant_public_id, p.public_id,
           p.merchant_id, p.delivery_mode, m.active, p.channel, p.units, p.amount_cents,
           p.currency, p.payment_method_id, p.gateway, p.account,
           p.charge_id,
           p.deadline, p.status, p.completed_at IS NOT NULL AS completed,
           p.given_up_at IS NOT NULL AS given_up, p.fulfilled_at IS NOT NULL AS fulfilled,
           p.refund_due_at IS NOT NULL AS refund_due
      FROM payment p
      JOIN tenant t ON t.id = p.tenant_id
      JOIN merchant m ON m.tenant_id = p.tenant_id AND m.id = p.merchant_id
     WHERE p.tenant_id = :tenant_id AND p.id = :payment_id
"""
_LOOK = text(_FIND)
_LOCK = text(_FIND + " FOR NO KEY UPDATE OF p")


class StepNotAllowed(Exception):
    """The status of a payment may not change to that one: a bug."""


class PaymentMissing(Exception):
    """There is no such payment: a bug."""


class ForeignCharge(Exception):
    """A gateway reported, under a payment's reference, a charge of another payment."""

    def __init__(self, reason: ChargeMismatch) -> None:
        super().__init__(reason)
        self.reason = reason


async def find_payment(
    db: AsyncSession, tenant_id: int, payment_id: int, *, locked: bool = False
) -> PaymentRow | None:
    """Return a payment; None if there is none."""
    statement = _LOCK if locked else _LOOK
    found = await db.execute(statement, {"tenant_id": tenant_id, "payment_id": payment_id})
    row = found.one_or_none()
    if row is None:
        return None
    return PaymentRow(
        tenant_id=row.tenant_id,
        payment_id=row.id,
        tenant_public_id=row.tenant_public_id,
        public_id=row.public_id,
        merchant_id=row.merchant_id,
        delivery_mode=DeliveryMode(row.delivery_mode),
        merchant_active=row.active,
        channel=Channel(row.channel),
        units=row.units,
        amount_cents=row.amount_cents,
        currency=row.currency,
        payment_method_id=row.payment_method_id,
        gateway=row.gateway,
        account=row.account,
        charge_id=row.charge_id,
        deadline=row.deadline,
        completed=row.completed,
        facts=PaymentFacts(
            status=PaymentStatus(row.status),
            known=row.charge_id is not None,
            given_up=row.given_up,
            fulfilled=row.fulfilled,
            refund_due=row.refund_due,
        ),
    )


async def get_payment(
    db: AsyncSession, tenant_id: int, payment_id: int, *, locked: bool = False
) -> PaymentRow:
    """Return a payment; raises PaymentMissing if there is none."""
    payment = await find_payment(db, tenant_id, payment_id, locked=locked)
    if payment is None:
        raise PaymentMissing
    return payment


async def get_named_payment(
    db: AsyncSession, tenant_id: int, payment_id: int, public_id: int, *, locked: bool = False
) -> PaymentRow:
    """Return the payment of a workflow by row id and public id; raises PaymentMissing.

    A row with another public id belongs to a workflow of another database. 0: unknown.
    """
    payment = await get_payment(db, tenant_id, payment_id, locked=locked)
    if public_id not in (0, payment.public_id):
        raise PaymentMissing
    return payment


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
    now: datetime,
) -> bool:
    """Apply a charge's state; return whether the status changed. Idempotent.

    Raises:
        ForeignCharge: the charge belongs to another payment.
        IntegrityError: another payment got the charge concurrently; a retry then raises
            ForeignCharge.
    """
    if charge_id != payment.charge_id and await _is_elsewhere(db, payment, charge_id):
        raise ForeignCharge(ChargeMismatch.CHARGE_ID)
    change = change_by(payment.facts, state)
    if change is None:
        if payment.charge_id is None:
            await _write(db, payment, {"charge_id": charge_id})
        return False
    changes: dict[str, Any] = {"provider_code": provider_code}
    if change.taken or payment.charge_id is None:
        changes["charge_id"] = charge_id
    await _change(db, payment, change, now, changes)
    return True


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
    for channel in Channel:
        await resolve_alerts(
            db,
            tenant_id=payment.tenant_id,
            merchant_id=payment.merchant_id,
            channel=channel,
            type=AlertType.PAYMENT_FAILED,
            now=now,
        )
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
    """Store that the charge was refunded; False if that was already stored."""
    if payment.next_action is not PaymentAction.REFUND:
        return False
    await _write(
        db,
        payment,
        {
            "status": PaymentStatus.REFUNDED,
            "refund_id": refund_id,
            "refunded_at": now,
            "completed_at": now,
        },
    )
    return True


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
        await raise_alert(
            db,
            tenant_id=payment.tenant_id,
            merchant_id=payment.merchant_id,
            channel=payment.channel,
            type=AlertType.PAYMENT_FAILED,
            severity=AlertSeverity.WARNING,
            message=f"Payment pay_{payment.public_id} for {payment.units} {payment.channel} units"
            f" failed: {change.failure}.",
            now=now,
        )


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
