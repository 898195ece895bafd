"""The payment gateway: charges and refunds, idempotent by key, with webhooks."""

import asyncio
import random
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from simulator.clock import iso, utc_now
from simulator.journal import Journal, Kind
from simulator.payments.charges import (
    ERRORS,
    OPEN,
    Charge,
    ChargeRequest,
    ChargeStatus,
    Event,
    Reversal,
    events,
    reversals,
    reversed_cents,
    status_at,
)
from simulator.webhook_sender import Webhook, WebhookSender


class KeyReused(Exception):
    """The idempotency key belongs to a different request."""


class RefundRefused(Exception):
    """The payment method prescribes that refunds fail."""


class NotRefundable(Exception):
    """The charge did not succeed, or is refunded already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund."""

    id: str
    key: str
    charge_id: str
    reference: str
    made_at: datetime

    def document(self) -> dict[str, Any]:
        """Return the JSON that `from_document` reads back unchanged."""
        return {
            "key": self.key,
            "chargeId": self.charge_id,
            "reference": self.reference,
            "madeAt": self.made_at.isoformat(),
        }

    @classmethod
    def from_document(cls, id: str, document: dict[str, Any]) -> "Refund":
        """Read back what `document` wrote."""
        return cls(
            id=id,
            key=document["key"],
            charge_id=document["chargeId"],
            reference=document["reference"],
            made_at=datetime.fromisoformat(document["madeAt"]),
        )


class Gateway:
    """All charges and refunds; no key is charged or refunded twice."""

    def __init__(
        self,
        journal: Journal,
        webhook_sender: WebhookSender,
        report_delay: tuple[float, float],
        charge_delay: float,
    ) -> None:
        self._journal = journal
        self._webhook_sender = webhook_sender
        self._report_delay = report_delay
        self._charge_delay = charge_delay
        self._charges: dict[str, Charge] = {}
        self._by_key: dict[str, str] = {}
        self._by_reference: dict[str, list[str]] = defaultdict(list)
        self._refunds: dict[str, Refund] = {}
        self._refunded: set[str] = set()
        self._reported: set[str] = set()
        self._later: set[asyncio.Task[None]] = set()

    def restore(self) -> None:
        """Restore the state of an earlier run, including unsent events."""
        self._reported = {id for id, _ in self._journal.load(Kind.REPORTED)}
        charges = [Charge.from_document(*record) for record in self._journal.load(Kind.CHARGE)]
        for charge in sorted(charges, key=lambda charge: charge.made_at):
            self._keep(charge)
            self._tell_later(charge)
        refunds = [Refund.from_document(*record) for record in self._journal.load(Kind.REFUND)]
        for refund in sorted(refunds, key=lambda refund: refund.made_at):
            self._give_back(refund)

    async def close(self) -> None:
        """Drop future events; unsent ones are in the journal."""
        later = list(self._later)
        for task in later:
            task.cancel()
        await asyncio.gather(*later, return_exceptions=True)

    def charge(self, key: str, order: ChargeRequest, now: datetime) -> Charge:
        """Make a charge, or return the earlier one with this key.

        Raises:
            KeyReused: the key belongs to another request.
        """
        known = self._by_key.get(key)
        if known is not None:
            charge = self._charges[known]
            if charge.order != order:
                raise KeyReused
            return charge
        charge = Charge(
            id=f"ch_{uuid.uuid4().hex}",
            key=key,
            order=order,
            made_at=now,
            later=self._charge_delay,
        )
        self._journal.put(Kind.CHARGE, charge.id, charge.document())
        self._keep(charge)
        self._tell_later(charge)
        return charge

    def find(self, id: str) -> Charge | None:
        """Return a charge by id."""
        return self._charges.get(id)

    def with_reference(self, reference: str) -> Sequence[Charge]:
        """Return the charges with a client's reference, oldest first."""
        return [self._charges[id] for id in self._by_reference.get(reference, ())]

    def cancel(self, charge: Charge, now: datetime) -> Charge:
        """Cancel an open charge; any other is unchanged."""
        if status_at(charge, now) not in OPEN:
            return charge
        canceled = replace(charge, canceled_at=now)
        self._journal.put(Kind.CHARGE, canceled.id, canceled.document())
        self._charges[canceled.id] = canceled
        self._tell_later(canceled)
        return canceled

    def refund(self, key: str, charge: Charge, now: datetime) -> Refund:
        """Refund a charge, or return the earlier refund with this key.

        Raises:
            KeyReused: the key belongs to the refund of another charge.
            NotRefundable: there is no money to refund.
        """
        known = self._refunds.get(key)
        if known is not None:
            if known.charge_id != charge.id:
                raise KeyReused
            return known
        if status_at(charge, now) is not ChargeStatus.SUCCEEDED or self.refunded(charge, now):
            raise NotRefundable
        if not charge.order.method.refundable:
            raise RefundRefused
        refund = Refund(
            id=f"re_{uuid.uuid4().hex}",
            key=key,
            charge_id=charge.id,
            reference=charge.order.reference,
            made_at=now,
        )
        self._journal.put(Kind.REFUND, refund.id, refund.document())
        self._give_back(refund)
        return refund

    def refunded(self, charge: Charge, now: datetime) -> bool:
        """Return whether a charge was refunded."""
        by_itself = reversed_cents(charge, now) >= charge.amount_cents
        return by_itself or charge.id in self._refunded

    def charges(self) -> list[Charge]:
        """Return all charges, newest last."""
        return list(self._charges.values())

    def refunds(self) -> list[Refund]:
        """Return all refunds, newest last."""
        return list(self._refunds.values())

    def _keep(self, charge: Charge) -> None:
        self._charges[charge.id] = charge
        self._by_key[charge.key] = charge.id
        self._by_reference[charge.order.reference].append(charge.id)

    def _give_back(self, refund: Refund) -> None:
        self._refunds[refund.key] = refund
        self._refunded.add(refund.charge_id)

    def _tell_later(self, charge: Charge) -> None:
        for event in [*events(charge), *reversals(charge)]:
            if event.status is not ChargeStatus.PROCESSING and event.id not in self._reported:
                self._reported.add(event.id)
                task = asyncio.get_running_loop().create_task(self._tell(charge.id, event))
                self._later.add(task)
                task.add_done_callback(self._later.discard)

    async def _tell(self, id: str, event: Event) -> None:
        """Schedule the webhook of an event, unless the charge is canceled before it."""
        delay = timedelta(seconds=random.uniform(*self._report_delay))  # noqa: S311 - no secret
        due = event.at + delay
        await asyncio.sleep(max(0.0, (due - utc_now()).total_seconds()))
        charge = self._charges[id]
        if event in [*events(charge), *reversals(charge)]:
            webhook = Webhook(charge.order.callback_url, event_payload(charge, event), due)
            self._webhook_sender.send(
                [webhook], partial(self._journal.put, Kind.REPORTED, event.id, {})
            )


