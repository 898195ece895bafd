"""The steps of single sends and of a batch, from acceptance to the end, without Temporal."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final

from sqlalchemy import text

from models.enums import Channel, ReportStatus
from models.queries.alerts import watcher
from models.queries.consent.send_policy import find_policy
from models.queries.messages import acceptance, receipts
from models.queries.senders import sender_queue
from models.queries.system import load, sweep_batches, sweep_chunks, sweep_messages
from models.rules.messages.identity import SendKey
from models.session import Database
from tests.activities.doubles import ACCEPTED, AMBIGUOUS, FOUND, REFUSED, Scripted
from tests.api.doubles import Clock
from tests.batches.accepting.harness import Batches
from tests.batches.sending.harness import Chunk, ChunkHarness
from tests.contacts import key_of
from tests.factories import Owner, make_message, new_message, unique
from workflows.messages.types import Ending

_MINUTE: Final = timedelta(minutes=1)
_MOST: Final = 200
_LINES: Final = 8


@dataclass(slots=True)
class Steps:
    """One tenant, whose recipients nobody has heard of before."""

    database: Database
    owner: Owner
    _numbers: "count[int]" = field(default_factory=count)

    async def run(self) -> None:
        """Run every step once."""
        await self._single(Scripted(ACCEPTED))
        await self._lost()
        await self._refused()
        await self._batch()
        await self._sweep()
        await self._look_at_load()

    def _to(self) -> str:
        exchange, last = divmod(next(self._numbers), 9_000)
        return f"+1941{200 + exchange}{last:04}"

    async def _accept(self) -> int:
        """Accept a message as the API does."""
        to = self._to()
        key = SendKey(
            tenant_id=self.owner.tenant_id, operation="send-sms", scope="", idempotency_key=to
        )
        async with self.database.read() as db:
            assert await acceptance.find_known(db, key) is None
            await find_policy(
                db,
                tenant_id=self.owner.tenant_id,
                merchant=self.owner.merchant,
                channel=Channel.SMS,
                contact_keys=[key_of(to)],
            )
        message = new_message(self.owner, to=to, key=to)
        return await make_message(self.database, replace(message, attributes={"shop": "north"}))

    async def _single(self, provider: Scripted) -> None:
        harness = ChunkHarness(self.database, self.owner, provider)
        message = await self._accept()
        await harness.dispatch(message)
        await harness.tell(message, ReportStatus.DELIVERED, event_id=f"e{message}")
        await harness.settle(message, Ending.REPORTED)

    async def _lost(self) -> None:
        """The answer is lost, and the provider is asked."""
        harness = ChunkHarness(self.database, self.owner, Scripted(AMBIGUOUS, truths=[FOUND]))
        message = await self._accept()
        await harness.dispatch(message)
        await harness.reconcile(message)
        await harness.poll(message)
        await harness.settle(message, Ending.GIVEN_UP)

    async def _refused(self) -> None:
        harness = ChunkHarness(self.database, self.owner, Scripted(REFUSED))
        message = await self._accept()
        refused = await harness.dispatch(message)
        await harness.settle(message, Ending.REFUSED, refused.error_code)

    async def _batch(self) -> None:
        batches = Batches(self.database, Clock())
        lines = [
            {"to": self._to(), "message": "Hello", "type": "TRANSACTIONAL"} for _ in range(_LINES)
        ]
        batch = await batches.store(
            self.owner.tenant_id,
            [*lines, {"to": "nobody", "message": "Hello", "type": "OTP"}],
            key=unique("batch"),
            merchant=self.owner.merchant,
        )
        await batches.accept_all(batch)
        harness = ChunkHarness(self.database, self.owner, Scripted(ACCEPTED))
        async with self.database.read() as db:
            found = await db.execute(
                text(
                    "SELECT id, chunk_id FROM message WHERE tenant_id = :t AND batch_id = :b"
                    " ORDER BY id"
                ),
                {"t": batch.tenant_id, "b": batch.batch_id},
            )
            rows = found.all()
        assert len(rows) == _LINES
        chunk = Chunk(chunk_id=rows[0].chunk_id, members=[row.id for row in rows])
        await harness.send(chunk)
        await harness.tell_all(chunk.members)
        await harness.end(chunk)

    async def _sweep(self) -> None:
        """Look for what is due, as the sweeper does."""
        now = datetime.now(UTC)
        async with self.database.transaction() as db:
            await sweep_messages.take_unstarted(
                db, now=now, grace=_MINUTE, longest=_MINUTE, most=_MOST
            )
            await sweep_messages.take_stalled(
                db, now=now, grace=_MINUTE, longest=_MINUTE, most=_MOST
            )
            await receipts.take_open(db, now=now, grace=_MINUTE, most=_MOST)
            await sweep_batches.take_stalled_batches(
                db, now=now, grace=_MINUTE, longest=_MINUTE, most=_MOST
            )
            await sweep_chunks.take_stalled_chunks(
                db, now=now, grace=_MINUTE, longest=_MINUTE, most=_MOST
            )
        async with self.database.read() as db:
            await sender_queue.nonempty_queues(db)
            await watcher.read_health(db, now - timedelta(minutes=5))

    async def _look_at_load(self) -> None:
        """Sample the waiting messages, as an API process does every second."""
        async with self.database.transaction() as db:
            await db.execute(
                text("UPDATE load_sample SET sampled_at = '2000-01-01', count_again_at = now()")
            )
        async with self.database.transaction() as db:
            assert await load.take_sample(db, every=timedelta(seconds=1))
            now = await load.lease_count(db)
        assert now is not None
        async with self.database.transaction() as db:
            await load.count_open(db, now=now, limit=100_000)
        async with self.database.read() as db:
            await load.read(db)
