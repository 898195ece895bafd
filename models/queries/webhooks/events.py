"""An event of the outbox, as the trigger stored it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from models.enums import WebhookEventType, WebhookSubject


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """What is known of an event before its view is rendered.

    `merchant_id` 0 means the tenant itself; `subject_id` is the row id of the subject, 0 where it
    has none. `state` holds what the rows may have lost since: status, units, codes, times.
    """

    tenant_id: int
    event_id: int
    type: WebhookEventType
    merchant_id: int
    subject: WebhookSubject
    subject_id: int
    number: int
    state: Mapping[str, Any]
    created_at: datetime
