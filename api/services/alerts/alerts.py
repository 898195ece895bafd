"""Alerts, read: what a tenant is, or was, warned of."""

from dataclasses import dataclass

from sqlalchemy import Select
from sqlmodel import col

from api.http.auth import Caller
from api.http.pagination import Page, Slice
from api.schemas.alerts import AlertView
from api.services.readable import get_merchant, readable_alerts, row_id
from models.enums import AlertType, Channel
from models.session import Database
from models.tables.alert import Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Which alerts are asked for; `open` None means both kinds."""

    merchant_id: str | None
    type: AlertType | None
    open: bool | None


class Alerts:
    """The looks at alerts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, caller: Caller, wanted: AlertFilter, page: Page) -> Slice[AlertView]:
        """Return alerts, the newest first."""
        statement = _narrow(readable_alerts(caller), wanted).order_by(col(Alert.id).desc())
        if (after := page.after(size=1)) is not None:
            statement = statement.where(col(Alert.id) < after[0])
        async with self._database.read() as db:
            if wanted.merchant_id is not None:
                merchant = await get_merchant(db, caller, wanted.merchant_id)
                statement = statement.where(col(Alert.merchant_id) == merchant.id)
            rows = (await db.execute(statement.limit(page.limit + 1))).all()
        found = page.cut([(row[0], row[1]) for row in rows], lambda row: (row_id(row[0].id),))
        return Slice([_view(alert, merchant) for alert, merchant in found.items], found.end)


def _narrow(statement: Select[Alert, str | None], wanted: AlertFilter) -> Select[Alert, str | None]:
    if wanted.type is not None:
        statement = statement.where(col(Alert.type) == wanted.type)
    if wanted.open is not None:
        resolved = col(Alert.resolved_at)
        statement = statement.where(resolved.is_(None) if wanted.open else resolved.is_not(None))
    return statement


def _view(alert: Alert, merchant: str | None) -> AlertView:
    return AlertView(
        id=str(alert.id),
        merchant_id=merchant,
        channel=Channel(alert.channel) if alert.channel else None,
        type=alert.type,
        threshold=alert.threshold or None,
        severity=alert.severity,
        message=alert.message,
        count=alert.count,
        created_at=alert.created_at,
        resolved_at=alert.resolved_at,
    )
