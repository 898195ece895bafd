"""The port of payment gateways, and the closed set of their answers.

An adapter never retries and never raises for a business outcome. Every call that moves money has a
key of ours, and the gateway must be idempotent by key.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from models.enums import ChargeState, DeliveryMode, ReversalState
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered, Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest:
    """One amount to charge. The payment method is excluded from repr, so from logs."""

    reference: str
    """Ours; also the idempotency key of the charge."""
    amount_cents: int
    currency: str
    payment_method_id: str = field(repr=False)
    callback_url: str
    not_after: datetime
    """Deadline: no byte is written after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The gateway has the charge, with this status: succeeded, declined or pending.

    Amount and currency are those that the gateway reports, not the requested ones: a charge of
    another amount must be detected.
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
    """A gateway's webhook about a charge, under our reference."""

    event_id: str
    reference: str
    reported_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalReport:
    """A webhook's event about a charge after it succeeded, under our reference.

    `refunded_cents` is the total refunded of the charge so far, by anyone, in `currency`; 0 if the
    event is about a dispute.
    """

    event_id: str
    reference: str
    charge_id: str
    state: ReversalState
    refunded_cents: int
    currency: str
    reported_at: datetime


PaymentReport: TypeAlias = ChargeReport | ReversalReport
"""Possible events of a gateway's webhooks."""

VerifyPayments: TypeAlias = Callable[[Webhook], Awaitable[Sequence[PaymentReport]]]
"""Verifies a webhook and reads its events; none if it holds none of interest.

Raises ForgedWebhook for a wrong signature, and ValueError, KeyError or TypeError for a body that
cannot be read although its signature is right.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunded:
    """The charge is refunded, now or earlier; `refund_id` is None if the gateway does not report
    it.
    """

    refund_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRefused:
    """The gateway refuses the refund: an operator must look at it."""

    provider_code: str


ChargeAnswer: TypeAlias = Charge | NotProcessed | Ambiguous
"""Answers to charging and canceling; a canceled charge may turn out to have succeeded."""

ChargeLookUp: TypeAlias = Charge | NotFound | Unanswered

RefundAnswer: TypeAlias = Refunded | RefundRefused | NotProcessed | Ambiguous


class PaymentGateway(Protocol):
    """A vendor that charges and refunds."""

    @property
    def name(self) -> str:
        """The gateway's name in rows and callback URLs."""
        ...

    @property
    def timeout(self) -> timedelta:
        """Timeout of one call."""
        ...

    @property
    def absence_window(self) -> timedelta:
        """How long after a request's deadline NotFound proves absence."""
        ...

    async def charge(self, request: ChargeRequest) -> ChargeAnswer:
        """Charge once per reference; never writes after the request's deadline."""
        ...

    async def look_up(self, reference: str) -> ChargeLookUp:
        """Return the status of the charge with a reference."""
        ...

    async def cancel(self, charge_id: str) -> ChargeAnswer:
        """Cancel an open charge, and return its status."""
        ...

    async def refund(self, charge_id: str, key: str) -> RefundAnswer:
        """Refund a charge in full, once per key."""
        ...


class Gateways:
    """The gateways of this installation, by delivery mode."""

    def __init__(self, by_mode: Mapping[DeliveryMode, PaymentGateway]) -> None:
        self._by_mode = by_mode

    def of(self, mode: DeliveryMode) -> PaymentGateway | None:
        """Return the gateway of tenants in this mode; None if there is none."""
        return self._by_mode.get(mode)

    def find(self, name: str) -> PaymentGateway | None:
        """Return the gateway with a name; None if this worker has none."""
        return next((one for one in self._by_mode.values() if one.name == name), None)
