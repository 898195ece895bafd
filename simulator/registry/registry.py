"""The 10DLC registry: accepts brands, campaigns, purchases and assignments, and decides later.

Requests are idempotent by the client's reference. The status of a request is computed from the
clock; no decision is stored. Only a rejected brand or campaign may be submitted again under its id,
with a new reference.
"""

import uuid
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from simulator.clock import iso
from simulator.journal import Journal, Kind
from simulator.messages.vocabulary import Code
from simulator.registry.registry_inventory import NumberType, Offer, find_offer, stock
from simulator.registry.registry_outcomes import Collection, Status, decision_of
from simulator.webhook_sender import Webhook, WebhookSender


class Declined(Exception):
    """The registry refuses a request; the code states the reason."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One valid request of any collection."""

    collection: Collection
    reference: str
    callback_url: str
    legal_name: str = ""
    amends: str | None = None
    brand: str | None = None
    campaign: str | None = None
    number: str | None = None
    """E.164 of the number to buy, else the id of the purchase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One accepted request; of an amended one, the latest submission."""

    id: str
    request: Request
    at: datetime
    turn: int = 1

    def status(self, now: datetime) -> Status:
        """Return the status at `now`."""
        decision = decision_of(self.request.collection, self.request.legal_name)
        if now < self.at + timedelta(seconds=decision.seconds):
            return Status.PENDING
        return Status.REJECTED if decision.reasons else Status.DONE

    def document(self) -> dict[str, Any]:
        """Return the JSON that `from_document` reads back unchanged."""
        fields = {name: getattr(self.request, name) for name in Request.__slots__}
        return {"request": fields, "at": self.at.isoformat(), "turn": self.turn}

    @classmethod
    def from_document(cls, id: str, document: dict[str, Any]) -> "Record":
        """Read back what `document` wrote."""
        fields = document["request"]
        request = Request(**{**fields, "collection": Collection(fields["collection"])})
        at = datetime.fromisoformat(document["at"])
        return cls(id=id, request=request, at=at, turn=document["turn"])


