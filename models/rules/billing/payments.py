"""State machine of a payment for credits, and the next action of each state. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from models.enums import ChargeState, PaymentFailure, ReversalState
from models.enums import PaymentStatus as S

STEPS: Final[dict[S, frozenset[S]]] = {
    S.PENDING: frozenset({S.REQUIRES_ACTION, S.SUCCEEDED, S.FAILED}),
    S.REQUIRES_ACTION: frozenset({S.SUCCEEDED, S.FAILED}),
    S.SUCCEEDED: frozenset({S.REFUNDED}),
    S.FAILED: frozenset({S.REFUNDED}),
    S.REFUNDED: frozenset(),
}
"""Allowed status steps. FAILED becomes REFUNDED if the gateway charges after all."""

STARTS: Final = frozenset({S.PENDING})
"""Initial statuses."""

_OPEN: Final = frozenset({S.PENDING, S.REQUIRES_ACTION})

_FAILURES: Final = {
    ChargeState.DECLINED: PaymentFailure.DECLINED,
    ChargeState.FAILED: PaymentFailure.CHARGE_FAILED,
    ChargeState.CANCELED: PaymentFailure.CANCELED,
}


class ChargeMismatch(StrEnum):
    """Why a correctly signed event about a charge is rejected."""

    AMOUNT = "AMOUNT"
    """Amount or currency are not those of the payment."""
    CHARGE_ID = "CHARGE_ID"
    """The payment has another charge, or the charge belongs to another payment."""
    EVENT = "EVENT"
    """The event was received before, for another payment."""


class PaymentAction(StrEnum):
    """The next action for a payment."""

    CHARGE = "CHARGE"
    """Ask the gateway to charge; after a lost answer look it up, then retry with the same key."""
    AWAIT = "AWAIT"
    """The gateway has the charge: wait for its outcome."""
    CANCEL_CHARGE = "CANCEL_CHARGE"
    """No outcome before the deadline: cancel the charge, or find out that it succeeded."""
    GRANT = "GRANT"
    """Charged: grant the credits."""
    REFUND = "REFUND"
    """Charged, but credits cannot be granted: refund."""
    NONE = "NONE"
    """The payment has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """The state of a payment's row."""

    status: S
    known: bool = False
    """The gateway is known to have the charge."""
    given_up: bool = False
    fulfilled: bool = False
    refund_due: bool = False
    refund_stuck: bool = False
    """The refund is owed, and only an operator has it tried again."""
    mismatched: bool = False
    """Open, and the gateway has charged another amount or currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The change that an event makes to a payment."""

    status: S
    failure: PaymentFailure | None = None
    taken: bool = False
    """The money was charged."""
    refund_due: bool = False


def may_step(current: S, following: S) -> bool:
    """Return whether a payment may go from one status to the other."""
    return following in STEPS[current]


def next_action_of(facts: PaymentFacts) -> PaymentAction:
    """Return the next action; a refund that is due comes first."""
    match facts.status:
        case S.REFUNDED:
            return PaymentAction.NONE
        case _ if facts.refund_due:
            return PaymentAction.NONE if facts.refund_stuck else PaymentAction.REFUND
        case S.FAILED:
            return PaymentAction.NONE
        case S.SUCCEEDED:
            return PaymentAction.NONE if facts.fulfilled else PaymentAction.GRANT
        case _ if facts.given_up:
            return PaymentAction.CANCEL_CHARGE
        case _:
            return PaymentAction.AWAIT if facts.known else PaymentAction.CHARGE


def change_by(facts: PaymentFacts, state: ChargeState) -> Change | None:
    """Return the change that a charge's state makes; None if the state is outdated or too late.

    A successful charge stays successful, whatever is reported later. A charge that succeeds after
    the payment FAILED is refunded, because the customer was already told that the payment failed.
    """
    if state is ChargeState.SUCCEEDED:
        if facts.status in _OPEN:
            return Change(status=S.SUCCEEDED, taken=True)
        if facts.status is S.FAILED and not facts.refund_due:
            return Change(status=S.FAILED, taken=True, refund_due=True)
        return None
    if facts.status not in _OPEN or facts.mismatched:
        return None
    if state in _FAILURES:
        expired = facts.given_up and state is ChargeState.CANCELED
        return Change(
            status=S.FAILED, failure=PaymentFailure.EXPIRED if expired else _FAILURES[state]
        )
    if state is ChargeState.NEEDS_ACTION and facts.status is S.PENDING:
        return Change(status=S.REQUIRES_ACTION)
    return None


def mismatch_change(facts: PaymentFacts, *, due: bool) -> Change | None:
    """Return what a charge of another amount or currency changes; None if nothing yet.

    It never buys credits. An open payment waits for the right amount until `due`, then it fails and
    the charge is refunded; after a failure it is refunded like every late charge.
    """
    late = facts.status is S.FAILED and not facts.refund_due
    if late:
        return Change(status=S.FAILED, taken=True, refund_due=True)
    if facts.status in _OPEN and (due or facts.given_up):
        return Change(
            status=S.FAILED, failure=PaymentFailure.AMOUNT_MISMATCH, taken=True, refund_due=True
        )
    return None


def changes_dispute(
    known: ReversalState | None, known_at: datetime | None, told: ReversalState, told_at: datetime
) -> bool:
    """Say whether a report about a dispute is newer than what is known, by the gateway's time.

    Reports come in any order; of two of the same moment, the one that ends the dispute is newer.
    """
    if known is None or known_at is None or told_at > known_at:
        return True
    return told_at == known_at and known is ReversalState.DISPUTED and told is not known
