"""Consent in the database: the lock that makes "opted-out is never sent" true."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from models.enums import Channel


async def lock_contact(
    db: AsyncSession,
    tenant_id: int,
    merchant_id: int,
    channel: Channel,
    contact_key: str,
    *,
    shared: bool,
) -> None:
    """Hold what a contact said to a merchant still until the transaction ends.

    Whoever changes consent takes it exclusively, whoever commits an attempt takes it shared: so an
    attempt is committed either before an opt-out or not at all, while sends do not wait for each
    other. Two contacts may share a lock (64 bits of hash); that costs time, never truth.
    """
    name = f"consent\x1f{tenant_id}\x1f{merchant_id}\x1f{channel.value}\x1f{contact_key}"
    lock = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
    await db.execute(select(lock(func.hashtextextended(name, 0))))
