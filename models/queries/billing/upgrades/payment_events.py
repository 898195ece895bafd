"""Events of payment gateways, each stored once in the transaction that applies it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from models.enums import ChargeState, PaymentStatus
from models.queries.billing.upgrades import payments
from models.queries.billing.upgrades.payment_reversals import (
    ReversalEvent,
    apply_reversal,
    check_reversal,
)
from models.queries.billing.upgrades.payment_rows import PaymentRow, get_payment
from models.queries.billing.upgrades.payments import ForeignCharge
from models.rules.billing.payments import ChargeMismatch
from models.rules.messages.reference import PaymentReference
from models.session import ReadSession, WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeEvent:
    """An event about a charge, under the payment's reference.

    `event_id` is the gateway's own and unique per event; duplicates are ignored.
    """

    event_id: str
    charge_id: str
    state: ChargeState
    amount_cents: int
    currency: str
    provider_code: str | None
    reported_at: datetime
    next_action_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """State of a payment after an event, with the identity of its workflow."""

    completed: bool
    ended: PaymentStatus | None
    """The terminal status, if this event ended the payment."""
    tenant_public_id: int
    fits: bool
    """False if a charge of another amount or currency was noted."""
    public_id: int
    scope: str
    idempotency_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentKey:
    """Row keys of the payment that a reference names."""

    tenant_id: int
    payment_id: int


_NAMED = text(
    """
    SELECT p.tenant_id, p.id FROM tenant t
      JOIN payment p ON p.tenant_id = t.id AND p.public_id = :payment
     WHERE t.public_id = :tenant
    """
)


async def find_named(db: ReadSession, reference: PaymentReference) -> PaymentKey | None:
    """Return the payment that a reference names; None if there is none."""
    named = {"tenant": reference.tenant, "payment": reference.payment}
    row = (await db.execute(_NAMED, named)).one_or_none()
    return None if row is None else PaymentKey(tenant_id=row.tenant_id, payment_id=row.id)


_STORE = text(
    """
    INSERT INTO payment_event
           (tenant_id, gateway, event_id, payment_id, state, charge_id, provider_code, reported_at,
            received_at)
    VALUES (:tenant_id, :gateway, :event_id, :payment_id, :state, :charge_id, :provider_code,
            :reported_at, :now)
    ON CONFLICT (tenant_id, gateway, event_id) DO NOTHING
    RETURNING id
    """
)

_KNOWN_FOR = text(
    """
    SELECT payment_id FROM payment_event
     WHERE tenant_id = :tenant_id AND gateway = :gateway AND event_id = :event_id
    """
)

_TOUCH = text(
    """
    UPDATE payment
       SET sweep_at = LEAST(sweep_at, CAST(:now AS timestamptz) + CAST(:grace AS interval))
     WHERE tenant_id = :tenant_id AND id = :payment_id
    RETURNING completed_at IS NOT NULL AS completed, status, public_id, scope, idempotency_key
    """
)


async def take_event(
    db: WriteSession,
    key: PaymentKey,
    gateway: str,
    event: ChargeEvent | ReversalEvent,
    *,
    now: datetime,
    grace: timedelta,
) -> StoredEvent | None:
    """Store an event and apply it, atomically; a known one changes nothing.

    The sweeper leaves the payment to its workflow for `grace`. None if this gateway was not asked
    to charge the payment.

    Raises:
        ForeignCharge: the charge or the event belongs to another payment; nothing was stored.
    """
    ids = {"tenant_id": key.tenant_id, "payment_id": key.payment_id}
    payment = await get_payment(db, key.tenant_id, key.payment_id, locked=True)
    if payment.gateway != gateway:
        return None
    fits = _check_amount(payment, event)
    if payment.charge_id not in (None, event.charge_id):
        raise ForeignCharge(ChargeMismatch.CHARGE_ID)
    known_for = await db.scalar(
        _KNOWN_FOR,
        {"tenant_id": key.tenant_id, "gateway": gateway, "event_id": event.event_id},
    )
    if known_for not in (None, key.payment_id):
        raise ForeignCharge(ChargeMismatch.EVENT)
    stored = await db.scalar(
        _STORE,
        {
            **ids,
            "gateway": gateway,
            "event_id": event.event_id,
            "state": event.state,
            "charge_id": event.charge_id,
            "provider_code": event.provider_code if isinstance(event, ChargeEvent) else None,
            "reported_at": event.reported_at,
            "now": now,
        },
    )
    changed = stored is not None and await _apply(db, payment, event, fits=fits, now=now)
    row = (await db.execute(_TOUCH, {**ids, "now": now, "grace": grace})).one()
    return StoredEvent(
        completed=row.completed,
        ended=PaymentStatus(row.status) if changed and row.completed else None,
        tenant_public_id=payment.tenant_public_id,
        fits=fits,
        public_id=row.public_id,
        scope=row.scope,
        idempotency_key=row.idempotency_key,
    )


def _check_amount(payment: PaymentRow, event: ChargeEvent | ReversalEvent) -> bool:
    """Return whether amount and currency are the payment's; raise ForeignCharge if it is dropped.

    Only money that was taken is noted although it does not fit.
    """
    if isinstance(event, ReversalEvent):
        check_reversal(payment, event)
        return True
    fits = payment.is_for(event.amount_cents, event.currency)
    if not fits and event.state is not ChargeState.SUCCEEDED:
        raise ForeignCharge(ChargeMismatch.AMOUNT)
    return fits


async def _apply(
    db: WriteSession,
    payment: PaymentRow,
    event: ChargeEvent | ReversalEvent,
    *,
    fits: bool,
    now: datetime,
) -> bool:
    """Apply an event; tell whether it may have ended the payment."""
    if isinstance(event, ReversalEvent):
        await apply_reversal(db, payment, event, now)
        return False
    if not fits:
        await payments.apply_mismatch(
            db,
            payment,
            charge_id=event.charge_id,
            amount_cents=event.amount_cents,
            currency=event.currency,
            now=now,
        )
        return False
    return await payments.apply_charge_state(
        db,
        payment,
        charge_id=event.charge_id,
        state=event.state,
        provider_code=event.provider_code,
        next_action_url=event.next_action_url,
        now=now,
    )
