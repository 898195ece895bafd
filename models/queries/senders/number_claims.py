"""Ownership of a number, from the request to buy it until its release.

`sender_number` has a number at most once over all tenants and registries; its primary key decides
who may buy it.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from models.session import WriteSession
from models.tables.messaging import MessagingNumber
from models.tables.sender import SenderQueueEntry
from models.tables.tenant import SenderNumber


async def claim_number(
    db: WriteSession,
    *,
    number: str,
    tenant_id: int,
    merchant_id: int,
    provider: str,
    account: str,
    now: datetime,
) -> bool:
    """Claim a number before its purchase; False if it is already owned or claimed, by any tenant.

    Texts to it reach the merchant from then on; nothing is sent from it before it is bought.
    """
    return await insert_number(
        db,
        number=number,
        tenant_id=tenant_id,
        merchant_id=merchant_id,
        provider=provider,
        account=account,
        claimed_at=now,
        created_at=now,
    )


async def insert_number(db: WriteSession, **values: Any) -> bool:
    """Insert a row of `sender_number`; False if the number already has one."""
    inserted = await db.scalar(
        insert(SenderNumber)
        .values(values)
        .on_conflict_do_nothing(index_elements=["number"])
        .returning(col(SenderNumber.number))
    )
    return inserted is not None


async def add_sender(db: WriteSession, row: MessagingNumber, *, now: datetime) -> None:
    """Turn a claim into a sender, after the purchase.

    A number that belongs to someone else is left unchanged: only the merchant's own claim is
    updated.
    """
    await db.execute(
        insert(SenderNumber)
        .values(
            number=row.number,
            tenant_id=row.tenant_id,
            merchant_id=row.merchant_id,
            provider=row.provider,
            account=row.account,
            created_at=now,
        )
        .on_conflict_do_update(
            index_elements=["number"],
            set_={"claimed_at": None, "provider": row.provider, "account": row.account},
            where=_owned(row),
        )
    )


async def remove_sender(db: WriteSession, row: MessagingNumber, *, claimed: bool = False) -> None:
    """Delete the sender, so that texts for the merchant do not reach the number's next owner.

    The sender is locked before its queue, in the lock order of a send. With `claimed` it is deleted
    only if it was claimed and never bought.
    """
    statement = select(SenderNumber).where(_owned(row))
    if claimed:
        statement = statement.where(col(SenderNumber.claimed_at).is_not(None))
    sender = (await db.scalars(statement.with_for_update())).one_or_none()
    if sender is None:
        return
    await db.execute(
        delete(SenderQueueEntry).where(
            col(SenderQueueEntry.tenant_id) == row.tenant_id,
            col(SenderQueueEntry.sender_id) == sender.id,
        )
    )
    await db.delete(sender)
    await db.flush()


def _owned(row: MessagingNumber) -> ColumnElement[bool]:
    return (
        (col(SenderNumber.tenant_id) == row.tenant_id)
        & (col(SenderNumber.merchant_id) == row.merchant_id)
        & (col(SenderNumber.number) == row.number)
    )
