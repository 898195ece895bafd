"""What every payment gateway's adapter looks like from inside, and the closed set of its answers.

An adapter never retries and never raises for a business outcome. Whatever moves money carries a key
of ours, and the gateway moves it once per key, however often it is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from models.enums import ChargeState, DeliveryMode, ReversalState
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """One amount to take. The payment method is in no repr, so in no log."""

    reference: str
    """Ours; also the key under which it is charged once."""
    amount_cents: int
    currency: str
    payment_method_id: str = field(repr=False)
    callback_url: str
    not_after: datetime
    """No byte is written after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The gateway has the charge, and this is how it stands: taken, declined, under way.

    Amount and currency are those the gateway tells, never those it was asked for: a charge of
    another amount is not the one that was ordered.
    """

    charge_id: str
    state: ChargeState
    amount_cents: int
    currency: str
    """ISO 4217, in capitals."""
    provider_code: str | None = None
    next_action_url: str | None = None
    """Where the payer completes a charge that needs action."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeReport(Charge):
    """What a gateway's webhook tells of a charge, under our reference."""

    event_id: str
    reference: str
    reported_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalReport:
    """A webhook's event about a charge after it succeeded, under our reference.

    `refunded_cents` is all that was refunded of the charge so far, whoever had it refunded, in
    `currency`; 0 if the event is about a dispute.
    """

    event_id: str
    reference: str
    charge_id: str
    state: ReversalState
    refunded_cents: int
    currency: str
    reported_at: datetime


PaymentReport: TypeAlias = ChargeReport | ReversalReport
"""What a gateway's webhook may tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """The money was given back, now or before; `refund_id` is None where it is not told."""

    refund_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRefused:
    """The gateway will not give it back by itself: somebody has to look."""

    provider_code: str


ChargeAnswer: TypeAlias = Charge | NotProcessed | Ambiguous
"""To charging and to canceling; a canceled charge may turn out to have succeeded."""

ChargeLookUp: TypeAlias = Charge | NotFound | Unanswered

RefundAnswer: TypeAlias = Refunded | RefundRefused | NotProcessed | Ambiguous


class PaymentGateway(Protocol):
    """A vendor that takes money and gives it back."""

    @property
    def name(self) -> str:
        """The word for this gateway in rows and callback addresses."""
        ...

    @property
    def timeout(self) -> timedelta:
        """The budget of one call."""
        ...

    @property
    def absence_window(self) -> timedelta:
        """How long after a request's deadline its absence is sure."""
        ...

    async def charge(self, request: ChargeRequest) -> ChargeAnswer:
        """Take money once per reference; never writes after the request's deadline."""
        ...

    async def look_up(self, reference: str) -> ChargeLookUp:
        """Ask how the charge of a reference stands."""
        ...

    async def cancel(self, charge_id: str) -> ChargeAnswer:
        """Cancel a charge that has not ended, and say how it stands then."""
        ...

    async def refund(self, charge_id: str, key: str) -> RefundAnswer:
        """Give all of a charge back, once per key."""
        ...


class Gateways:
    """The gateways of this installation, by who uses them."""

    def __init__(self, by_mode: Mapping[DeliveryMode, PaymentGateway]) -> None:
        self._by_mode = by_mode

    def of(self, mode: DeliveryMode) -> PaymentGateway | None:
        """Return who takes the money of a tenant; None if nobody does."""
        return self._by_mode.get(mode)

    def find(self, name: str) -> PaymentGateway | None:
        """Return the gateway of a name; None if this worker has none."""
        return next((one for one in self._by_mode.values() if one.name == name), None)