class Registry:
    """All registrations, and the numbers on sale."""

    def __init__(self, journal: Journal, webhook_sender: WebhookSender) -> None:
        self._journal = journal
        self._webhook_sender = webhook_sender
        self._records: dict[str, Record] = {}
        self._by_reference: dict[tuple[Collection, str], str] = {}
        self._sold: dict[str, str] = {}
        self._about: dict[str, list[str]] = defaultdict(list)

    def restore(self) -> None:
        """Restore the state of an earlier run, including unsent webhooks."""
        told = {id for id, _ in self._journal.load(Kind.REPORTED)}
        records = [Record.from_document(*entry) for entry in self._journal.load(Kind.REGISTRATION)]
        for record in sorted(records, key=lambda record: record.at):
            self._index(record)
            if f"{record.id}_{record.turn}" not in told:
                self._notify(record)

    def take(self, request: Request, now: datetime) -> Record:
        """Accept a request, or return the earlier one with its reference.

        Raises:
            Declined: the current state does not permit it.
        """
        known = self.with_reference(request.collection, request.reference)
        if known is not None:
            return known
        request = self._checked(request, now)
        record = Record(id=f"reg_{uuid.uuid4().hex}", request=request, at=now)
        if request.amends is not None:
            earlier = self._records[request.amends]
            record = replace(record, id=earlier.id, turn=earlier.turn + 1)
        self._journal.put(Kind.REGISTRATION, record.id, record.document())
        self._index(record)
        self._notify(record)
        return record

    def find(self, collection: Collection, id: str) -> Record | None:
        """Return a request by id."""
        record = self._records.get(id)
        return record if record and record.request.collection is collection else None

    def with_reference(self, collection: Collection, reference: str) -> Record | None:
        """Return a request by the client's reference."""
        id = self._by_reference.get((collection, reference))
        return None if id is None else self._records[id]

    def all(self, collection: Collection | None) -> list[Record]:
        """Return all requests, oldest first."""
        return [
            record
            for record in self._records.values()
            if collection in (None, record.request.collection)
        ]

    def offers(self, area_code: str | None, type: NumberType, limit: int) -> list[Offer]:
        """Return numbers on sale."""
        found: list[Offer] = []
        for offer in stock(area_code, type):
            if len(found) == limit:
                break
            if offer.number not in self._sold:
                found.append(offer)
        return found

    def _checked(self, request: Request, now: datetime) -> Request:
        """Return the request with the legal name that determines its outcome; raise Declined."""
        match request.collection:
            case Collection.BRANDS | Collection.CAMPAIGNS if request.amends is not None:
                self._amendable(request, now)
        match request.collection:
            case Collection.CAMPAIGNS:
                brand = self._done(Collection.BRANDS, request.brand, now, Code.BRAND_NOT_APPROVED)
                return replace(request, legal_name=brand.request.legal_name)
            case Collection.NUMBERS:
                if find_offer(request.number or "") is None or request.number in self._sold:
                    raise Declined(Code.NUMBER_UNAVAILABLE, "the number is not for sale")
            case Collection.ASSIGNMENTS:
                return self._assignable(request, now)
            case Collection.UNASSIGNMENTS | Collection.RELEASES:
                bought = self._bought(request, now)
                assigned = self._assignment(bought, now)
                if request.collection is Collection.RELEASES and assigned is not None:
                    raise Declined(Code.NUMBER_ASSIGNED, "the number is assigned to a campaign")
                if assigned is not None:
                    return replace(request, legal_name=assigned.request.legal_name)
        return request

    def _amendable(self, request: Request, now: datetime) -> None:
        earlier = self.find(request.collection, request.amends or "")
        if earlier is None or earlier.status(now) is not Status.REJECTED:
            raise Declined(Code.NOT_AMENDABLE, "only what was rejected can be amended")

    def _assignable(self, request: Request, now: datetime) -> Request:
        campaign = self._done(
            Collection.CAMPAIGNS, request.campaign, now, Code.CAMPAIGN_NOT_APPROVED
        )
        if self._assignment(self._bought(request, now), now) is not None:
            raise Declined(Code.NUMBER_ASSIGNED, "the number is assigned to a campaign")
        return replace(request, legal_name=campaign.request.legal_name)

    def _done(self, collection: Collection, id: str | None, now: datetime, code: Code) -> Record:
        record = self.find(collection, id or "")
        if record is None or record.status(now) is not Status.DONE:
            raise Declined(code, "there is no such approved registration")
        return record

    def _bought(self, request: Request, now: datetime) -> Record:
        bought = self._done(Collection.NUMBERS, request.number, now, Code.NUMBER_UNAVAILABLE)
        if any(r.request.collection is Collection.RELEASES for r in self._of(bought.id)):
            raise Declined(Code.NUMBER_UNAVAILABLE, "the number was given back")
        return bought

    def _assignment(self, bought: Record, now: datetime) -> Record | None:
        """Return the current or pending assignment; None if there is none."""
        last = [r for r in self._of(bought.id) if r.request.collection is not Collection.RELEASES]
        if not last or last[-1].request.collection is Collection.UNASSIGNMENTS:
            return None
        return None if last[-1].status(now) is Status.REJECTED else last[-1]

    def _of(self, number_id: str) -> list[Record]:
        return [self._records[id] for id in self._about[number_id]]

    def _index(self, record: Record) -> None:
        request = record.request
        self._records[record.id] = record
        self._by_reference[request.collection, request.reference] = record.id
        if request.collection is Collection.NUMBERS:
            self._sold[request.number or ""] = record.id
        elif request.number is not None:
            self._about[request.number].append(record.id)

    def _notify(self, record: Record) -> None:
        """Schedule the webhook of the decision; it contains no status, which must be looked up."""
        event = f"{record.id}_{record.turn}"
        request = record.request
        decision = decision_of(request.collection, request.legal_name)
        due = record.at + timedelta(seconds=decision.seconds)
        payload = {
            "eventId": event,
            "type": "registration",
            "collection": request.collection,
            "id": record.id,
            "reference": request.reference,
            "at": iso(due),
        }
        on_delivered = partial(self._journal.put, Kind.REPORTED, event, {})
        self._webhook_sender.send([Webhook(request.callback_url, payload, due)], on_delivered)
