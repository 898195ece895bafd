"""Queries of operators' commands for sender numbers."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy import select
from sqlmodel import col

from models.queries.senders.number_claims import insert_number
from models.session import ReadSession, WriteSession
from models.tables.merchant import Merchant
from models.tables.tenant import SenderNumber


async def list_sender_numbers(
    db: ReadSession | WriteSession, tenant_id: int
) -> Sequence[tuple[SenderNumber, str | None]]:
    """Return a tenant's numbers, each with its merchant's external id."""
    rows = await db.execute(
        select(SenderNumber, col(Merchant.external_id))
        .outerjoin(
            Merchant,
            (col(Merchant.tenant_id) == col(SenderNumber.tenant_id))
            & (col(Merchant.id) == col(SenderNumber.merchant_id)),
        )
        .where(col(SenderNumber.tenant_id) == tenant_id)
        .order_by(col(SenderNumber.number))
    )
    return [(number, merchant) for number, merchant in rows]


async def add_sender_number(
    db: WriteSession,
    *,
    number: str,
    tenant_id: int,
    merchant_id: int | None,
    segments_per_second: Decimal | None,
    calls_per_second: Decimal | None,
    registered_at: datetime | None,
    now: datetime,
) -> bool:
    """Add a number for a tenant, or for one of its merchants; False if it is already owned."""
    return await insert_number(
        db,
        number=number,
        tenant_id=tenant_id,
        merchant_id=merchant_id,
        segments_per_second=segments_per_second,
        calls_per_second=calls_per_second,
        registered_at=registered_at,
        created_at=now,
    )
