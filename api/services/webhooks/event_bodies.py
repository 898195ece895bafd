"""Renders the bodies of events for the worker that delivers them (`activities/webhooks`)."""

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from api.schemas.base import View
from api.schemas.webhook_events import EVENT_SCHEMAS
from api.services.registration.status import MessagingStatus
from api.services.webhooks import event_views
from models.enums import WebhookSubject
from models.errors import TemporarilyUnavailable
from models.queries.tenants.visibility import CallerScope
from models.queries.webhooks.events import StoredEvent
from models.queries.webhooks.subjects import find_merchant_names
from models.rules.system.failures import caused_by_input
from models.session import Database, ReadSession
from providers.registries import Registries

log = logging.getLogger(__name__)

_Render: TypeAlias = Callable[
    [ReadSession, int, Sequence[StoredEvent]], Awaitable[Sequence[View | None]]
]

_BY_SUBJECT: Final[dict[WebhookSubject, _Render]] = {
    WebhookSubject.MESSAGE: event_views.message_data,
    WebhookSubject.INBOUND: event_views.inbound_data,
    WebhookSubject.CONSENT: event_views.consent_data,
    WebhookSubject.UPGRADE: event_views.upgrade_data,
    WebhookSubject.USAGE: event_views.usage_data,
    WebhookSubject.ALERT: event_views.alert_data,
    WebhookSubject.TEST: event_views.fixed_data,
}
"""How subjects are rendered; COMPLIANCE needs the registries (`EventBodies._compliance_data`)."""


class EventBodies:
    """Renders events with the views of the API."""

    def __init__(self, database: Database, registries: Registries) -> None:
        self._database = database
        self._status = MessagingStatus(database, registries)

    async def render(self, events: Sequence[StoredEvent]) -> list[bytes | None]:
        """Return the JSON body of each event, in order; the events are of one tenant.

        None means that it can't be rendered, because its subject is gone or because of a fault,
        which is logged without its data. A fault of infrastructure, such as a lost connection,
        concerns all events: it is raised, and the step is retried.
        """
        by_subject: defaultdict[WebhookSubject, list[int]] = defaultdict(list)
        for place, event in enumerate(events):
            by_subject[event.subject].append(place)
        bodies: list[bytes | None] = [None] * len(events)
        for subject, places in by_subject.items():
            rendered = await self._render(subject, [events[place] for place in places])
            for place, body in zip(places, rendered, strict=True):
                bodies[place] = body
        return bodies

    async def _render(
        self, subject: WebhookSubject, events: Sequence[StoredEvent]
    ) -> list[bytes | None]:
        """Return the bodies of events of one kind of subject; a fault affects only its event."""
        try:
            data = await self._read(subject, events)
            return [
                None if view is None else _body(event, view)
                for event, view in zip(events, data, strict=True)
            ]
        except Exception as fault:
            if not caused_by_input(fault):
                raise
            if len(events) == 1:
                _log_fault(events[0], fault)
                return [None]
        return [body for event in events for body in await self._render(subject, [event])]

    async def _read(
        self, subject: WebhookSubject, events: Sequence[StoredEvent]
    ) -> Sequence[View | None]:
        if subject is WebhookSubject.COMPLIANCE:
            return [await self._compliance_data(event) for event in events]
        async with self._database.read() as db:
            return await _BY_SUBJECT[subject](db, events[0].tenant_id, events)

    async def _compliance_data(self, event: StoredEvent) -> View | None:
        """Return the merchant's 10DLC status as it is now."""
        async with self._database.read() as db:
            names = await find_merchant_names(db, event.tenant_id, [event.merchant_id])
        if event.merchant_id not in names:
            return None
        scope = CallerScope(tenant_id=event.tenant_id, merchant_id=None)
        try:
            return await self._status.get(scope, names[event.merchant_id])
        except TemporarilyUnavailable as fault:
            # No registry is configured for the tenant any more: a retry would hold up all events.
            _log_fault(event, fault)
            return None


def _body(event: StoredEvent, view: View) -> bytes:
    body = EVENT_SCHEMAS[event.type](
        id=str(event.event_id), type=event.type, created_at=event.created_at, data=view
    )
    return body.model_dump_json().encode()


def _log_fault(event: StoredEvent, fault: Exception) -> None:
    log.error(
        "an event for webhooks can't be rendered",
        extra={
            "tenant_id": event.tenant_id,
            "event_id": event.event_id,
            "type": event.type,
            "fault": type(fault).__name__,
        },
    )
