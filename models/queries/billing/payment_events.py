"""Events of payment gateways, each stored once in the transaction that applies it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text

from models.enums import ChargeState, PaymentStatus
from models.queries.billing import payments
from models.queries.billing.payments import ForeignCharge
from models.rules.billing.payments import ChargeMismatch
from models.rules.messages.reference import PaymentReference
from models.session import WriteSession


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """State of a payment after an event, with what identifies its workflow."""

    completed: bool
    ended: PaymentStatus | None
    """The status it ended with, if this event ended it."""
    scope: str
    idempotency_key: str | None


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
    RETURNING completed_at IS NOT NULL AS completed, status, scope, idempotency_key
    """
)


async def take_event(
    db: WriteSession,
    reference: PaymentReference,
    gateway: str,
    event: ChargeEvent,
    *,
    now: datetime,
    grace: timedelta,
) -> StoredEvent | None:
    """Store an event and apply it, atomically; a known one changes nothing.

    `grace` is how long the sweeper leaves the payment to its workflow. None if the reference names
    no payment that this gateway was asked for.

    Raises:
        ForeignCharge: the charge or the event is not the payment's; nothing was stored.
    """
    ids = {"tenant_id": reference.tenant_id, "payment_id": reference.payment_id}
    payment = await payments.find_payment(
        db, reference.tenant_id, reference.payment_id, locked=True
    )
    if payment is None or payment.gateway != gateway or payment.reference != reference:
        return None
    if not payment.is_for(event.amount_cents, event.currency):
        raise ForeignCharge(ChargeMismatch.AMOUNT)
    if payment.charge_id not in (None, event.charge_id):
        raise ForeignCharge(ChargeMismatch.CHARGE_ID)
    known_for = await db.scalar(
        _KNOWN_FOR,
        {"tenant_id": reference.tenant_id, "gateway": gateway, "event_id": event.event_id},
    )
    if known_for not in (None, reference.payment_id):
        raise ForeignCharge(ChargeMismatch.EVENT)
    stored = await db.scalar(
        _STORE,
        {
            **ids,
            "gateway": gateway,
            "event_id": event.event_id,
            "state": event.state,
            "charge_id": event.charge_id,
            "provider_code": event.provider_code,
            "reported_at": event.reported_at,
            "now": now,
        },
    )
    changed = False
    if stored is not None:
        changed = await payments.apply_charge_state(
            db,
            payment,
            charge_id=event.charge_id,
            state=event.state,
            provider_code=event.provider_code,
            now=now,
        )
    row = (await db.execute(_TOUCH, {**ids, "now": now, "grace": grace})).one()
    return StoredEvent(
        completed=row.completed,
        ended=PaymentStatus(row.status) if changed and row.completed else None,
        scope=row.scope,
        idempotency_key=row.idempotency_key,
    )
