"""Workers that share the health of one account, and what they have recorded."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from activities.messages.account_evidence import Call, Probe
from activities.messages.account_health import AccountHealth
from models.queries.accounts.health import AccountReading, read_accounts
from models.rules.accounts.circuit import CircuitState
from models.session import Database
from providers.ports.messages import Answer
from tests.activities.doubles import ACCEPTED, Scripted
from tests.factories import unique

LATENCY = timedelta(milliseconds=100)


@dataclass
class Account:
    """An account of its own, and the calls that workers make with it."""

    database: Database
    provider: Scripted = field(default_factory=lambda: Scripted(name=unique("account")[:32]))

    @property
    def name(self) -> str:
        return self.provider.account

    def worker(self, **options: Any) -> AccountHealth:
        return AccountHealth(self.database, lambda: [self.name], **options)

    def call(
        self,
        answer: Answer = ACCEPTED,
        *,
        tenant: int = 1,
        took: timedelta = LATENCY,
        probe: Probe | None = None,
    ) -> Call:
        return Call(provider=self.provider, tenant_id=tenant, took=took, answer=answer, probe=probe)

    def record(
        self, worker: AccountHealth, times: int, answer: Answer = ACCEPTED, **options: Any
    ) -> None:
        for _ in range(times):
            worker.record(self.call(answer, **options))

    async def reading(self) -> AccountReading:
        async with self.database.read() as db:
            return (await read_accounts(db)).get(self.name, AccountReading())

    async def state(self) -> CircuitState:
        return (await self.reading()).state

    async def rows(self, sql: str) -> Sequence[Any]:
        async with self.database.read() as db:
            return (await db.execute(text(sql), {"a": self.name})).all()

    async def pass_time(self, seconds: float) -> None:
        """Move all times of the account into the past, as if time had passed."""
        moved = ("opened_at", "open_until", "closed_at", "probe_until")
        columns = ", ".join(f"{name} = {name} - make_interval(secs => :s)" for name in moved)
        async with self.database.transaction() as db:
            values = {"a": self.name, "s": seconds}
            await db.execute(
                text(f"UPDATE account_circuit SET {columns} WHERE account = :a"),
                values,
            )
            await db.execute(
                text(
                    "UPDATE account_health SET bucket = bucket - make_interval(secs => :s)"
                    " WHERE account = :a"
                ),
                values,
            )


def available(worker: AccountHealth, account: str, tenant: int = 1, *, urgent: bool = True) -> bool:
    """Return whether a message of a tenant may be sent with an account, as a worker knows it."""
    return account not in worker.unavailable(tenant, 1, urgent=urgent)
