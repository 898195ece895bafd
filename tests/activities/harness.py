"""One tenant, its providers, and the activities on a real database."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.messages.account_health import AccountHealth
from activities.messages.dispatch import Dispatching
from activities.messages.inline_report_wait import InlineReportWait
from activities.messages.provider_slots import Slots
from activities.messages.reconcile import Reconciliation
from activities.messages.settle import Settlement
from models.enums import (
    AttemptState,
    Channel,
    ConsentStatus,
    DeliveryMode,
    ErrorCode,
    MessageStatus,
    ReportStatus,
)
from models.queries.consent.consents import lock_contact
from models.queries.messages import dispatch as dispatching
from models.queries.messages.receipts import AttemptKey, NewReceipt, StoredReceipt
from models.queries.messages.report_intake import take_report
from models.rules.messages.delivery_events import Mismatch
from models.session import Database, WriteSession
from models.tables.consent import Consent
from providers.ports.messages import MessageProvider
from providers.routing import Routes
from tests.activities.doubles import own_id
from tests.contacts import key_of
from tests.factories import Owner, make_message, new_message
from tests.shown_ids import reference_of
from workflows.messages.types import (
    DispatchResult,
    DispatchStep,
    Ending,
    PollStep,
    ReconcileResult,
    ReconcileStep,
    SettleResult,
    SettleStep,
)

Step = TypeVar("Step")
Result = TypeVar("Result")
TO = "+18135551234"


class Harness:
    """Everything that a test of an activity needs."""

    def __init__(
        self,
        database: Database,
        owner: Owner,
        *providers: MessageProvider,
        slots: int | Slots = 20,
        report_timeout: timedelta = timedelta(0),
        mode: DeliveryMode = DeliveryMode.SIMULATOR,
        public_url: str = "http://us/",
        routes: Routes | None = None,
        health: AccountHealth | None = None,
    ) -> None:
        self.database = database
        self.owner = owner
        names = [provider.account for provider in providers]
        routes = routes or Routes(providers, {mode: names})
        self.dispatching = Dispatching(
            database,
            routes,
            public_url=public_url,
            slots=slots,
            inline_report_wait=InlineReportWait(database, report_timeout),
            health=health,
        )
        self._truth = Reconciliation(database, routes)
        self._ledger = Settlement(database, routes)

    async def accept(self, **wanted: Any) -> int:
        """Accept a message; return its id."""
        return await make_message(self.database, new_message(self.owner, **wanted))

    async def dispatch(
        self, message_id: int, *, queued: bool = False, budget: timedelta | None = None
    ) -> DispatchResult:
        body = self.dispatching.dispatch_queued if queued else self.dispatching.dispatch
        step = DispatchStep(tenant_id=self.owner.tenant_id, message_id=message_id, budget=budget)
        return await _run(body, step)

    async def reconcile(self, message_id: int) -> ReconcileResult:
        step = ReconcileStep(tenant_id=self.owner.tenant_id, message_id=message_id)
        return await _run(self._truth.reconcile, step)

    async def poll(self, message_id: int) -> bool:
        step = PollStep(tenant_id=self.owner.tenant_id, message_id=message_id)
        return (await _run(self._truth.poll, step)).reported

    async def settle(
        self, message_id: int, ending: Ending, error_code: ErrorCode | None = None
    ) -> tuple[MessageStatus, bool]:
        """End a message; return its status and whether it is completed."""
        step = SettleStep(
            tenant_id=self.owner.tenant_id,
            message_id=message_id,
            ending=ending,
            error_code=error_code,
        )
        settled: SettleResult = await _run(self._ledger.settle, step)
        return settled.status, settled.completed

    async def crash(
        self, message_id: int, *, deadline_in: timedelta, provider: str, listed: bool = False
    ) -> None:
        """Commit a claim and crash before the call has an outcome."""
        now = datetime.now(UTC)
        ids = {"tenant_id": self.owner.tenant_id, "message_id": message_id}
        async with self.database.transaction() as db:
            assert await dispatching.lock_for_dispatch(db, **ids)
            await dispatching.claim(
                db,
                **ids,
                number=1,
                provider=provider,
                account=provider,
                now=now,
                deadline=now + deadline_in,
                grace=timedelta(minutes=1),
                listed=listed,
            )

    async def tell(
        self,
        message_id: int,
        status: ReportStatus,
        *,
        event_id: str = "e1",
        tenant_id: int | None = None,
        provider: str = "one",
        attempt: int = 1,
        received: datetime | None = None,
        price: str | None = None,
        id: str | None = None,
        **facts: Any,
    ) -> StoredReceipt | Mismatch:
        """Store a provider's report, as the webhook does."""
        tenant_id = self.owner.tenant_id if tenant_id is None else tenant_id
        own = id or own_id(await self.reference(message_id, attempt))
        receipt = NewReceipt(
            attempt=AttemptKey(
                tenant_id=tenant_id, message_id=message_id, public_id=0, number=attempt
            ),
            account=provider,
            event_id=event_id,
            provider_message_id=own,
            status=status,
            **facts,
            price=None if price is None else Decimal(price),
            reported_at=datetime.now(UTC),
        )
        return await take_report(self.database, receipt, received or datetime.now(UTC))

    async def reference(self, message_id: int, attempt: int = 1) -> str:
        """Return the provider's reference of an attempt."""
        return await reference_of(self.database, self.owner.tenant_id, message_id, attempt)

    async def opt_out(self, db: WriteSession, contact: str = TO) -> None:
        """Write an opt-out in the caller's transaction, under the contact's lock."""
        tenant, merchant = self.owner.tenant_id, self.owner.merchant_id
        await lock_contact(db, tenant, merchant, Channel.SMS, key_of(contact), shared=False)
        db.add(
            Consent(
                tenant_id=tenant,
                merchant_id=merchant,
                channel=Channel.SMS,
                contact_key=key_of(contact),
                contact=contact,
                status=ConsentStatus.OPT_OUT,
                source="test",
                version=0,
                updated_at=datetime.now(UTC),
            )
        )
        await db.flush()

    async def attempts(self, message_id: int) -> list[tuple[str, AttemptState]]:
        """Return provider and state of every attempt, oldest first."""
        found = await self.rows(
            "SELECT provider, state FROM attempt WHERE tenant_id = :t AND message_id = :m"
            " ORDER BY number",
            message_id,
        )
        return [(row.provider, AttemptState(row.state)) for row in found]

    async def status(self, message_id: int) -> MessageStatus:
        return MessageStatus((await self.message(message_id)).status)

    async def message(self, message_id: int) -> Any:
        found = await self.rows(
            "SELECT * FROM message WHERE tenant_id = :t AND id = :m", message_id
        )
        return found[0]

    async def units(self) -> tuple[int, int]:
        """Return the held and used units of all sends of this tenant."""
        found = await self.rows(
            "SELECT sum(held)::int AS held, sum(used)::int AS used FROM allowance_month"
            " WHERE tenant_id = :t"
        )
        return found[0].held, found[0].used

    async def usage(self, message_id: int) -> list[int]:
        """Return the units of a message's usage record, if it has one."""
        found = await self.rows(
            "SELECT units FROM usage_record WHERE tenant_id = :t AND message_id = :m", message_id
        )
        return [row.units for row in found]

    async def open_receipts(self, message_id: int) -> int:
        found = await self.rows(
            "SELECT 1 FROM receipt WHERE tenant_id = :t AND message_id = :m AND applied_at IS NULL",
            message_id,
        )
        return len(found)

    async def rows(self, sql: str, message_id: int = 0) -> Sequence[Any]:
        async with self.database.read() as db:
            named = {"t": self.owner.tenant_id, "m": message_id}
            ids = {name: value for name, value in named.items() if f":{name}" in sql}
            return (await db.execute(text(sql), ids)).all()


async def _run(body: Callable[[Step], Awaitable[Result]], step: Step) -> Result:
    return await ActivityEnvironment().run(body, step)
