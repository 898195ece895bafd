"""The lines of a page that are ready to be decided, and the counting of their destinations."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from api.http.idempotency import IdempotentRequest
from models.errors import HexavoxError
from models.queries.messages import destinations
from models.queries.messages.acceptance import NewMessage
from models.queries.messages.batches.pages import FoundBatch
from models.queries.messages.destinations import Destination, Place
from models.rules.messages.destination_limits import SendTimes
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedLine:
    """A line with its permitted message, or why it is refused unless its key is known."""

    line: int
    request: IdempotentRequest
    message: NewMessage | None = None
    refused: HexavoxError | None = None


@dataclass(slots=True, kw_only=True)
class LockedDestinations:
    """When the limited destinations of a page's messages were sent to, under their locks."""

    times: dict[Place, SendTimes] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    """Contact keys that are not counted for a prefix."""

    def wait(self, message: NewMessage) -> int:
        """Return 0 if a message is within every limit, else the seconds until one is."""
        for destination in self._counted(message):
            wait = self.times[destination.place].wait(destination.limits, message.accepted_at)
            if wait:
                return wait
        return 0

    def count(self, message: NewMessage) -> None:
        """Count a message that is accepted."""
        for destination in self._counted(message):
            self.times[destination.place].count(destination.limits, message.accepted_at)
        self.known.add(message.contact_key)

    def _counted(self, message: NewMessage) -> list[Destination]:
        is_known = message.contact_key in self.known
        return [d for d in message.destinations if not (is_known and d.merchant_id)]

    async def write(self, db: WriteSession, tenant_id: int) -> None:
        """Write what was counted."""
        if self.times:
            await destinations.write_windows(db, tenant_id, self.times)


async def lock_destinations(
    db: WriteSession, batch: FoundBatch, messages: Sequence[NewMessage]
) -> LockedDestinations:
    """Lock the limited destinations of messages; reads nothing where there are no limits."""
    places = {d.place for message in messages for d in message.destinations}
    if not places:
        return LockedDestinations()
    times = await destinations.lock_windows(db, batch.tenant_id, places, messages[0].accepted_at)
    known = await destinations.known_recipients(
        db,
        tenant_id=batch.tenant_id,
        merchant_id=batch.merchant_id,
        contact_keys={message.contact_key for message in messages},
    )
    return LockedDestinations(times=times, known=known)
