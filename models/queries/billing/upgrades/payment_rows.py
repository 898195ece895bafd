"""A payment's row, read and locked, with what its next action needs."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.enums import Channel, DeliveryMode, PaymentStatus, ReversalState
from models.rules.billing.payments import PaymentAction, PaymentFacts, next_action_of
from models.rules.messages.reference import PaymentReference


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRow:
    """A payment's row, with what its next action needs."""

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
    captured_cents: int | None
    captured_currency: str | None
    mismatch_at: datetime | None
    refund_due_at: datetime | None
    refunded_cents: int
    dispute: ReversalState | None
    disputed_at: datetime | None

    @property
    def reference(self) -> PaymentReference:
        """Its reference at the gateway."""
        return PaymentReference(tenant=self.tenant_public_id, payment=self.public_id)

    def is_for(self, amount_cents: int, currency: str) -> bool:
        """Tell whether a charge has this payment's amount and currency."""
        return (amount_cents, currency) == (self.amount_cents, self.currency)

    @property
    def taken_cents(self) -> int:
        """What the gateway charged, or is to charge."""
        return self.amount_cents if self.captured_cents is None else self.captured_cents

    @property
    def taken_currency(self) -> str:
        """The currency of `taken_cents`."""
        return self.captured_currency or self.currency

    @property
    def reversed(self) -> bool:
        """Whether the gateway returned money of the charge, or may have to."""
        lost = self.dispute in (ReversalState.DISPUTED, ReversalState.DISPUTE_LOST)
        return lost or self.refunded_cents > 0

    @property
    def returned(self) -> bool:
        """Whether the payer has all of the money again, without a refund of ours."""
        return self.dispute is ReversalState.DISPUTE_LOST or self.refunded_cents >= self.taken_cents

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
           p.captured_cents, p.captured_currency, p.mismatch_at, p.refund_due_at,
           p.refunded_cents, p.dispute, p.disputed_at,
           p.refund_stuck_at IS NOT NULL AS refund_stuck
      FROM payment p
      JOIN tenant t ON t.id = p.tenant_id
      JOIN merchant m ON m.tenant_id = p.tenant_id AND m.id = p.merchant_id
     WHERE p.tenant_id = :tenant_id AND p.id = :payment_id
"""
_LOOK = text(_FIND)
_LOCK = text(_FIND + " FOR NO KEY UPDATE OF p")


class PaymentMissing(Exception):
    """There is no such payment: a bug, never business."""


async def find_payment(
    db: AsyncSession, tenant_id: int, payment_id: int, *, locked: bool = False
) -> PaymentRow | None:
    """Return a payment; locked, no other transaction changes it."""
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
            refund_due=row.refund_due_at is not None,
            refund_stuck=row.refund_stuck,
            mismatched=row.mismatch_at is not None,
        ),
        captured_cents=row.captured_cents,
        captured_currency=row.captured_currency,
        mismatch_at=row.mismatch_at,
        refund_due_at=row.refund_due_at,
        refunded_cents=row.refunded_cents,
        dispute=None if row.dispute is None else ReversalState(row.dispute),
        disputed_at=row.disputed_at,
    )


async def get_payment(
    db: AsyncSession, tenant_id: int, payment_id: int, *, locked: bool = False
) -> PaymentRow:
    """Return a payment that must be there, or raise PaymentMissing."""
    payment = await find_payment(db, tenant_id, payment_id, locked=locked)
    if payment is None:
        raise PaymentMissing
    return payment


async def get_named_payment(
    db: AsyncSession, tenant_id: int, payment_id: int, public_id: int, *, locked: bool = False
) -> PaymentRow:
    """Return a payment of which a workflow knows row and public id, or raise PaymentMissing.

    A row with another public id belongs to the workflow of another database. 0: not known.
    """
    payment = await get_payment(db, tenant_id, payment_id, locked=locked)
    if public_id not in (0, payment.public_id):
        raise PaymentMissing
    return payment
