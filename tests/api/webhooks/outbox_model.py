"""A naive model of the outbox: which deliveries endpoints have, and when the next attempt is."""

from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import count


class Due(Enum):
    """When the next attempt of a delivery is."""

    NOW = auto()
    LATER = auto()
    NEVER = auto()
    """It has ended, or waits for an earlier event of its message."""


@dataclass(slots=True, eq=False)
class Delivery:
    """One event at one endpoint."""

    subject: str
    number: int
    type: str
    status: str
    due: Due
    attempts: int = 0
    later: int = 0
    """Order of the times of next attempts that are in the future."""

    @property
    def is_pending(self) -> bool:
        """Return whether it has not ended."""
        return self.status == "PENDING"

    def seen(self) -> tuple[str, str, int, Due]:
        """Return what the API shows of it."""
        return self.type, self.status, self.attempts, self.due


@dataclass(slots=True)
class Endpoint:
    """An endpoint and its deliveries, the oldest first."""

    merchant: str | None
    events: list[str]
    active: bool
    deliveries: list[Delivery] = field(default_factory=list)
    ticks: "count[int]" = field(default_factory=count)

    def record(self, merchant: str, subject: str, number: int, type: str) -> None:
        """Record an event if it is for this endpoint."""
        if self.merchant not in (None, merchant) or (self.events and type not in self.events):
            return
        due = Due.NEVER if self._pending(subject) or not self.active else Due.NOW
        status = "PENDING" if self.active else "FAILED"
        self.deliveries.append(Delivery(subject, number, type, status, due))

    def test(self) -> bool:
        """Record a test event; False if the endpoint is inactive."""
        if self.active:
            subject = f"test {next(self.ticks)}"
            self.deliveries.append(Delivery(subject, 1, "webhook.test", "PENDING", Due.NOW))
        return self.active

    def end(self, delivery: Delivery, status: str) -> None:
        """Write the outcome of an attempt; PENDING means that another one is made later."""
        delivery.attempts += 1
        delivery.status = status
        if delivery.is_pending:
            delivery.due, delivery.later = Due.LATER, next(self.ticks)
            return
        delivery.due = Due.NEVER
        waiting = self._pending(delivery.subject)
        if waiting and waiting[0].due is Due.NEVER:
            waiting[0].due = Due.NOW

    def is_blocked(self, delivery: Delivery) -> bool:
        """Return whether an earlier event of the message is pending."""
        return self._pending(delivery.subject)[0] is not delivery

    def deactivate(self) -> None:
        """Make the endpoint inactive; one pending delivery is due, so that the worker looks."""
        self.active = False
        order = {Due.NOW: 0, Due.LATER: 1, Due.NEVER: 2}
        pending = [delivery for delivery in self.deliveries if delivery.is_pending]
        if pending:
            first = min(pending, key=lambda one: (order[one.due], one.later))
            first.due = Due.NOW

    def fail_pending(self) -> None:
        """Fail what is pending at an inactive endpoint."""
        for delivery in self.deliveries:
            if delivery.is_pending:
                delivery.status, delivery.due = "FAILED", Due.NEVER

    def redeliver(self, chosen: list[Delivery]) -> None:
        """Make deliveries pending again, in the order of each message."""
        for delivery in chosen:
            delivery.status, delivery.attempts, delivery.due = "PENDING", 0, Due.NEVER
        for subject in {delivery.subject for delivery in chosen}:
            first = self._pending(subject)[0]
            if first in chosen:
                first.due = Due.NOW

    def _pending(self, subject: str) -> list[Delivery]:
        pending = [one for one in self.deliveries if one.subject == subject and one.is_pending]
        return sorted(pending, key=lambda one: one.number)
