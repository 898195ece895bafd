"""Shares the health of provider accounts among all workers, and holds attempts back by it.

Outcomes are counted in memory and stored once a second, in one statement that returns the circuits
of all accounts. So a circuit that one worker opens is known to all within about two seconds.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Final

from activities.messages.account_choice import AccountUnavailable
from activities.messages.account_evidence import Call, Evidence, Probe
from activities.messages.dispatch_results import state_of as outcome_of
from models.metrics import PROVIDER_ATTEMPTS, PROVIDER_CIRCUIT
from models.queries.accounts import circuits, health
from models.queries.accounts.health import KnownCircuit
from models.rules.accounts.circuit import (
    Circuit,
    CircuitReason,
    CircuitState,
    group_of,
    judged,
    opened,
    probed,
    spread,
    state_of,
)
from models.rules.accounts.names import SIMULATOR
from models.session import Database, WriteSession
from providers.ports.messages import Answer, MessageProvider, NotProcessed, SendRequest

TICK: Final = 1.0
"""Seconds between two settlements."""

_PATIENCE: Final = 5.0
"""Longest settlement in seconds."""

_RECHECK: Final = timedelta(seconds=2)
"""When an urgent message looks again whether the probe of another one has ended."""

_LOST_RACE: Final = timedelta(seconds=1)
"""After it the circuit, which another claim has just changed, is known here too."""

log = logging.getLogger(__name__)


class AccountHealth:
    """The health of accounts as this worker knows it.

    Args:
        accounts: names of the accounts in use now.
        exempt: accounts without a circuit, of which nothing is recorded. The simulator fails on
            demand of any tenant, and must not delay the messages of others.
    """

    def __init__(
        self,
        database: Database,
        accounts: Callable[[], Iterable[str]],
        *,
        exempt: frozenset[str] = frozenset({SIMULATOR}),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._exempt = exempt
        self._clock = clock
        self._circuits: dict[str, KnownCircuit] = {}
        self._offset = datetime.now(UTC) - timedelta(seconds=clock())
        self._pending = Evidence()
        self._shown: set[str] = set()
        """Accounts that the metrics have."""
        self._wake = asyncio.Event()

    def unavailable(self, tenant_id: int, message_id: int, *, urgent: bool) -> dict[str, datetime]:
        """Return the accounts that must not get this message now, with when to look again.

        A half-open circuit without a probe under way is available: the claim takes the lease. Times
        differ by message, so that waiting messages do not wake up together.
        """
        now, group = self._now(), group_of(tenant_id)
        found = {}
        for account, known in self._circuits.items():
            circuit = known.circuit
            if circuit.open_until is None or not circuit.concerns(group):
                continue
            later = spread(circuit.openings, message_id, urgent=urgent)
            if now < circuit.open_until:
                found[account] = self._local(circuit.open_until + later)
            elif circuit.probe_until is not None and now < circuit.probe_until:
                until = min(circuit.probe_until, now + _RECHECK) if urgent else circuit.probe_until
                found[account] = self._local(until + later)
        return found

    def is_closed(self, account: str, tenant_id: int) -> bool:
        """Return whether the account's circuit is closed for a tenant, as far as is known here."""
        known = self._circuits.get(account)
        return known is None or not known.circuit.concerns(group_of(tenant_id))

    async def take_probe(
        self, db: WriteSession, account: str, tenant_id: int, *, deadline: datetime
    ) -> Probe | None:
        """Take the lease of the probe if the account's circuit is half-open, else return None.

        The row is the last that the claim locks. The lease ends at the deadline of the attempt, so
        that one of a killed worker ends by itself.

        Raises:
            AccountUnavailable: another attempt has the lease, or the circuit has just changed.
        """
        known = self._circuits.get(account)
        if known is None or not known.circuit.concerns(group_of(tenant_id)):
            return None
        now = datetime.now(UTC)
        taken = await circuits.take_probe(db, account, lease=deadline - now)
        # Until the next settlement, other claims here need not ask the row.
        lost = replace(known.circuit, probe_until=self._now() + _LOST_RACE)
        self._circuits[account] = taken or replace(known, circuit=lost)
        if taken is None:
            raise AccountUnavailable(account, now + _LOST_RACE)
        return Probe(known=taken)

    async def send(
        self, provider: MessageProvider, request: SendRequest, tenant_id: int, probe: Probe | None
    ) -> Answer:
        """Send a message and count the outcome of the call."""
        began = self._clock()
        answer = await provider.send(request)
        took = timedelta(seconds=self._clock() - began)
        self.record(
            Call(provider=provider, tenant_id=tenant_id, took=took, answer=answer, probe=probe)
        )
        return answer

    def record(self, call: Call) -> None:
        """Count a call; it is stored with the next settlement. The simulator's are not counted."""
        account = call.provider.account
        if account in self._exempt:
            return
        PROVIDER_ATTEMPTS.labels(account, outcome_of(call.answer)).inc()
        self._pending.add(call, self._clock())
        if call.probe is not None or call.failure is CircuitReason.ACCOUNT_FAULT:
            self._wake.set()
        if isinstance(call.answer, NotProcessed) and call.answer.sender_fault:
            log.error(
                "a provider refuses a sender", extra={"account": account, "reason": call.error}
            )

    async def run(self) -> None:
        """Settle once a second, and at once after a probe or a fault of the account.

        While Postgres is unreachable, evidence of the last minute is kept, and circuits stay as
        they were last known.
        """
        away = False
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TICK)
            self._wake.clear()
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self.settle()
                away = False
            except Exception as error:  # any failure: the next settlement tries again
                if not away:
                    log.warning(
                        "the health of accounts could not be shared",
                        extra={"error": type(error).__name__},
                    )
                away = True
                await asyncio.sleep(TICK)

    async def settle(self) -> None:
        """Store what was recorded, read all circuits, and change those that the evidence changes.

        A change names the version it was decided by, so of several workers one makes it.
        """
        if not set(self._accounts()) - self._exempt and not self._pending.tallies:
            self._show()
            return
        stored, self._pending = self._pending, Evidence()
        stored.drop_old(self._clock())
        try:
            async with self._database.statement() as db:
                told, errors = stored.attempts(self._clock()), stored.account_errors()
                shared = await health.settle(db, told, errors)
        except BaseException:
            stored.add_newer(self._pending)
            self._pending = stored
            raise
        if shared.now is not None:
            self._offset = shared.now - timedelta(seconds=self._clock())
        self._circuits = shared.circuits
        try:
            await self._change_circuits(stored, shared)
        except BaseException:
            self._pending.add_older_ends(stored)
            raise
        self._show()

    async def _change_circuits(self, stored: Evidence, shared: health.SharedHealth) -> None:
        now = self._now()
        for account, (probe, failure) in stored.probes.items():
            after = probed(probe.known.circuit, failure, now)
            await self._change(account, probe.known, after, stored.errors.get(account))
        for account in sorted({*stored.faults, *shared.evidence} - stored.probes.keys()):
            known = self._circuits.get(account, KnownCircuit())
            if account not in stored.faults:
                after = judged(known.circuit, shared.evidence[account], now)
            elif known.circuit.open_until is None or known.circuit.group is not None:
                after = opened(known.circuit, CircuitReason.ACCOUNT_FAULT, now)
            else:
                continue
            await self._change(account, known, after, stored.errors.get(account))

    async def _change(
        self, account: str, known: KnownCircuit, after: Circuit, error: str | None
    ) -> None:
        if after == known.circuit:
            return
        async with self._database.statement() as db:
            version = await circuits.change(db, account, seen=known.version, circuit=after)
        if version is None:
            return
        self._circuits[account] = KnownCircuit(circuit=after, version=version)
        if after.open_until is None:
            log.warning("the circuit of a provider account is closed", extra={"account": account})
            return
        log.error(
            "the circuit of a provider account is open",
            extra={
                "account": account,
                "reason": after.reason,
                "tenants": "all" if after.group is None else f"group {after.group}",
                "until": after.open_until.isoformat(),
                "last_error": error,
            },
        )

    def _show(self) -> None:
        now, accounts = self._now(), set(self._accounts()) - self._exempt
        for account in self._shown - accounts:
            for one in CircuitState:
                PROVIDER_CIRCUIT.remove(account, one)
        self._shown = accounts
        for account in accounts:
            state = state_of(self._circuits.get(account, KnownCircuit()).circuit, now)
            for one in CircuitState:
                PROVIDER_CIRCUIT.labels(account, one).set(one is state)

    def _now(self) -> datetime:
        """Return the time of the database."""
        return self._offset + timedelta(seconds=self._clock())

    def _local(self, at: datetime) -> datetime:
        """Return a time of the database by this machine's clock."""
        return datetime.now(UTC) + (at - self._now())
