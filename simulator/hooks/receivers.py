"""All receivers of webhooks: their behaviour and what they got, within bounds.

A receiver exists from its first webhook or from the first change of its behaviour. Webhooks are
never deduplicated. If there are too many, the oldest ones are deleted.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from simulator.hooks.behaviour import Answer, Behaviour, Mode
from simulator.hooks.received_webhook import IncomingWebhook, ReceivedWebhook
from simulator.journal import Journal, Kind

MOST_RECEIVERS: Final = 200
MOST_WEBHOOKS: Final = 1000
"""Stored webhooks of one receiver."""
MOST_BYTES: Final = 16 * 1024 * 1024
"""Stored bytes of all receivers."""
BUSY: Final = Answer(503, retry_after=1)


class TooManyReceivers(Exception):
    """Every receiver has a behaviour of its own, so that none may be deleted for a new one."""


@dataclass(slots=True)
class _Receiver:
    """One receiver; `views` are its stored webhooks by number, oldest first."""

    behaviour: Behaviour = field(default_factory=Behaviour)
    received: int = 0
    views: deque[tuple[int, bytes]] = field(default_factory=deque)

    @property
    def unused(self) -> bool:
        """Whether nothing is lost if it is deleted."""
        return not self.views and self.behaviour == Behaviour()


@dataclass(frozen=True, slots=True)
class Listing:
    """How many webhooks are stored, how many were received, and the JSON views of some."""

    count: int
    received: int
    views: list[bytes]


class Receivers:
    """Stores, verifies and decides the answer."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._receivers: dict[str, _Receiver] = {}
        self._order: OrderedDict[tuple[str, int], None] = OrderedDict()
        """Names and numbers of all stored webhooks, oldest first."""
        self._bytes = 0

    def restore(self) -> None:
        """Restore the state of an earlier run."""
        for name, document in self._journal.load(Kind.HOOK):
            self._receivers[name] = _Receiver(Behaviour.from_document(document))
        records = self._journal.load(Kind.WEBHOOK)
        webhooks = [ReceivedWebhook.from_document(document) for _, document in records]
        for webhook in sorted(webhooks, key=lambda webhook: (webhook.received_at, webhook.number)):
            self._keep(webhook)

    def behaviour(self, name: str) -> Behaviour:
        """Return the behaviour of a receiver."""
        receiver = self._receivers.get(name)
        return Behaviour() if receiver is None else receiver.behaviour

    def change(self, name: str, fields: Mapping[str, Any]) -> Behaviour:
        """Change the behaviour of a receiver.

        Raises:
            Malformed: a field is unknown or invalid.
            TooManyReceivers: there is no room for a new one.
        """
        behaviour = self.behaviour(name).changed(fields)
        self._set_behaviour(name, behaviour)
        return behaviour

    def reset(self, name: str) -> None:
        """Accept everything again, and forget the secrets."""
        if name in self._receivers:
            self._set_behaviour(name, Behaviour())

    def receive(
        self, name: str, incoming: IncomingWebhook, now: datetime, *, may_hang: bool
    ) -> Answer:
        """Store a webhook and return the answer to it.

        `may_hang` is false if too many requests wait already; then a hanging receiver is busy.

        Raises:
            TooManyReceivers: there is no room for a new one.
        """
        receiver = self._receiver(name)
        behaviour = receiver.behaviour
        busy = behaviour.mode is Mode.HANG and not may_hang
        answer = BUSY if busy else behaviour.answer
        error = incoming.verification_error(behaviour.secrets) if behaviour.secrets else None
        webhook = ReceivedWebhook(
            hook=name,
            number=receiver.received + 1,
            webhook_id=incoming.webhook_id,
            timestamp=incoming.timestamp,
            signature=incoming.signature,
            body=incoming.body.decode(errors="replace"),
            received_at=now,
            verified=error is None if behaviour.secrets else None,
            verification_error=error,
            status=answer.status,
        )
        self._journal.put(Kind.WEBHOOK, webhook.key, webhook.document())
        self._keep(webhook)
        if not busy and behaviour.times is not None:
            self._set_behaviour(name, behaviour.after_answer())
        return answer

    def listing(self, name: str, limit: int | None) -> Listing:
        """Return the stored webhooks of a receiver, newest last; with a limit the newest few."""
        receiver = self._receivers.get(name)
        if receiver is None:
            return Listing(0, 0, [])
        views = [view for _, view in receiver.views]
        first = 0 if limit is None else max(0, len(views) - limit)
        return Listing(len(views), receiver.received, views[first:])

    def empty(self, name: str) -> None:
        """Delete the stored webhooks of a receiver; its behaviour stays."""
        receiver = self._receivers.get(name)
        if receiver is not None:
            while receiver.views:
                self._delete_oldest(name)
            receiver.received = 0
            self._forget_unused(name)

    def _receiver(self, name: str) -> _Receiver:
        """Return a receiver; a new one may replace the oldest one without a behaviour."""
        if name not in self._receivers and len(self._receivers) >= MOST_RECEIVERS:
            plain = (n for n, known in self._receivers.items() if known.behaviour == Behaviour())
            oldest = next(plain, None)
            if oldest is None:
                raise TooManyReceivers
            self.empty(oldest)
        return self._receivers.setdefault(name, _Receiver())

    def _set_behaviour(self, name: str, behaviour: Behaviour) -> None:
        self._receiver(name).behaviour = behaviour
        if behaviour == Behaviour():
            self._journal.delete(Kind.HOOK, name)
        else:
            self._journal.put(Kind.HOOK, name, behaviour.document())
        self._forget_unused(name)

    def _keep(self, webhook: ReceivedWebhook) -> None:
        receiver = self._receivers.setdefault(webhook.hook, _Receiver())
        view = webhook.view()
        receiver.views.append((webhook.number, view))
        receiver.received = max(receiver.received, webhook.number)
        self._order[webhook.hook, webhook.number] = None
        self._bytes += len(view)
        if len(receiver.views) > MOST_WEBHOOKS:
            self._delete_oldest(webhook.hook)
        while self._bytes > MOST_BYTES:
            name, _ = next(iter(self._order))
            self._delete_oldest(name)
            self._forget_unused(name)

    def _delete_oldest(self, name: str) -> None:
        number, view = self._receivers[name].views.popleft()
        self._bytes -= len(view)
        del self._order[name, number]
        self._journal.delete(Kind.WEBHOOK, f"{name}/{number}")

    def _forget_unused(self, name: str) -> None:
        if self._receivers[name].unused:
            del self._receivers[name]
