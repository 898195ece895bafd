"""Renders the stored events of an endpoint as the worker does."""

import json
from collections.abc import Sequence
from typing import Any

from api.services.webhooks.event_bodies import EventBodies
from models.enums import WebhookEventType, WebhookSubject
from models.queries.webhooks.events import StoredEvent
from models.session import Database
from models.tables.webhook import WebhookDelivery, WebhookEndpoint
from providers.registries import Registries
from tests.webhooks.endpoints import deliveries_of

NO_REGISTRIES = Registries([], {})


def stored(delivery: WebhookDelivery) -> StoredEvent:
    """Return the event of a delivery."""
    return StoredEvent(
        tenant_id=delivery.tenant_id,
        event_id=delivery.event_id,
        type=WebhookEventType(delivery.type),
        merchant_id=delivery.merchant_id,
        subject=WebhookSubject(delivery.subject),
        subject_id=delivery.subject_id,
        number=delivery.number,
        state=delivery.state,
        created_at=delivery.created_at,
    )


async def rendered(
    database: Database,
    deliveries: Sequence[WebhookDelivery],
    registries: Registries = NO_REGISTRIES,
) -> list[Any]:
    """Return the bodies of deliveries, parsed; None where there is none."""
    bodies = await EventBodies(database, registries).render([stored(d) for d in deliveries])
    return [None if body is None else json.loads(body) for body in bodies]


async def events_of(
    database: Database, endpoint: WebhookEndpoint, registries: Registries = NO_REGISTRIES
) -> list[Any]:
    """Return the bodies of all events of an endpoint, in the order of their rows."""
    return await rendered(database, await deliveries_of(database, endpoint), registries)
