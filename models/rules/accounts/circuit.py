"""Decides when the circuit of a provider account opens and closes. Pure.

Source: issue 14 E. An open circuit stops new attempts with the account. The evidence is what all
workers recorded in the last minute, by groups of tenants: one tenant's recipients or senders must
not stop the messages of all others (DESIGN, law 9).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

WINDOW: Final = timedelta(seconds=60)
"""Age of the evidence that counts."""

BUCKET: Final = timedelta(seconds=10)
"""Time that one row of evidence covers."""

LEAST_ATTEMPTS: Final = 20
"""Fewer attempts in the window are not significant."""

GROUPS: Final = 16
"""Groups of tenants. Evidence by tenant would be a row per tenant every ten seconds."""

BUDGET_SHARE: Final = 0.75
"""Share of an account's timeout that 95 % of its calls must stay below.

An account without failures whose calls nearly time out is about to lose answers, and keeps the
calls of its fast path occupied.
"""

_SLOW_AT_MOST: Final = 20
"""One of this many attempts may be slower than the budget: then the 95th percentile meets it."""

_FIRST_GAP: Final = timedelta(seconds=10)
_LONGEST_GAP: Final = timedelta(minutes=5)
_FORGOTTEN_AFTER: Final = timedelta(minutes=10)
"""A circuit that opens again within this time after it closed goes on with growing gaps."""

_SPREAD: Final = timedelta(seconds=60)
_URGENT_SPREAD: Final = timedelta(seconds=2)
"""Longest time over which waiting messages are spread, so that they don't all wake up at once."""


class CircuitState(StrEnum):
    """State of a circuit."""

    CLOSED = "CLOSED"
    """Attempts are made."""
    OPEN = "OPEN"
    """No attempt is made."""
    HALF_OPEN = "HALF_OPEN"
    """One attempt at a time is made as a probe; its outcome closes or opens the circuit."""


class CircuitReason(StrEnum):
    """Why a circuit opened."""

    FAILURES = "FAILURES"
    """At least half of the attempts failed."""
    SLOW = "SLOW"
    """The 95th percentile of the calls is over the budget."""
    ACCOUNT_FAULT = "ACCOUNT_FAULT"
    """The vendor refuses the account: wrong credentials, suspended, its spending limit."""


