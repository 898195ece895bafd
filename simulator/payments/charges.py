"""Charges: the table of payment methods, and the timeline of a charge as a pure function of it.

`METHODS` corresponds to SIMULATOR.md line by line. As for messages, the end of a charge is not
stored: the method, the time of creation and the time of cancellation determine its status at any
time and the events posted to its callback URL.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from simulator.messages.submission import Malformed, required_text, required_url

LATER_SECONDS = 3.0
"""Seconds until delayed statuses are reached."""


class ChargeStatus(StrEnum):
    """Status of a charge."""

    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    FAILED = "failed"
    CANCELED = "canceled"


class Reversal(StrEnum):
    """Reversal of a charge after it succeeded."""

    REFUNDED = "refunded"
    DISPUTED = "disputed"
    DISPUTE_WON = "dispute_won"
    DISPUTE_LOST = "dispute_lost"


OPEN = frozenset({ChargeStatus.PROCESSING, ChargeStatus.REQUIRES_ACTION})
"""Statuses in which a charge may still succeed, and can be canceled."""

ERRORS = {
    ChargeStatus.DECLINED: "card_declined",
    ChargeStatus.FAILED: "payment_failed",
    ChargeStatus.CANCELED: "canceled",
}
"""Why a charge failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One row of the table: the initial and the final status of a charge."""

    first: ChargeStatus = ChargeStatus.SUCCEEDED
    last: ChargeStatus | None = None
    silent: bool = False
    """The charge is made, but no response is sent."""
    extra_cents: int = 0
    """Charged in addition to the requested amount."""
    refundable: bool = True
    """Whether a requested refund succeeds."""
    reversals: tuple[Reversal, ...] = ()
    """What the gateway does by itself after the charge succeeded, in sequence."""
    refunded_percent: int = 100
    """Percentage of the charge that the reversal `refunded` returns."""


ORDINARY = Method()

METHODS: dict[str, Method] = {
    "pm_slow": Method(first=ChargeStatus.PROCESSING, last=ChargeStatus.SUCCEEDED),
    "pm_declined": Method(first=ChargeStatus.DECLINED),
    "pm_action": Method(first=ChargeStatus.REQUIRES_ACTION, last=ChargeStatus.SUCCEEDED),
    "pm_action_abandoned": Method(first=ChargeStatus.REQUIRES_ACTION),
    "pm_timeout_charged": Method(silent=True),
    "pm_fails_later": Method(first=ChargeStatus.PROCESSING, last=ChargeStatus.FAILED),
    "pm_other_amount": Method(extra_cents=1),
    "pm_other_amount_kept": Method(extra_cents=1, refundable=False),
    "pm_refund_refused": Method(refundable=False),
    "pm_refunded_later": Method(reversals=(Reversal.REFUNDED,)),
    "pm_partly_refunded_later": Method(reversals=(Reversal.REFUNDED,), refunded_percent=50),
    "pm_disputed": Method(reversals=(Reversal.DISPUTED,)),
    "pm_dispute_won": Method(reversals=(Reversal.DISPUTED, Reversal.DISPUTE_WON)),
    "pm_dispute_lost": Method(reversals=(Reversal.DISPUTED, Reversal.DISPUTE_LOST)),
}
"""Payment methods by paymentMethodId."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """A client's request for a charge."""

    reference: str
    amount_cents: int
    currency: str
    payment_method_id: str
    callback_url: str

    @property
    def method(self) -> Method:
        """The row of its payment method."""
        return METHODS.get(self.payment_method_id, ORDINARY)

    def document(self) -> dict[str, Any]:
        """Return the JSON that `parse_charge_request` reads back unchanged."""
        return {
            "reference": self.reference,
            "amountCents": self.amount_cents,
            "currency": self.currency,
            "paymentMethodId": self.payment_method_id,
            "callbackUrl": self.callback_url,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One charge that was made under an idempotency key; it ends after `later` seconds."""

    id: str
    key: str
    order: ChargeRequest
    made_at: datetime
    later: float
    canceled_at: datetime | None = None

    @property
    def amount_cents(self) -> int:
        """The charged amount, which may differ from the requested one."""
        return self.order.amount_cents + self.order.method.extra_cents

    def document(self) -> dict[str, Any]:
        """Return the JSON that `from_document` reads back unchanged."""
        return {
            "key": self.key,
            "order": self.order.document(),
            "madeAt": self.made_at.isoformat(),
            "later": self.later,
            "canceledAt": None if self.canceled_at is None else self.canceled_at.isoformat(),
        }

    @classmethod
    def from_document(cls, id: str, document: dict[str, Any]) -> "Charge":
        """Read back what `document` wrote."""
        canceled_at = document["canceledAt"]
        return cls(
            id=id,
            key=document["key"],
            order=parse_charge_request(document["order"]),
            made_at=datetime.fromisoformat(document["madeAt"]),
            later=document["later"],
            canceled_at=None if canceled_at is None else datetime.fromisoformat(canceled_at),
        )


@dataclass(frozen=True, slots=True)
class Event:
    """A status of a charge, and its time."""

    id: str
    status: ChargeStatus | Reversal
    at: datetime


def events(charge: Charge) -> list[Event]:
    """Return all events of a charge, past and future, oldest first."""
    return [Event(f"evt_{charge.id}_{status}", status, at) for status, at in _steps(charge)]


def _steps(charge: Charge) -> list[tuple[ChargeStatus, datetime]]:
    method = charge.order.method
    steps = [(method.first, charge.made_at)]
    if charge.canceled_at is not None:
        steps.append((ChargeStatus.CANCELED, charge.canceled_at))
    elif method.last is not None:
        steps.append((method.last, charge.made_at + timedelta(seconds=charge.later)))
    return steps


def reversals(charge: Charge) -> list[Event]:
    """Return all reversals of a charge after it succeeded, oldest first."""
    last = _steps(charge)[-1]
    if last[0] is not ChargeStatus.SUCCEEDED:
        return []
    return [
        Event(f"evt_{charge.id}_{status}", status, last[1] + timedelta(seconds=n * charge.later))
        for n, status in enumerate(charge.order.method.reversals, start=1)
    ]


def reversed_cents(charge: Charge, now: datetime) -> int:
    """Return how much of a charge the gateway has refunded by itself."""
    done = [event.status for event in reversals(charge) if event.at <= now]
    if Reversal.REFUNDED not in done:
        return 0
    return charge.amount_cents * charge.order.method.refunded_percent // 100


def status_at(charge: Charge, now: datetime) -> ChargeStatus:
    """Return the status of a charge at `now`."""
    first, *later = _steps(charge)
    return next((status for status, at in reversed(later) if at <= now), first[0])


def parse_charge_request(fields: Mapping[str, Any]) -> ChargeRequest:
    """Parse the fields of a decoded JSON body.

    Raises:
        Malformed: a field is missing or invalid.
    """
    amount = fields.get("amountCents")
    if not isinstance(amount, int) or isinstance(amount, bool) or amount < 1:
        raise Malformed("amountCents must be a positive whole number")
    return ChargeRequest(
        reference=required_text(fields, "reference"),
        amount_cents=amount,
        currency=required_text(fields, "currency"),
        payment_method_id=required_text(fields, "paymentMethodId"),
        callback_url=required_url(fields, "callbackUrl"),
    )
