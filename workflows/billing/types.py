"""What the purchase of credits tells Temporal: ids, words and times.

No payment method, amount or reference of the integrator's.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.enums import PaymentStatus
from models.rules.billing.payments import Duty
from models.rules.waits import PaymentWaits


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeInput:
    """One accepted order of credits to carry to its end."""

    tenant_id: int
    payment_id: int
    accepted_at: datetime
    waits: PaymentWaits
    public_id: int = 0
    """Of the payment, for logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeStep:
    """For which payment something is to be done."""

    tenant_id: int
    payment_id: int
    public_id: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentProgress:
    """How a payment stands after a step, and what is to be done next.

    `retry_after` is the gateway's own wish, if it gave one; `moved` says that this very call
    changed the status.
    """

    status: PaymentStatus
    duty: Duty
    retry_after: timedelta | None = None
    moved: bool = False