def charge_view(charge: Charge, now: datetime) -> dict[str, Any]:
    """Return the view of a charge in the vendor's API."""
    status = status_at(charge, now)
    shown = {**payment_view(charge, now), "errorCode": ERRORS.get(status)}
    return shown | {"nextActionUrl": _action_url(charge, status)}


def payment_view(charge: Charge, now: datetime) -> dict[str, Any]:
    """Return the view of a charge in the simulator's own list."""
    return {
        "id": charge.id,
        "reference": charge.order.reference,
        "amountCents": charge.amount_cents,
        "currency": charge.order.currency,
        "status": status_at(charge, now),
        "at": iso(charge.made_at),
    }


def refund_view(refund: Refund, charge: Charge) -> dict[str, Any]:
    """Return the view of a refund, which covers the whole rest of a charge at once."""
    left = charge.amount_cents - reversed_cents(charge, refund.made_at)
    return {
        "id": refund.id,
        "reference": refund.reference,
        "amountCents": left,
        "currency": charge.order.currency,
        "status": "succeeded",
        "at": iso(refund.made_at),
    }


def event_payload(charge: Charge, event: Event) -> dict[str, Any]:
    """Return the body of a webhook."""
    told = {
        "eventId": event.id,
        "chargeId": charge.id,
        "reference": charge.order.reference,
        "currency": charge.order.currency,
        "status": event.status,
        "at": iso(event.at),
    }
    if isinstance(event.status, Reversal):
        refunded = event.status is Reversal.REFUNDED
        cents = reversed_cents(charge, event.at) if refunded else 0
        return told | {"type": "reversal", "refundedCents": cents}
    return told | {
        "type": "charge",
        "amountCents": charge.amount_cents,
        "errorCode": ERRORS.get(event.status),
        "nextActionUrl": _action_url(charge, event.status),
    }


def _action_url(charge: Charge, status: ChargeStatus) -> str | None:
    acts = status is ChargeStatus.REQUIRES_ACTION
    return f"https://payments.example/actions/{charge.id}" if acts else None
