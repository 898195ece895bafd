"""Addresses that a tenant's e-mail is sent from."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from models.session import ReadSession, WriteSession
from models.tables.tenant import SenderAddress


async def add_sender_address(
    db: WriteSession, *, tenant_id: int, address: str, now: datetime
) -> bool:
    """Add an address to a tenant; False if it has it already."""
    added = await db.scalar(
        insert(SenderAddress)
        .values(tenant_id=tenant_id, address=address, created_at=now)
        .on_conflict_do_nothing(index_elements=["tenant_id", "address"])
        .returning(col(SenderAddress.address))
    )
    return added is not None


async def remove_sender_address(db: WriteSession, *, tenant_id: int, address: str) -> bool:
    """Remove an address of a tenant; False if it does not have it."""
    removed = await db.scalar(
        delete(SenderAddress)
        .where(col(SenderAddress.tenant_id) == tenant_id, col(SenderAddress.address) == address)
        .returning(col(SenderAddress.address))
    )
    return removed is not None


async def list_sender_addresses(db: ReadSession | WriteSession, tenant_id: int) -> Sequence[str]:
    """Return a tenant's addresses, the preferred one first."""
    statement = (
        select(col(SenderAddress.address))
        .where(col(SenderAddress.tenant_id) == tenant_id)
        .order_by(col(SenderAddress.created_at), col(SenderAddress.address))
    )
    return (await db.scalars(statement)).all()
