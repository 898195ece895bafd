"""Payments that wait for an operator, as the operator's command finds them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from models.enums import AlertType, PaymentStatus
from models.queries.billing.upgrades.payment_rows import PaymentRow, find_payment
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenMatter:
    """A payment with an open alert of its own."""

    public_id: int
    status: PaymentStatus
    failure: str | None
    gateway: str | None
    charge_id: str | None
    type: AlertType
    message: str


_LIST = text(
    """
    SELECT p.public_id, p.status, p.failure, p.gateway, p.charge_id, a.type, a.message
      FROM alert a
      JOIN payment p ON p.tenant_id = a.tenant_id AND CAST(p.public_id AS text) = a.subject
     WHERE a.tenant_id = :tenant_id AND a.type IN ('REFUND_STUCK', 'PAYMENT_DISPUTED')
       AND a.resolved_at IS NULL
     ORDER BY a.id
    """
)

_FIND = text("SELECT id FROM payment WHERE tenant_id = :tenant_id AND public_id = :public_id")


async def list_open_matters(db: WriteSession, tenant_id: int) -> Sequence[OpenMatter]:
    """Return a tenant's payments with a stuck refund or a dispute, the oldest first."""
    return [
        OpenMatter(
            public_id=row.public_id,
            status=PaymentStatus(row.status),
            failure=row.failure,
            gateway=row.gateway,
            charge_id=row.charge_id,
            type=AlertType(row.type),
            message=row.message,
        )
        for row in await db.execute(_LIST, {"tenant_id": tenant_id})
    ]


async def find_shown(db: WriteSession, tenant_id: int, public_id: int) -> PaymentRow | None:
    """Return the payment that is shown by an id, locked."""
    payment_id = await db.scalar(_FIND, {"tenant_id": tenant_id, "public_id": public_id})
    if payment_id is None:
        return None
    return await find_payment(db, tenant_id, payment_id, locked=True)
