"""Renders the `data` of events: the view that the API gives of their subject.

Each function takes events of one tenant and one kind of subject and returns their views in order;
None for a subject that does not exist any more.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from api.schemas.alerts import AlertView
from api.schemas.billing import MerchantUpgradeView
from api.schemas.consents import ConsentView
from api.schemas.inbound import InboundMessageView
from api.schemas.messages import MessageView
from api.schemas.webhook_events import UsageFinalizedView, WebhookTestView
from api.services.alerts.alerts import alert_view
from api.services.billing.upgrades import upgrade_view
from api.services.consent.consents import consent_view
from api.services.consent.inbound_texts import inbound_view
from api.services.messages.views import PastMessage, past_message_views
from models.enums import WebhookEventType
from models.queries.webhooks import subjects
from models.queries.webhooks.events import StoredEvent
from models.session import ReadSession

_MOST_MERCHANTS: Final = 500


async def message_data(
    db: ReadSession, tenant_id: int, events: Sequence[StoredEvent]
) -> list[MessageView | None]:
    """Return each message as it was at its event."""
    found = await subjects.find_messages(db, tenant_id, _ids(events))
    moments = [
        PastMessage(found=found[event.subject_id], state=event.state, at=event.created_at)
        for event in events
        if event.subject_id in found
    ]
    views = iter(await past_message_views(db, tenant_id, moments))
    return [next(views) if event.subject_id in found else None for event in events]


async def inbound_data(
    db: ReadSession, tenant_id: int, events: Sequence[StoredEvent]
) -> list[InboundMessageView | None]:
    """Return each inbound text."""
    found = await subjects.find_inbound_texts(db, tenant_id, _ids(events))
    return [
        inbound_view(found[event.subject_id]) if event.subject_id in found else None
        for event in events
    ]


async def consent_data(
    db: ReadSession, tenant_id: int, events: Sequence[StoredEvent]
) -> list[ConsentView | None]:
    """Return each consent with the status, source and time that it had at its event."""
    found = await subjects.find_consents(db, tenant_id, _ids(events))
    return [
        _changed(
            consent_view(*found[event.subject_id]),
            status=event.state["status"],
            source=event.state["source"],
            updated_at=datetime.fromisoformat(event.state["updatedAt"]),
        )
        if event.subject_id in found
        else None
        for event in events
    ]


async def upgrade_data(
    db: ReadSession, tenant_id: int, events: Sequence[StoredEvent]
) -> list[MerchantUpgradeView | None]:
    """Return each upgrade with the status that it had; credits are those available now."""
    found = await subjects.find_upgrades(db, tenant_id, _ids(events))
    return [
        _changed(
            upgrade_view(found[event.subject_id]),
            payment_status=event.state["status"],
            fulfilled=event.type is WebhookEventType.UPGRADE_SUCCEEDED,
        )
        if event.subject_id in found
        else None
        for event in events
    ]


async def alert_data(
    db: ReadSession, tenant_id: int, events: Sequence[StoredEvent]
) -> list[AlertView | None]:
    """Return each alert with the text, count and end that it had."""
    found = await subjects.find_alerts(db, tenant_id, _ids(events))
    return [
        _changed(
            alert_view(*found[event.subject_id]),
            message=event.state["message"],
            count=event.state["count"],
            resolved_at=None
            if event.state["resolvedAt"] is None
            else datetime.fromisoformat(event.state["resolvedAt"]),
        )
        if event.subject_id in found
        else None
        for event in events
    ]


async def usage_data(
    db: ReadSession, tenant_id: int, events: Sequence[StoredEvent]
) -> list[UsageFinalizedView | None]:
    """Return each day with the merchants that it has figures of; a closed day never changes."""
    views: list[UsageFinalizedView | None] = []
    for event in events:
        day = date.fromisoformat(event.state["day"])
        names = await subjects.list_merchants_of_day(db, tenant_id, day, most=_MOST_MERCHANTS)
        count = await subjects.count_merchants_of_day(db, tenant_id, day)
        views.append(UsageFinalizedView(day=day, merchants=names, merchant_count=count))
    return views


async def fixed_data(
    db: ReadSession, tenant_id: int, events: Sequence[StoredEvent]
) -> list[WebhookTestView | None]:
    """Return the fixed text of test events."""
    return [WebhookTestView(message="This is a test event.") for _ in events]


def _ids(events: Sequence[StoredEvent]) -> set[int]:
    return {event.subject_id for event in events}


def _changed(view: Any, **fields: Any) -> Any:
    """Return a view with other values, validated."""
    return type(view).model_validate({**dict(view), **fields})
