"""A payment gateway for tests: idempotent by key, loses responses on demand, records calls."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text, update
from sqlmodel import col
from temporalio.testing import ActivityEnvironment

from activities.billing.payments import Payments
from models.enums import Channel, ChargeState, DeliveryMode, PaymentStatus, ReversalState
from models.queries.billing.upgrades.payment_events import (
    ChargeEvent,
    PaymentKey,
    StoredEvent,
    take_event,
)
from models.queries.billing.upgrades.payment_reversals import ReversalEvent
from models.rules.billing.payments import PaymentAction
from models.rules.messages.operations import UPGRADE
from models.rules.messages.reference import PaymentReference
from models.session import Database
from models.tables.payment import Payment
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered
from providers.ports.payments import (
    Charge,
    ChargeAnswer,
    ChargeLookUp,
    ChargeRequest,
    Gateways,
    RefundAnswer,
    Refunded,
    RefundRefused,
)
from tests.factories import Owner, unique
from workflows.billing.types import PaymentProgress, UpgradeStep

LOST = Ambiguous(reason="ReadTimeout")
BUSY = NotProcessed(reason="503", retry_after=timedelta(seconds=7))
UNREACHABLE = Unanswered(reason="ConnectError")


class Died(Exception):
    """The process ended here."""


@dataclass
class OwnGateway:
    """Charges once per key.

    `answers` replace the real responses, one per call, while there are any. A call answered LOST
    has had its effect.
    """

    state: ChargeState = ChargeState.SUCCEEDED
    name: str = "own"
    timeout: timedelta = timedelta(seconds=2)
    absence_window: timedelta = timedelta(0)
    answers: list[ChargeAnswer | RefundAnswer] = field(default_factory=list)
    truths: list[ChargeLookUp] = field(default_factory=list)
    states: dict[str, ChargeState] = field(default_factory=dict)
    requests: list[ChargeRequest] = field(default_factory=list)
    refunds: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    tells: tuple[int, str] | None = None
    """Reported for every charge, instead of the requested amount."""
    refuses_refunds: bool = False
    returned: set[str] = field(default_factory=set)
    """References whose money the gateway gave back by itself."""
    dies: str | None = None
    """When the process ends, once: before or after which call."""

    async def charge(self, request: ChargeRequest) -> ChargeAnswer:
        self._reachability("before charge")
        self.calls.append("charge")
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, NotProcessed):
            return answer
        self.states.setdefault(request.reference, self.state)
        self._reachability("after charge")
        assert not isinstance(answer, Refunded | RefundRefused)
        return answer or self._tell(request.reference)

    async def look_up(self, reference: str) -> ChargeLookUp:
        self._reachability("before look_up")
        self.calls.append("look_up")
        if self.truths:
            return self.truths.pop(0)
        return self._tell(reference) if reference in self.states else NotFound()

    async def cancel(self, charge_id: str) -> ChargeAnswer:
        self._reachability("before cancel")
        self.calls.append("cancel")
        answer = self.answers.pop(0) if self.answers else None
        assert not isinstance(answer, Refunded | RefundRefused)
        if isinstance(answer, NotProcessed):
            return answer
        reference = charge_id.removeprefix("ch-")
        if self.states[reference] in (ChargeState.PROCESSING, ChargeState.NEEDS_ACTION):
            self.states[reference] = ChargeState.CANCELED
        self._reachability("after cancel")
        return answer or self._tell(reference)

    async def refund(self, charge_id: str, key: str) -> RefundAnswer:
        self._reachability("before refund")
        self.calls.append("refund")
        answer = self.answers.pop(0) if self.answers else None
        assert not isinstance(answer, Charge)
        if isinstance(answer, NotProcessed | RefundRefused):
            return answer
        if self.refuses_refunds:
            return RefundRefused(provider_code="charge_disputed")
        assert self.states[charge_id.removeprefix("ch-")] is ChargeState.SUCCEEDED
        self.refunds[key] = charge_id
        self._reachability("after refund")
        return answer or Refunded(refund_id=f"re-{key}")

    def _reachability(self, moment: str) -> None:
        if self.dies == moment:
            self.dies = None
            raise Died

    def _tell(self, reference: str) -> Charge:
        asked = [r for r in self.requests if r.reference == reference]
        amount, currency = self.tells or (asked[0].amount_cents, asked[0].currency)
        return Charge(
            charge_id=f"ch-{reference}",
            state=self.states[reference],
            amount_cents=amount,
            currency=currency,
        )


class PaymentHarness:
    """One tenant's payments, the steps on them, and a gateway."""

    def __init__(self, database: Database, owner: Owner, gateway: OwnGateway) -> None:
        self.database = database
        self.owner = owner
        self.gateway = gateway
        self.mismatch_wait = timedelta(hours=1)
        self.refund_wait = timedelta(hours=72)
        gateways = Gateways({DeliveryMode.SIMULATOR: gateway})
        self.payments = Payments(database, gateways, public_url="http://us/")

    async def keep(self, payment_id: int, **columns: Any) -> None:
        """Write columns of a payment's row, as if time had passed."""
        async with self.database.transaction() as db:
            await db.execute(
                update(Payment)
                .where(
                    col(Payment.tenant_id) == self.owner.tenant_id, col(Payment.id) == payment_id
                )
                .values(**columns)
            )

    async def order(
        self, *, units: int = 5, key: str | None = None, reference: str | None = None
    ) -> int:
        """Insert an upgrade; return its id."""
        now = datetime.now(UTC)
        async with self.database.transaction() as db:
            payment = Payment(
                delivery_mode=DeliveryMode.SIMULATOR,
                tenant_id=self.owner.tenant_id,
                merchant_id=self.owner.merchant_id,
                channel=Channel.SMS,
                units=units,
                amount_cents=units * 2,
                currency="USD",
                payment_method_id="pm_secret",
                reference_id=reference or unique("ref"),
                operation=UPGRADE,
                scope="",
                idempotency_key=key,
                fingerprint="f" * 64,
                status=PaymentStatus.PENDING,
                accepted_at=now,
                sweep_at=now,
            )
            db.add(payment)
            await db.flush()
            assert payment.id is not None
            return payment.id

    async def take(self, step: str, payment_id: int) -> PaymentProgress:
        """Run one step by name."""
        body = getattr(self.payments, step)
        progress: PaymentProgress = await ActivityEnvironment().run(
            body,
            UpgradeStep(
                tenant_id=self.owner.tenant_id,
                payment_id=payment_id,
                mismatch_wait=self.mismatch_wait,
                refund_wait=self.refund_wait,
            ),
        )
        return progress

    async def carry(self, payment_id: int) -> PaymentStatus:
        """Run due steps until none is left, as the workflow does, without its waits."""
        progress = await self.take("charge", payment_id)
        steps = {
            PaymentAction.CHARGE: "charge",
            PaymentAction.AWAIT: "await_payment",
            PaymentAction.GRANT: "grant",
        }
        steps |= {PaymentAction.CANCEL_CHARGE: "cancel_charge", PaymentAction.REFUND: "refund"}
        for _ in range(30):
            if progress.next_action is PaymentAction.NONE:
                return progress.status
            progress = await self.take(steps[progress.next_action], payment_id)
        raise AssertionError(f"no end: {progress}")

    async def tell(
        self,
        payment_id: int,
        state: ChargeState,
        *,
        event_id: str | None = None,
        amount: tuple[int, str] = (10, "USD"),
    ) -> StoredEvent | None:
        """Report a charge, as the webhook does."""
        key = PaymentKey(tenant_id=self.owner.tenant_id, payment_id=payment_id)
        event = ChargeEvent(
            event_id=event_id or unique("evt"),
            charge_id=f"ch-{await self.reference(payment_id)}",
            state=state,
            amount_cents=amount[0],
            currency=amount[1],
            provider_code=None,
            reported_at=datetime.now(UTC),
        )
        return await self._take(key, event)

    async def reverse(
        self,
        payment_id: int,
        state: ReversalState,
        *,
        cents: int = 0,
        currency: str = "USD",
        at: datetime | None = None,
        event_id: str | None = None,
    ) -> StoredEvent | None:
        """Report what became of a charge after it succeeded, as the webhook does."""
        reference = str(await self.reference(payment_id))
        event = ReversalEvent(
            event_id=event_id or unique("evt"),
            charge_id=f"ch-{reference}",
            state=state,
            refunded_cents=cents,
            currency=currency,
            reported_at=at or datetime.now(UTC),
        )
        return await self._take(
            PaymentKey(tenant_id=self.owner.tenant_id, payment_id=payment_id), event
        )

    async def _take(
        self, key: PaymentKey, event: ChargeEvent | ReversalEvent
    ) -> StoredEvent | None:
        async with self.database.transaction() as db:
            return await take_event(
                db,
                key,
                self.gateway.name,
                event,
                now=datetime.now(UTC),
                grace=timedelta(seconds=5),
            )

    async def reference(self, payment_id: int) -> PaymentReference:
        """Return the gateway's reference of a payment."""
        found = await self.rows(
            "SELECT t.public_id AS tenant, p.public_id AS payment"
            "  FROM payment p JOIN tenant t ON t.id = p.tenant_id"
            " WHERE p.tenant_id = :t AND p.id = :p",
            payment_id,
        )
        return PaymentReference(tenant=found[0].tenant, payment=found[0].payment)

    async def switch(self, *, active: bool) -> None:
        """Activate or deactivate the merchant."""
        async with self.database.transaction() as db:
            await db.execute(
                text("UPDATE merchant SET active = :active WHERE tenant_id = :t AND id = :m"),
                {"active": active, "t": self.owner.tenant_id, "m": self.owner.merchant_id},
            )

    async def outlive(self, payment_id: int) -> None:
        """Let the last deadline of requests pass."""
        async with self.database.transaction() as db:
            await db.execute(
                text("UPDATE payment SET deadline = :past WHERE tenant_id = :t AND id = :p"),
                {
                    "past": datetime.now(UTC) - timedelta(seconds=1),
                    "t": self.owner.tenant_id,
                    "p": payment_id,
                },
            )

    async def row(self, payment_id: int) -> Any:
        """Return the payment's row."""
        [row] = await self.rows(
            "SELECT * FROM payment WHERE tenant_id = :t AND id = :p", payment_id
        )
        return row

    async def alerts(self) -> list[tuple[str, int, bool]]:
        """Return message, count and state of every alert."""
        found = await self.rows(
            "SELECT message, count, resolved_at IS NULL AS open FROM alert WHERE tenant_id = :t"
            " ORDER BY id"
        )
        return [(row.message, row.count, row.open) for row in found]

    async def open_alerts(self) -> list[tuple[str, str, int]]:
        """Return type, severity and count of every open alert, without failed payments."""
        found = await self.rows(
            "SELECT type, severity, count FROM alert WHERE tenant_id = :t"
            " AND resolved_at IS NULL AND type <> 'PAYMENT_FAILED' ORDER BY id"
        )
        return [(row.type, row.severity, row.count) for row in found]

    async def rows(self, sql: str, payment_id: int = 0) -> Sequence[Any]:
        async with self.database.read() as db:
            ids = {"t": self.owner.tenant_id, "p": payment_id}
            return (await db.execute(text(sql), ids)).all()

    async def broken_laws(self) -> list[str]:
        """Return every inconsistency between payments and credits; must be empty at any time."""
        payments = await self.rows("SELECT * FROM payment WHERE tenant_id = :t")
        entries = await self.rows(
            "SELECT payment_id, kind, units FROM ledger_entry WHERE tenant_id = :t ORDER BY id"
        )
        [account] = await self.rows(
            "SELECT available FROM credit_account WHERE tenant_id = :t AND channel = 'SMS'"
        )
        found = []
        granted = [(entry.payment_id, entry.kind, entry.units) for entry in entries]
        due = [(p.id, "TOPUP", p.units) for p in payments if p.fulfilled_at is not None]
        if sorted(granted) != sorted(due):
            found.append(f"granted {granted}, due {due}")
        if account.available != sum(units for _, _, units in granted):
            found.append(f"account {account.available}")
        for payment in payments:
            reference = str(await self.reference(payment.id))
            taken = self.gateway.states.get(reference) is ChargeState.SUCCEEDED
            back = (
                f"{reference}-refund" in self.gateway.refunds or reference in self.gateway.returned
            )
            owed = payment.refund_stuck_at is not None
            if payment.fulfilled_at is not None and payment.captured_cents is not None:
                found.append(f"{reference}: credits for another amount")
            ours = f"{reference}-refund" in self.gateway.refunds
            if payment.fulfilled_at is not None and (not taken or ours):
                found.append(f"{reference}: credits for no money")
            over = payment.completed_at is not None
            if over and taken and payment.fulfilled_at is None and not (back or owed):
                found.append(f"{reference}: money for nothing ({payment.status})")
        return found
