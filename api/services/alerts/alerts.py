"""Reads the alerts of a tenant."""

from dataclasses import dataclass

from api.http.auth import Caller
from api.http.pagination import Page, Slice
from api.schemas.alerts import AlertView
from models.enums import AlertType, Channel
from models.queries.alerts.alerts import list_alerts
from models.queries.tenants.cursors import find_cursor_row
from models.queries.tenants.visibility import narrow_scope
from models.session import Database
from models.tables.alert import Alert


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFilter:
    """Filter of alerts; `open` None means open and resolved ones."""

    merchant_id: str | None
    type: AlertType | None
    open: bool | None


class Alerts:
    """Queries of alerts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, caller: Caller, wanted: AlertFilter, page: Page) -> Slice[AlertView]:
        """Return a page of alerts, newest first."""
        async with self._database.read() as db:
            after = await find_cursor_row(db, Alert, caller.tenant_id, page.after_id())
            rows = await list_alerts(
                db,
                await narrow_scope(db, caller, wanted.merchant_id),
                type=wanted.type,
                open=wanted.open,
                after=after,
                most=page.limit + 1,
            )
        found = page.cut(rows, lambda row: row[0].public_id)
        return Slice([alert_view(alert, merchant) for alert, merchant in found.items], found.end)


def alert_view(alert: Alert, merchant: str | None) -> AlertView:
    """Return the view of an alert; `merchant` is its merchant's external id."""
    return AlertView(
        id=str(alert.public_id),
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
