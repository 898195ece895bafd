"""Queries of the API for upgrades: by key, by reference, by id; and their insertion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from models.enums import PaymentStatus
from models.queries.tenants.delivery_modes import mode_of
from models.queries.tenants.visibility import CallerScope, visible_payments
from models.rules.messages.operations import UPGRADE
from models.session import ReadSession, WriteSession
from models.tables.payment import Payment


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundUpgrade:
    """A payment, its merchant's external id, and the credits available now."""

    payment: Payment
    merchant: str
    credits: int


async def list_upgrades(
    db: ReadSession, scope: CallerScope, *, after: int | None, most: int
) -> Sequence[FoundUpgrade]:
    """Return upgrades, the newest first; `after` is the last payment id of the previous page."""
    statement = visible_payments(scope).order_by(col(Payment.id).desc())
    if after is not None:
        statement = statement.where(col(Payment.id) < after)
    return [
        FoundUpgrade(payment=row[0], merchant=row[1], credits=row[2])
        for row in await db.execute(statement.limit(most))
    ]


async def get_upgrade(db: WriteSession, scope: CallerScope, payment_id: int) -> FoundUpgrade:
    """Return the upgrade of an existing payment."""
    found = await _find(db, visible_payments(scope).where(col(Payment.id) == payment_id))
    assert found is not None
    return found


async def find_by_public_id(
    db: ReadSession, scope: CallerScope, public_id: int
) -> FoundUpgrade | None:
    """Return the upgrade that is shown by an id."""
    return await _find(db, visible_payments(scope).where(col(Payment.public_id) == public_id))


async def find_by_key(
    db: WriteSession, scope: CallerScope, *, key_scope: str, idempotency_key: str
) -> FoundUpgrade | None:
    """Return the upgrade that was created under an Idempotency-Key; None if there is none."""
    statement = visible_payments(scope).where(
        col(Payment.operation) == UPGRADE,
        col(Payment.scope) == key_scope,
        col(Payment.idempotency_key) == idempotency_key,
    )
    return await _find(db, statement)


async def find_by_reference(
    db: WriteSession, scope: CallerScope, *, merchant_id: int, reference_id: str
) -> FoundUpgrade | None:
    """Return a merchant's upgrade with a reference; None if there is none or it failed."""
    statement = visible_payments(scope).where(
        col(Payment.merchant_id) == merchant_id,
        col(Payment.reference_id) == reference_id,
        col(Payment.failed_at).is_(None),
    )
    return await _find(db, statement)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUpgrade:
    """A new upgrade; `terms` are the columns of the purchase itself."""

    tenant_id: int
    merchant_id: int
    reference_id: str
    terms: Mapping[str, Any] = field(repr=False)
    key_scope: str
    idempotency_key: str | None
    fingerprint: str
    accepted_at: datetime
    sweep_at: datetime


async def insert_upgrade(db: WriteSession, new: NewUpgrade) -> int | None:
    """Insert the payment and return its id.

    None if a payment with its reference exists, or if the random public id is taken.
    """
    statement = (
        insert(Payment)
        .values(
            tenant_id=new.tenant_id,
            delivery_mode=mode_of(new.tenant_id),
            merchant_id=new.merchant_id,
            reference_id=new.reference_id,
            **new.terms,
            operation=UPGRADE,
            scope=new.key_scope,
            idempotency_key=new.idempotency_key,
            fingerprint=new.fingerprint,
            status=PaymentStatus.PENDING,
            accepted_at=new.accepted_at,
            sweep_at=new.sweep_at,
        )
        .on_conflict_do_nothing()
        .returning(col(Payment.id))
    )
    payment_id: int | None = await db.scalar(statement)
    return payment_id


async def _find(
    db: ReadSession | WriteSession, statement: Select[Payment, str, int]
) -> FoundUpgrade | None:
    row = (await db.execute(statement)).one_or_none()
    if row is None:
        return None
    return FoundUpgrade(payment=row[0], merchant=row[1], credits=row[2])
