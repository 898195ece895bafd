"""Inputs and results of the upgrade workflow: ids, enum values and times.

They hold no payment method, amount or reference of the integrator's.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from models.enums import PaymentStatus
from models.rules.billing.payments import PaymentAction
from models.rules.waits import PaymentWaits


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeInput:
    """One accepted purchase of credits."""

    tenant_id: int
    payment_id: int
    accepted_at: datetime
    waits: PaymentWaits
    public_id: int = 0
    """Public id of the payment, for logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeStep:
    """The payment to act on."""

    tenant_id: int
    payment_id: int
    public_id: int = 0
    mismatch_wait: timedelta = timedelta(hours=1)
    refund_wait: timedelta = timedelta(hours=72)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentProgress:
    """State of a payment after an activity, and the next action.

    `retry_after` is the gateway's, if it gave one; `moved` says that this call changed the status.
    """

    status: PaymentStatus
    next_action: PaymentAction
    retry_after: timedelta | None = None
    moved: bool = False
