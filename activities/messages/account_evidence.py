"""What calls say about the health of an account, counted in memory until it is stored."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeAlias

from models.queries.accounts.health import AccountError, Attempts, KnownCircuit
from models.rules.accounts.circuit import (
    BUCKET,
    WINDOW,
    CircuitReason,
    Tally,
    budget_of,
    group_of,
)
from providers.ports.messages import Ambiguous, Answer, MessageProvider, NotProcessed

_ERROR_LENGTH: Final = 128

_Place: TypeAlias = tuple[str, int, int]
"""Account, group of tenants, and which ten seconds of the process's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The lease of a probe: its outcome closes or opens the circuit."""

    known: KnownCircuit


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that sent a message, with its outcome."""

    provider: MessageProvider
    tenant_id: int
    took: timedelta
    answer: Answer
    probe: Probe | None = None

    @property
    def slow(self) -> bool:
        """Whether it took longer than the budget."""
        return self.took > budget_of(self.provider.timeout)

    @property
    def failed(self) -> bool:
        """Whether the account did not take or refuse the message.

        A refusal is an answer about the message, and a fault of the sender one about one merchant.
        """
        if isinstance(self.answer, NotProcessed):
            return not self.answer.sender_fault
        return isinstance(self.answer, Ambiguous)

    @property
    def failure(self) -> CircuitReason | None:
        """Return why a probe has failed; None if the account has answered in time."""
        if isinstance(self.answer, NotProcessed) and self.answer.account_fault:
            return CircuitReason.ACCOUNT_FAULT
        if self.failed:
            return CircuitReason.FAILURES
        return CircuitReason.SLOW if self.slow else None

    @property
    def error(self) -> str | None:
        """Return the failure in the adapter's and the vendor's words; they hold no contact."""
        if not isinstance(self.answer, NotProcessed | Ambiguous):
            return None
        words = dict.fromkeys(filter(None, (self.answer.reason, self.answer.provider_code)))
        return " ".join(words)[:_ERROR_LENGTH]


@dataclass(slots=True, kw_only=True)
class Evidence:
    """Recorded calls that are not stored yet. Bounded by the number of accounts and the window."""

    tallies: dict[_Place, tuple[Tally, int]] = field(default_factory=dict)
    """With the sum of latencies in milliseconds."""
    errors: dict[str, str] = field(default_factory=dict)
    faults: set[str] = field(default_factory=set)
    """Accounts that the vendor refuses."""
    probes: dict[str, tuple[Probe, CircuitReason | None]] = field(default_factory=dict)
    """Ended probes, with why they failed."""

    def add(self, call: Call, clock: float) -> None:
        """Count a call; `clock` is the process's, in seconds."""
        account = call.provider.account
        place = account, group_of(call.tenant_id), int(clock // BUCKET.total_seconds())
        if place not in self.tallies:
            self.drop_old(clock)
        tally, latency = self.tallies.get(place, (Tally(), 0))
        one = Tally(attempts=1, failures=int(call.failed), slow=int(call.slow))
        self.tallies[place] = tally + one, latency + round(call.took / timedelta(milliseconds=1))
        if call.error is not None:
            self.errors[account] = call.error
        if call.failure is CircuitReason.ACCOUNT_FAULT:
            self.faults.add(account)
        if call.probe is not None:
            self.probes[account] = call.probe, call.failure

    def drop_old(self, clock: float) -> None:
        """Drop calls that are too old to count."""
        for place in [place for place in self.tallies if _age(place, clock) > WINDOW]:
            del self.tallies[place]

    def attempts(self, clock: float) -> list[Attempts]:
        """Return the calls in the form in which they are stored."""
        return [
            Attempts(
                account=place[0],
                group=place[1],
                age=_age(place, clock).total_seconds(),
                tally=tally,
                latency_ms=latency,
            )
            for place, (tally, latency) in self.tallies.items()
        ]

    def account_errors(self) -> list[AccountError]:
        """Return the last error of each account that failed."""
        return [AccountError(account=a, error=e) for a, e in sorted(self.errors.items())]

    def add_newer(self, newer: "Evidence") -> None:
        """Add what was recorded after this."""
        for place, (tally, latency) in newer.tallies.items():
            old, took = self.tallies.get(place, (Tally(), 0))
            self.tallies[place] = old + tally, took + latency
        self.errors |= newer.errors
        self.faults |= newer.faults
        self.probes |= newer.probes

    def add_older_ends(self, older: "Evidence") -> None:
        """Add faults and probes that were recorded before this and changed no circuit yet."""
        self.faults |= older.faults
        self.probes = older.probes | self.probes


def _age(place: _Place, clock: float) -> timedelta:
    """Return the time since the end of its ten seconds; they may not be over yet."""
    return timedelta(seconds=max(0.0, clock - (place[2] + 1) * BUCKET.total_seconds()))
