"""Stores batches as the API does, and accepts their lines with the real services."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import text

from api.services.messages.admission import Admission
from api.services.messages.batches.acceptance import BatchAcceptance
from api.services.messages.permission import Permissions, UnsubscribeLinks
from api.services.messages.routed_senders import RoutedSenders
from models.enums import Channel
from models.rules.messages.batches.acceptance import BatchKey, DecidedPage
from models.rules.messages.batches.keys import key_base
from models.session import Database
from models.tables.base import row_id
from models.tables.batch import Batch, BatchLine
from providers.routing import Routes
from tests.api.doubles import Clock

GRACE: Final = timedelta(minutes=1)

Line = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a line came to."""

    line: int
    message_id: int | None
    code: str | None
    detail: str | None
    kept: bool
    """Its request is still stored."""


class Batches:
    """Batches of any tenant."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock

    def acceptance(
        self,
        *,
        page: int = 100,
        database: Database | None = None,
        permissions: Permissions | None = None,
        routes: Routes | None = None,
        limit: int = 100_000,
    ) -> BatchAcceptance:
        """Return the service that decides lines; by default no account is routed."""
        database = database or self.database
        links = UnsubscribeLinks("http://api.test", "only-for-tests-too")
        senders = RoutedSenders(routes or Routes([], {}))
        return BatchAcceptance(
            database,
            permissions or Permissions(database, links, senders),
            Admission(database, limit=limit, lag_allowed=timedelta(days=36_500)),
            grace=GRACE,
            page=page,
            clock=self.clock,
        )

    async def store(
        self,
        tenant_id: int,
        lines: Sequence[Line],
        *,
        key: str | None = "b",
        channel: Channel = Channel.SMS,
        merchant: str = "gym-a",
        scope: str = "",
    ) -> BatchKey:
        """Insert a batch of a merchant with its lines."""
        now = self.clock.now
        async with self.database.transaction() as db:
            merchant_id = await db.scalar(
                text("SELECT id FROM merchant WHERE tenant_id = :t AND external_id = :m"),
                {"t": tenant_id, "m": merchant},
            )
            batch = Batch(
                tenant_id=tenant_id,
                merchant_id=merchant_id,
                channel=channel,
                scope=scope,
                idempotency_key=key,
                fingerprint="f" * 64,
                key_base="unkeyed" if key is None else key_base(key),
                total=len(lines),
                created_at=now,
                sweep_at=now + GRACE,
            )
            db.add(batch)
            await db.flush()
            stored = BatchKey(
                tenant_id=tenant_id, batch_id=row_id(batch.id), public_id=batch.public_id
            )
            db.add_all(
                BatchLine(
                    tenant_id=tenant_id,
                    batch_id=stored.batch_id,
                    line=number,
                    request=line,
                    idempotency_key=line.get("key"),
                )
                for number, line in enumerate(lines, start=1)
            )
        return stored

    async def accept_all(
        self, batch: BatchKey, acceptance: BatchAcceptance | None = None
    ) -> list[DecidedPage]:
        """Decide every line; return the pages."""
        acceptance = acceptance or self.acceptance()
        found = []
        while True:
            found.append(await acceptance.accept_page(batch))
            if found[-1].decided:
                return found
            assert found[-1].retry_after is None

    async def decided(self, batch: BatchKey) -> list[Decided]:
        """Return the lines of a batch."""
        async with self.database.read() as db:
            rows = await db.execute(
                text(
                    "SELECT line, message_id, refusal_code, refusal_detail,"
                    " request IS NOT NULL AS kept FROM batch_line"
                    " WHERE tenant_id = :t AND batch_id = :b ORDER BY line"
                ),
                {"t": batch.tenant_id, "b": batch.batch_id},
            )
            return [
                Decided(
                    line=row.line,
                    message_id=row.message_id,
                    code=row.refusal_code,
                    detail=row.refusal_detail,
                    kept=row.kept,
                )
                for row in rows
            ]

    async def codes(self, batch: BatchKey) -> list[str | None]:
        """Return the code of every refused line, and None for accepted ones."""
        return [line.code for line in await self.decided(batch)]

    async def row(self, batch: BatchKey) -> Any:
        """Return the row of a batch."""
        async with self.database.read() as db:
            found = await db.execute(
                text("SELECT * FROM batch WHERE tenant_id = :t AND id = :b"),
                {"t": batch.tenant_id, "b": batch.batch_id},
            )
            return found.one()

    async def cancel(self, batch: BatchKey) -> None:
        """Note that a batch is canceled, as the API does."""
        async with self.database.transaction() as db:
            await db.execute(
                text(
                    "UPDATE batch SET canceled_at = :now, sweep_at = :now"
                    " WHERE tenant_id = :t AND id = :b"
                ),
                {"t": batch.tenant_id, "b": batch.batch_id, "now": self.clock.now},
            )

    async def messages(self, tenant_id: int) -> Sequence[Any]:
        """Return the messages of a tenant in the order of their ids."""
        async with self.database.read() as db:
            found = await db.execute(
                text("SELECT * FROM message WHERE tenant_id = :t ORDER BY id"), {"t": tenant_id}
            )
            return found.all()


def sms(to: str, **facts: Any) -> Line:
    """Return a line that needs no consent."""
    return {"to": to, "message": "Hello", "type": "TRANSACTIONAL", **facts}


def number(place: int) -> str:
    """Return a phone number of its own for each place."""
    return f"+1813555{place:04}"