_BY_EVIDENCE: Final = (CircuitReason.FAILURES, CircuitReason.SLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Attempts of a group of tenants in the window.

    Failures are attempts that were not processed or whose answer was lost. A refusal is none: it is
    an answer about the message. `slow` attempts took longer than the budget, failed or not.
    """

    attempts: int = 0
    failures: int = 0
    slow: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            attempts=self.attempts + other.attempts,
            failures=self.failures + other.failures,
            slow=self.slow + other.slow,
        )


Evidence: TypeAlias = Mapping[int, Tally]
"""Tallies of the window by group of tenants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """The circuit of one account; a new one is closed."""

    group: int | None = None
    """The only group of tenants that it is open for; None: all tenants."""
    reason: CircuitReason | None = None
    openings: int = 0
    """How often it opened, failed probes included; the gaps grow with it."""
    opened_at: datetime | None = None
    open_until: datetime | None = None
    """When a probe is allowed; None while it is closed."""
    closed_at: datetime | None = None
    probe_until: datetime | None = None
    """When the lease of the latest probe ends: at the deadline of its attempt."""

    def concerns(self, group: int) -> bool:
        """Return whether it is not closed for a group of tenants."""
        return self.open_until is not None and self.group in (None, group)


def state_of(circuit: Circuit, now: datetime) -> CircuitState:
    """Return the state of a circuit; for other groups than its own it is closed."""
    if circuit.open_until is None:
        return CircuitState.CLOSED
    return CircuitState.OPEN if now < circuit.open_until else CircuitState.HALF_OPEN


def group_of(tenant_id: int) -> int:
    """Return the group of a tenant."""
    return tenant_id % GROUPS


def budget_of(timeout: timedelta) -> timedelta:
    """Return how long a call may take before it counts as slow."""
    return timeout * BUDGET_SHARE


def judged(circuit: Circuit, evidence: Evidence, now: datetime) -> Circuit:
    """Return the circuit after evidence; the same one if nothing changes.

    It opens if the account fails and would fail without the group that fails most. If only that
    group fails, it opens for it alone, and for all once the others fail too.
    """
    if circuit.open_until is not None and circuit.group is None:
        return circuit
    others = {group: tally for group, tally in evidence.items() if group != circuit.group}
    counted = evidence if circuit.open_until is None else others
    total = sum(counted.values(), Tally())
    reason = _fault(total)
    if reason is None:
        return circuit
    group = None if circuit.open_until is not None else _lone_group(counted, reason)
    return opened(circuit, reason, now, group=group)


def opened(
    circuit: Circuit, reason: CircuitReason, now: datetime, *, group: int | None = None
) -> Circuit:
    """Return the circuit opened: by evidence, a fault of the account or a failed probe."""
    recent = circuit.closed_at is None or now - circuit.closed_at < _FORGOTTEN_AFTER
    openings = circuit.openings + 1 if recent else 1
    was_open = circuit.open_until is not None
    return replace(
        circuit,
        group=group,
        reason=reason,
        openings=openings,
        opened_at=circuit.opened_at if was_open else now,
        open_until=now + gap_after(openings),
        probe_until=None,
    )


def probed(circuit: Circuit, failure: CircuitReason | None, now: datetime) -> Circuit:
    """Return the circuit after its probe: closed if it did not fail."""
    if failure is not None:
        group = None if failure is CircuitReason.ACCOUNT_FAULT else circuit.group
        return opened(circuit, failure, now, group=group)
    return replace(circuit, open_until=None, closed_at=now, probe_until=None, group=None)


def gap_after(openings: int) -> timedelta:
    """Return how long a circuit stays open before the next probe: 10 s, doubled up to 5 min."""
    growing: timedelta = _FIRST_GAP * (1 << min(max(openings, 1) - 1, 9))
    return min(growing, _LONGEST_GAP)


def spread(openings: int, message_id: int, *, urgent: bool) -> timedelta:
    """Return by how much later than others a message looks at a circuit again.

    Without it, thousands of messages would wake up together to send one probe. It is never longer
    than the gap itself. Equal for equal arguments.
    """
    longest = _URGENT_SPREAD if urgent else min(_SPREAD, gap_after(openings))
    return longest * share_of(message_id)


def share_of(message_id: int) -> float:
    """Return the same number from 0 to 1 for the same message; neighbouring ids are far apart."""
    return (message_id * 2_654_435_761 % (1 << 32)) / (1 << 32)  # Knuth's multiplicative hash


def _fault(tally: Tally) -> CircuitReason | None:
    if tally.attempts < LEAST_ATTEMPTS:
        return None
    return next((reason for reason in _BY_EVIDENCE if _has(tally, reason)), None)


def _has(tally: Tally, reason: CircuitReason) -> bool:
    """Return whether the share of failed or of slow attempts is too high."""
    if reason is CircuitReason.FAILURES:
        return tally.failures * 2 >= tally.attempts
    return tally.slow * _SLOW_AT_MOST > tally.attempts


def _lone_group(evidence: Evidence, reason: CircuitReason) -> int | None:
    """Return the group without which the account has no fault; None if it has one anyway.

    The failure of a single other attempt is believed: it rarely fails by chance. A single slow one
    is not.
    """

    def faults(group: int) -> int:
        tally = evidence[group]
        return tally.failures if reason is CircuitReason.FAILURES else tally.slow

    worst = max(sorted(evidence), key=faults)
    rest = sum((tally for group, tally in evidence.items() if group != worst), Tally())
    least = 1 if reason is CircuitReason.FAILURES else LEAST_ATTEMPTS
    return None if rest.attempts >= least and _has(rest, reason) else worst
