"""Laws of the events of messages, checked after random histories."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from models.enums import MessageStatus, WebhookSubject
from models.tables.webhook import WebhookDelivery

_UNTOLD = {MessageStatus.QUEUED, MessageStatus.SCHEDULED, MessageStatus.SENDING}


def check_events(messages: Mapping[int, Any], deliveries: Sequence[WebhookDelivery]) -> None:
    """Check that the events of each message tell its way to its status, each step once, in order.

    The deliveries are those of one endpoint for all events, in the order of their ids; nothing was
    delivered yet.
    """
    told: defaultdict[int, list[WebhookDelivery]] = defaultdict(list)
    for delivery in deliveries:
        if delivery.subject == WebhookSubject.MESSAGE:
            told[delivery.subject_id].append(delivery)
    assert told.keys() == messages.keys(), "a message without events, or events without a message"
    for id, events in told.items():
        message, types = messages[id], [event.type.removeprefix("message.") for event in events]
        assert types[0] == "accepted", types
        assert len(set(types)) == len(types), f"a step was told twice: {types}"
        numbers = [event.number for event in events]
        assert numbers == sorted(set(numbers)), numbers
        last = "accepted" if message.status in _UNTOLD else message.status.lower()
        assert types[-1] == last, f"{types} end as {message.status}"
        assert ("unknown" in types[:-1]) <= (message.corrected_at is not None), types
        assert [event.due_at is not None for event in events] == [True] + [False] * len(types[1:])
        assert events[-1].state["billedUnits"] <= message.billed_units
