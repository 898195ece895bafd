"""Chunks of one tenant, and the activities that send and settle them, on a real database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.messages.account_health import AccountHealth
from activities.messages.batches.dispatch_chunk import ChunkDispatching
from activities.messages.batches.leaving import Leaver, Leaving
from activities.messages.batches.settle_chunk import ChunkSettlement
from activities.messages.provider_slots import Slots
from models.enums import DeliveryMode, MessageStatus, ReportStatus
from models.queries.messages import settlement, settlement_facts
from models.queries.messages.receipts import StoredReceipt
from models.session import Database
from models.tables.batch import Batch, MessageChunk
from providers.ports.messages import MessageProvider
from providers.routing import Routes
from tests.activities.harness import TO, Harness
from tests.chaos.invariants import broken_laws
from tests.factories import Owner
from workflows.messages.batches.chunk_types import ChunkResult, ChunkStep, SettleChunkStep
from workflows.messages.types import Ending, Finding, Verdict

REPORT_WAIT = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A chunk and its members, the lowest row id first."""

    chunk_id: int
    members: Sequence[int] = field(default_factory=list)


class ChunkHarness(Harness):
    """Everything that a test of a chunk needs.

    `started` are the members that left a chunk.
    """

    def __init__(
        self,
        database: Database,
        owner: Owner,
        *providers: MessageProvider,
        slots: int = 20,
        mode: DeliveryMode = DeliveryMode.SIMULATOR,
        routes: Routes | None = None,
        health: AccountHealth | None = None,
    ) -> None:
        routes = routes or Routes(providers, {mode: [one.account for one in providers]})
        health = health or AccountHealth(database, tuple)
        shared = Slots(slots)
        super().__init__(
            database, owner, *providers, slots=shared, mode=mode, routes=routes, health=health
        )
        self.slots = shared
        self.account = providers[0].account if providers else ""
        self.started: list[Leaver] = []
        leaving = Leaving(database, self._start)
        self.chunks = ChunkDispatching(
            database,
            routes,
            self.dispatching,
            leaving,
            public_url="http://us/",
            slots=shared,
            health=health,
            sweep_grace=timedelta(minutes=1),
        )
        self.settlement = ChunkSettlement(database, routes, leaving)

    async def _start(self, leaver: Leaver) -> None:
        self.started.append(leaver)

    @property
    def started_ids(self) -> list[int]:
        """Row ids of the members that left a chunk."""
        return [leaver.send.message_id for leaver in self.started]

    async def chunk(self, *recipients: str | int, **wanted: Any) -> Chunk:
        """Accept messages as members of a new chunk; a number stands for so many recipients."""
        numbers = [to for to in recipients if isinstance(to, str)]
        for many in [many for many in recipients if isinstance(many, int)]:
            numbers += [f"+1813555{number:04}" for number in range(many)]
        members = [await self.accept(to=to, **wanted) for to in numbers]
        return await self.chunk_of(members)

    async def chunk_of(self, members: Sequence[int]) -> Chunk:
        """Put accepted messages into a new chunk."""
        now = datetime.now(UTC)
        first = await self.message(members[0])
        async with self.database.transaction() as db:
            batch = Batch(
                tenant_id=self.owner.tenant_id,
                merchant_id=self.owner.merchant_id,
                channel=first.channel,
                scope="",
                fingerprint="f" * 64,
                key_base="b",
                total=len(members),
                accepted=len(members),
                next_line=len(members) + 1,
                created_at=now,
                decided_at=now,
            )
            db.add(batch)
            await db.flush()
            assert batch.id is not None
            chunk = MessageChunk(
                tenant_id=self.owner.tenant_id,
                merchant_id=self.owner.merchant_id,
                batch_id=batch.id,
                channel=first.channel,
                type=first.type,
                due_at=first.due_at,
                created_at=now,
            )
            db.add(chunk)
            await db.flush()
            assert chunk.id is not None
            await db.execute(
                text(
                    "UPDATE message SET chunk_id = :c, batch_id = :b"
                    " WHERE tenant_id = :t AND id = ANY(CAST(:ids AS bigint[]))"
                ),
                {
                    "c": chunk.id,
                    "b": batch.id,
                    "t": self.owner.tenant_id,
                    "ids": list(members),
                },
            )
        return Chunk(chunk_id=chunk.id, members=sorted(members))

    async def send(self, chunk: Chunk) -> ChunkResult:
        """Run one dispatch of a chunk."""
        step = ChunkStep(
            tenant_id=self.owner.tenant_id,
            chunk_id=chunk.chunk_id,
            merchant_id=self.owner.merchant_id,
            report_wait=REPORT_WAIT,
        )
        result: ChunkResult = await ActivityEnvironment().run(self.chunks.dispatch_chunk, step)
        return result

    async def end(self, chunk: Chunk, *, leave: bool = False) -> ChunkResult:
        """Settle what can be settled of a chunk."""
        step = SettleChunkStep(
            tenant_id=self.owner.tenant_id,
            chunk_id=chunk.chunk_id,
            merchant_id=self.owner.merchant_id,
            leave=leave,
        )
        result: ChunkResult = await ActivityEnvironment().run(self.settlement.settle_chunk, step)
        return result

    async def cancel(self, message_id: int) -> bool:
        """Cancel a member, as the API does; False if it does not wait any more."""
        async with self.database.transaction() as db:
            locked = await settlement_facts.lock_for_settlement(
                db, tenant_id=self.owner.tenant_id, message_id=message_id
            )
            assert locked is not None
            return await settlement.cancel_message(db, locked, datetime.now(UTC))

    async def database_write(self, sql: str, message_id: int = 0) -> None:
        """Change rows; `:t` is the tenant, `:m` a message, `:to` the usual contact."""
        named = {"t": self.owner.tenant_id, "m": message_id, "to": TO}
        async with self.database.transaction() as db:
            await db.execute(
                text(sql), {name: value for name, value in named.items() if f":{name}" in sql}
            )

    async def tell_all(
        self, messages: Sequence[int], status: ReportStatus = ReportStatus.DELIVERED, **facts: Any
    ) -> None:
        """Store a report about the first attempt of each message."""
        for message_id in messages:
            await self.tell(message_id, status, event_id=f"e{message_id}", **facts)

    async def signals(self, message_id: int, status: ReportStatus) -> bool:
        """Store a report; return whether it signals the message's own workflow."""
        stored = await self.tell(message_id, status, event_id=f"e{message_id}")
        assert isinstance(stored, StoredReceipt)
        return not stored.awaited_inline

    async def states(self, chunk: Chunk) -> list[tuple[str, str | None]]:
        """Return each member's status, and the state of its attempt if it has one."""
        rows = await self.rows(
            "SELECT m.id, m.status, a.state FROM message m LEFT JOIN attempt a"
            " ON a.tenant_id = m.tenant_id AND a.message_id = m.id"
            " WHERE m.tenant_id = :t ORDER BY m.id, a.number"
        )
        return [(row.status, row.state) for row in rows if row.id in chunk.members]

    async def remaining(self, chunk: Chunk) -> list[int]:
        """Return the open members that have not left."""
        rows = await self.rows(
            "SELECT id, chunk_id FROM message WHERE tenant_id = :t AND completed_at IS NULL"
            " ORDER BY id"
        )
        return [row.id for row in rows if row.chunk_id == chunk.chunk_id]

    async def complete(self, message_id: int, *, turns: int = 20) -> MessageStatus:
        """Do what the workflow of one message does, until it is completed."""
        for _ in range(turns):
            handed = await self.dispatch(message_id)
            ending = Ending.REPORTED
            if handed.verdict is Verdict.AMBIGUOUS:
                found = await self.reconcile(message_id)
                if found.finding is not Finding.FOUND:
                    continue
            elif handed.verdict in (Verdict.REFUSED, Verdict.BLOCKED):
                ending = Ending(handed.verdict)
            elif handed.verdict is Verdict.LATER:
                continue
            if handed.verdict is Verdict.OVER:
                ending = Ending.OVER
            if ending is Ending.REPORTED and not await self.poll(message_id):
                await self.tell(message_id, ReportStatus.DELIVERED, event_id=f"e{message_id}")
            status, completed = await self.settle(message_id, ending, handed.error_code)
            if completed:
                return status
        raise AssertionError(f"message {message_id} does not end")

    async def broken_laws(self) -> list[str]:
        """Return which invariants are violated; only without open messages."""

        async def ask(question: str, *, tenant: int) -> list[Any]:
            async with self.database.read() as db:
                named = {"tenant": tenant} if ":tenant" in question else {}
                return list((await db.execute(text(question), named)).all())

        return await broken_laws(ask, self.owner.tenant_id)
