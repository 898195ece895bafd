"""Reads the rows that events are about, by row id, for one tenant at a time."""

from collections.abc import Collection
from datetime import date

from sqlalchemy import Select, func, select
from sqlmodel import col

from models.queries.billing.upgrades.upgrades import FoundUpgrade
from models.queries.consent.inbound_texts import StoredInbound
from models.queries.messages.read import Found
from models.queries.tenants.visibility import (
    CallerScope,
    visible_alerts,
    visible_consents,
    visible_messages,
    visible_payments,
)
from models.session import ReadSession
from models.tables.alert import Alert
from models.tables.base import row_id
from models.tables.consent import Consent
from models.tables.inbound import InboundMessage
from models.tables.merchant import Merchant
from models.tables.message import Message
from models.tables.payment import Payment
from models.tables.usage import UsageDay


async def find_messages(db: ReadSession, tenant_id: int, ids: Collection[int]) -> dict[int, Found]:
    """Return messages by row id, each with its merchant's external id."""
    statement = visible_messages(_whole(tenant_id)).where(col(Message.id).in_(ids))
    return {row_id(row[0].id): (row[0], row[1]) for row in await db.execute(statement)}


async def find_consents(
    db: ReadSession, tenant_id: int, numbers: Collection[int]
) -> dict[int, tuple[Consent, str]]:
    """Return consents by `number`, each with its merchant's external id."""
    statement = visible_consents(_whole(tenant_id)).where(col(Consent.number).in_(numbers))
    return {row_id(row[0].number): (row[0], row[1]) for row in await db.execute(statement)}


async def find_alerts(
    db: ReadSession, tenant_id: int, ids: Collection[int]
) -> dict[int, tuple[Alert, str | None]]:
    """Return alerts by row id, each with its merchant's external id."""
    statement = visible_alerts(_whole(tenant_id)).where(col(Alert.id).in_(ids))
    return {row_id(row[0].id): (row[0], row[1]) for row in await db.execute(statement)}


async def find_upgrades(
    db: ReadSession, tenant_id: int, ids: Collection[int]
) -> dict[int, FoundUpgrade]:
    """Return upgrades by the row id of their payment."""
    statement = visible_payments(_whole(tenant_id)).where(col(Payment.id).in_(ids))
    return {
        row_id(row[0].id): FoundUpgrade(payment=row[0], merchant=row[1], credits=row[2])
        for row in await db.execute(statement)
    }


async def find_inbound_texts(
    db: ReadSession, tenant_id: int, ids: Collection[int]
) -> dict[int, StoredInbound]:
    """Return inbound texts by row id."""
    statement = (
        select(InboundMessage, col(Merchant.external_id))
        .outerjoin(
            Merchant,
            (col(Merchant.tenant_id) == col(InboundMessage.tenant_id))
            & (col(Merchant.id) == col(InboundMessage.merchant_id)),
        )
        .where(col(InboundMessage.tenant_id) == tenant_id, col(InboundMessage.id).in_(ids))
    )
    return {
        row_id(text.id): StoredInbound(
            public_id=text.public_id,
            merchant=merchant,
            kind=text.kind,
            sender=text.sender,
            number=text.number,
            body=text.body,
            sent_at=text.sent_at,
            received_at=text.received_at,
        )
        for text, merchant in await db.execute(statement)
    }


async def find_merchant_names(
    db: ReadSession, tenant_id: int, ids: Collection[int]
) -> dict[int, str]:
    """Return the external ids of merchants by row id."""
    statement = select(col(Merchant.id), col(Merchant.external_id)).where(
        col(Merchant.tenant_id) == tenant_id, col(Merchant.id).in_(ids)
    )
    return {row_id(row[0]): row[1] for row in await db.execute(statement)}


async def list_merchants_of_day(
    db: ReadSession, tenant_id: int, day: date, *, most: int
) -> list[str]:
    """Return the external ids of the merchants with usage on a day, in alphabetical order."""
    statement = (
        select(col(Merchant.external_id))
        .where(col(Merchant.tenant_id) == tenant_id, col(Merchant.id).in_(_used_on(tenant_id, day)))
        .order_by(col(Merchant.external_id))
        .limit(most)
    )
    return list(await db.scalars(statement))


async def count_merchants_of_day(db: ReadSession, tenant_id: int, day: date) -> int:
    """Return how many merchants have usage on a day."""
    used = _used_on(tenant_id, day).subquery()
    return await db.scalar(select(func.count()).select_from(used)) or 0


def _used_on(tenant_id: int, day: date) -> Select[int]:
    """Select the row ids of merchants with usage on a day; 0, the tenant itself, is none."""
    return (
        select(col(UsageDay.merchant_id))
        .distinct()
        .where(
            col(UsageDay.tenant_id) == tenant_id,
            col(UsageDay.day) == day,
            col(UsageDay.merchant_id) != 0,
        )
    )


def _whole(tenant_id: int) -> CallerScope:
    return CallerScope(tenant_id=tenant_id, merchant_id=None)
