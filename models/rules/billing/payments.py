"""Buying credits: the one table of steps a payment may take, and what is to be done next. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.enums import ChargeState, PaymentFailure
from models.enums import PaymentStatus as S

STEPS: Final[dict[S, frozenset[S]]] = {
    S.PENDING: frozenset({S.REQUIRES_ACTION, S.SUCCEEDED, S.FAILED}),
    S.REQUIRES_ACTION: frozenset({S.SUCCEEDED, S.FAILED}),
    S.SUCCEEDED: frozenset({S.REFUNDED}),
    S.FAILED: frozenset({S.REFUNDED}),
    S.REFUNDED: frozenset(),
}
"""FAILED becomes REFUNDED when a gateway takes money after all; nothing else moves backwards."""

STARTS: Final = frozenset({S.PENDING})
"""A payment is ordered as this."""

_OPEN: Final = frozenset({S.PENDING, S.REQUIRES_ACTION})

_FAILURES: Final = {
    ChargeState.DECLINED: PaymentFailure.DECLINED,
    ChargeState.FAILED: PaymentFailure.CHARGE_FAILED,
    ChargeState.CANCELED: PaymentFailure.CANCELED,
}


class ChargeMismatch(StrEnum):
    """Why news of a charge are not believed although their signature is right."""

    AMOUNT = "AMOUNT"
    """Amount or currency are not those of the order."""
    CHARGE_ID = "CHARGE_ID"
    """The payment has another charge, or the charge belongs to another payment."""
    EVENT = "EVENT"
    """The event was told before, of another payment."""


class Duty(StrEnum):
    """What is to be done next for a payment."""

    CHARGE = "CHARGE"
    """Ask the gateway to charge; after a lost answer look first, then ask with the same key."""
    AWAIT = "AWAIT"
    """The gateway has it: wait for its word."""
    CANCEL_CHARGE = "CANCEL_CHARGE"
    """Nothing came in time: cancel the charge, or learn that it succeeded meanwhile."""
    GRANT = "GRANT"
    """The money was taken: grant the credits."""
    REFUND = "REFUND"
    """The money was taken and no credits will come: give it back."""
    NOTHING = "NOTHING"
    """It is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """A payment as its row has it."""

    status: S
    known: bool = False
    """The gateway has told of the charge."""
    given_up: bool = False
    fulfilled: bool = False
    refund_due: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What news make of a payment."""

    status: S
    failure: PaymentFailure | None = None
    taken: bool = False
    """These news say that the money was taken."""
    refund_due: bool = False


def may_step(current: S, following: S) -> bool:
    """Say whether a payment may go from one status to the other."""
    return following in STEPS[current]


def duty_of(facts: PaymentFacts) -> Duty:
    """Return what is to be done next; a refund that is due is due whatever else is true."""
    match facts.status:
        case S.REFUNDED:
            return Duty.NOTHING
        case _ if facts.refund_due:
            return Duty.REFUND
        case S.FAILED:
            return Duty.NOTHING
        case S.SUCCEEDED:
            return Duty.NOTHING if facts.fulfilled else Duty.GRANT
        case _ if facts.given_up:
            return Duty.CANCEL_CHARGE
        case _:
            return Duty.AWAIT if facts.known else Duty.CHARGE


def change_by(facts: PaymentFacts, state: ChargeState) -> Change | None:
    """Return what the gateway's word changes; None if nothing, because it is old or too late.

    Money that was taken stays taken, whatever is told afterwards. Money that is taken after the
    payment has failed buys nothing, because whoever ordered has been told so: it is given back.
    """
    if state is ChargeState.SUCCEEDED:
        if facts.status in _OPEN:
            return Change(status=S.SUCCEEDED, taken=True)
        if facts.status is S.FAILED and not facts.refund_due:
            return Change(status=S.FAILED, taken=True, refund_due=True)
        return None
    if facts.status not in _OPEN:
        return None
    if state in _FAILURES:
        called_off = facts.given_up and state is ChargeState.CANCELED
        return Change(
            status=S.FAILED, failure=PaymentFailure.EXPIRED if called_off else _FAILURES[state]
        )
    if state is ChargeState.NEEDS_ACTION and facts.status is S.PENDING:
        return Change(status=S.REQUIRES_ACTION)
    return None
