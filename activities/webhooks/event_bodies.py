"""Port: renders the bodies of events. The API implements it, because it owns the views."""

from collections.abc import Sequence
from typing import Protocol

from models.queries.webhooks.events import StoredEvent


class EventBodies(Protocol):
    """Renders what is sent to integrators."""

    async def render(self, events: Sequence[StoredEvent]) -> list[bytes | None]:
        """Return the JSON body `{id, type, createdAt, data}` of each event, in order.

        What the event has recorded is the same each time; a price, available credits and the state
        of a registration are those of now. None means that it can't be rendered: its subject does
        not exist any more, or a fault that is logged; one event never affects the others.
        """
        ...
