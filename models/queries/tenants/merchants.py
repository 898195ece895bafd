"""Queries for merchants: idempotent upsert, lists, credits and usage."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, literal_column, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from models.enums import Channel
from models.queries.alerts.threshold_alerts import limits_changed
from models.queries.tenants.delivery_modes import mode_of
from models.queries.tenants.visibility import CallerScope, visible_merchants
from models.session import ReadSession, WriteSession
from models.tables.base import row_id
from models.tables.ledger import AllowanceMonth, CreditAccount
from models.tables.merchant import Merchant
from models.tables.tenant import Tenant

_AT_FIRST: Mapping[str, Any] = {
    "active": True,
    "sms_limit": 0,
    "voice_minutes_limit": 0,
    "email_limit": 0,
    "timezone": "America/New_York",
}

_LIMITS_BEFORE = [
    literal_column(f"old.{name}", Integer).label(f"{name}_before")
    for name in ("sms_limit", "voice_minutes_limit", "email_limit")
]
"""Null for a new merchant."""

Units = Mapping[tuple[int, Channel], int]
"""Units by the merchant's row id and channel; entries without units may be missing."""


async def list_merchants(
    db: ReadSession, scope: CallerScope, *, after: int | None, most: int
) -> Sequence[Merchant]:
    """Return merchants, the newest first; `after` is the last id of the previous page."""
    statement = visible_merchants(scope).order_by(col(Merchant.id).desc())
    if after is not None:
        statement = statement.where(col(Merchant.id) < after)
    return (await db.scalars(statement.limit(most))).all()


async def find_merchant_id(
    db: ReadSession | WriteSession, tenant_id: int, external_id: str
) -> int | None:
    """Return the row id of the merchant with this external id; None if there is none."""
    found: int | None = await db.scalar(
        select(col(Merchant.id)).where(
            col(Merchant.tenant_id) == tenant_id, col(Merchant.external_id) == external_id
        )
    )
    return found


async def find_by_public_ids(db: ReadSession, tenant: int, merchant: int) -> Merchant | None:
    """Return the merchant that a link names by public ids; None if there is none."""
    statement = (
        select(Merchant)
        .join(Tenant, col(Tenant.id) == col(Merchant.tenant_id))
        .where(col(Tenant.public_id) == tenant, col(Merchant.public_id) == merchant)
    )
    return (await db.scalars(statement)).one_or_none()


async def write_merchant(
    db: WriteSession,
    *,
    tenant_id: int,
    external_id: str,
    given: Mapping[str, Any],
    now: datetime,
) -> Merchant:
    """Upsert a merchant; concurrent inserts create one row.

    `given` are the columns that change; a new merchant gets defaults for the others.
    """
    statement = (
        insert(Merchant)
        .values(
            tenant_id=tenant_id,
            external_id=external_id,
            created_at=now,
            updated_at=now,
            **{**_AT_FIRST, **given},
        )
        .on_conflict_do_update(
            index_elements=["tenant_id", "external_id"], set_={**given, "updated_at": now}
        )
        .returning(Merchant, *_LIMITS_BEFORE)
    )
    merchant, *before = (await db.execute(statement)).one()
    await _open_accounts(db, merchant)
    limits = [merchant.sms_limit, merchant.voice_minutes_limit, merchant.email_limit]
    if None not in before and before != limits:
        await limits_changed(db, tenant_id=tenant_id, merchant_id=row_id(merchant.id), now=now)
    return merchant


async def _open_accounts(db: WriteSession, merchant: Merchant) -> None:
    """Create the missing credit accounts of a merchant, one per channel."""
    accounts = [
        {
            "tenant_id": merchant.tenant_id,
            "delivery_mode": mode_of(merchant.tenant_id),
            "merchant_id": merchant.id,
            "channel": channel,
            "available": 0,
            "held": 0,
        }
        for channel in Channel
    ]
    await db.execute(insert(CreditAccount).values(accounts).on_conflict_do_nothing())


async def find_credits(db: AsyncSession, tenant_id: int, ids: Sequence[int]) -> Units:
    """Return the available credits of merchants."""
    rows = await db.execute(
        select(
            col(CreditAccount.merchant_id),
            col(CreditAccount.channel),
            col(CreditAccount.available),
        ).where(
            col(CreditAccount.tenant_id) == tenant_id,
            col(CreditAccount.merchant_id).in_(ids),
        )
    )
    return {(merchant, Channel(channel)): count for merchant, channel, count in rows}


async def find_used(db: AsyncSession, tenant_id: int, ids: Sequence[int], month: str) -> Units:
    """Return the units that merchants used in a month, from allowance and credits."""
    rows = await db.execute(
        select(
            col(AllowanceMonth.merchant_id),
            col(AllowanceMonth.channel),
            col(AllowanceMonth.used) + col(AllowanceMonth.credits_used),
        ).where(
            col(AllowanceMonth.tenant_id) == tenant_id,
            col(AllowanceMonth.merchant_id).in_(ids),
            col(AllowanceMonth.month) == month,
        )
    )
    return {(merchant, Channel(channel)): count for merchant, channel, count in rows}
