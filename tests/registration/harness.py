"""One merchant with its rows and a scripted registry, and the activities on a real database."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.registration.registrations import Registering
from models.enums import DeliveryMode
from models.queries.registration import registrations
from models.queries.registration.registrations import Row, StateChange
from models.rules.registration.vocabulary import (
    NumberState,
    NumberType,
    RegistrationKind,
    RegistrationOperation,
    RegistrationState,
    RegistryStatus,
)
from models.session import Database
from models.tables.messaging import Brand, Campaign, MessagingNumber
from providers.ports.messages import NotFound
from providers.ports.registration import (
    LookUpAnswer,
    NumberOffers,
    OperationStatus,
    Reason,
    RegistryRequest,
    SearchAnswer,
    SubmitAnswer,
)
from providers.registries import Registries
from tests.factories import Owner
from tests.registration.test_checks import BRAND, CAMPAIGN
from tests.shown_ids import shown
from workflows.registration.types import RegistrationResult, RegistrationStep

PENDING = OperationStatus(status=RegistryStatus.PENDING, vendor_id="v1")
DONE = OperationStatus(status=RegistryStatus.DONE, vendor_id="v1")
REASON = Reason(code="30794", field="ein", message="The EIN does not belong to this name.")
REJECTED = OperationStatus(status=RegistryStatus.REJECTED, vendor_id="v1", reasons=(REASON,))
LOOK_AFTER = timedelta(minutes=1)
LOST_AFTER = timedelta(hours=1)


class ScriptedRegistry:
    """Scripted answers; the last one is repeated."""

    name = "simulator"
    account = "simulator"
    timeout = timedelta(seconds=2)

    def __init__(
        self,
        *answers: SubmitAnswer,
        truths: Iterable[LookUpAnswer] = (NotFound(),),
        absence_window: timedelta = timedelta(0),
        offers: SearchAnswer = NumberOffers(numbers=()),
    ) -> None:
        self.absence_window = absence_window
        self.submitted: list[RegistryRequest] = []
        self.asked: list[RegistryRequest] = []
        self._answers = list(answers) or [PENDING]
        self._truths = list(truths)
        self._offers = offers

    async def submit(self, request: RegistryRequest) -> SubmitAnswer:
        self.submitted.append(request)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    async def look_up(self, request: RegistryRequest) -> LookUpAnswer:
        self.asked.append(request)
        return self._truths.pop(0) if len(self._truths) > 1 else self._truths[0]

    async def search_numbers(
        self, *, area_code: str | None, type: NumberType, limit: int
    ) -> SearchAnswer:
        return self._offers


class Harness:
    """Everything that a test of a registration needs."""

    def __init__(self, database: Database, owner: Owner, registry: ScriptedRegistry) -> None:
        self.database = database
        self.owner = owner
        self.registry = registry
        self.beats: list[None] = []
        """Heartbeats of the activities."""
        registries = Registries([registry], {DeliveryMode.SIMULATOR: registry.name})
        self.registering = Registering(
            database,
            registries,
            public_url="http://us/",
            look_after=LOOK_AFTER,
            lost_after=LOST_AFTER,
        )

    async def add(self, row: Row) -> int:
        """Insert a row; return its id."""
        async with self.database.transaction() as db:
            db.add(row)
            await db.flush()
            assert row.id is not None
            return row.id

    async def shown(self, table: str, row_id: int) -> int:
        """Return the public id of a row."""
        return await shown(self.database, table, row_id)

    async def brand(
        self, state: RegistrationState = RegistrationState.PENDING, **facts: Any
    ) -> int:
        """Add a submitted brand."""
        return await self.add(Brand(**{**self._facts(state, asdict(BRAND)), **facts}))

    async def campaign(
        self, state: RegistrationState = RegistrationState.PENDING, **facts: Any
    ) -> int:
        """Add a campaign under an approved brand."""
        brand = await self.approved_brand()
        known = {**self._facts(state, asdict(CAMPAIGN)), "brand_id": brand, **facts}
        return await self.add(Campaign(**known))

    async def approved_brand(self) -> int:
        """Return the merchant's brand, approved."""
        found = await self.rows("SELECT id FROM brand WHERE tenant_id = :tenant")
        if found:
            brand: int = found[0][0]
            return brand
        return await self.brand(RegistrationState.APPROVED, vendor_id="b1", sweep_at=None)

    async def number(
        self, number: str, state: NumberState = NumberState.REQUESTED, **facts: Any
    ) -> int:
        """Add a number."""
        common = self._facts(state, None)
        known = {**common, "number": number, "type": NumberType.LOCAL, **facts}
        return await self.add(MessagingNumber(**known))

    async def submit(
        self, registry_operation: RegistrationOperation, row_id: int
    ) -> RegistrationResult:
        return await self._run(self.registering.submit, registry_operation, row_id)

    async def reconcile(
        self, registry_operation: RegistrationOperation, row_id: int
    ) -> RegistrationResult:
        return await self._run(self.registering.reconcile, registry_operation, row_id)

    async def ask(
        self, registry_operation: RegistrationOperation, row_id: int
    ) -> RegistrationResult:
        return await self._run(self.registering.ask, registry_operation, row_id)

    async def row(self, registry_operation: RegistrationOperation, row_id: int) -> Any:
        """Return a row."""
        async with self.database.transaction() as db:
            return await registrations.lock_row(
                db, kind=kind_of(registry_operation), tenant_id=self.owner.tenant_id, row_id=row_id
            )

    async def change_state(
        self,
        registry_operation: RegistrationOperation,
        row_id: int,
        change: StateChange,
        **facts: Any,
    ) -> bool:
        """Change the state of a row, as the API does."""
        async with self.database.transaction() as db:
            row = await registrations.lock_row(
                db, kind=kind_of(registry_operation), tenant_id=self.owner.tenant_id, row_id=row_id
            )
            assert row is not None
            for name, value in facts.items():
                setattr(row, name, value)
            return registrations.change_state(
                row, change, now=datetime.now(UTC), look_after=LOOK_AFTER
            )

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        """Query the rows of the tenant."""
        async with self.database.read() as db:
            found = await db.execute(text(statement), {"tenant": self.owner.tenant_id, **values})
            return [tuple(row) for row in found]

    async def alerts(self) -> list[tuple[str, bool]]:
        """Return the subjects of the tenant's compliance alerts, and whether each is open."""
        return await self.rows(
            "SELECT subject, resolved_at IS NULL FROM alert WHERE tenant_id = :tenant"
            " AND type = 'COMPLIANCE_REJECTED' AND channel = 'SMS' ORDER BY id"
        )

    async def expire(
        self, registry_operation: RegistrationOperation, row_id: int, ago: timedelta
    ) -> None:
        """Move the deadline of the current call into the past."""
        table = {"brand": "brand", "campaign": "campaign", "number": "messaging_number"}
        async with self.database.transaction() as db:
            await db.execute(
                text(
                    f"UPDATE {table[kind_of(registry_operation)]} SET deadline = :past"
                    " WHERE tenant_id = :tenant AND id = :id"
                ),
                {
                    "past": datetime.now(UTC) - ago,
                    "tenant": self.owner.tenant_id,
                    "id": row_id,
                },
            )

    def _facts(self, state: Any, profile: dict[str, Any] | None) -> dict[str, Any]:
        now = datetime.now(UTC)
        facts = {
            "tenant_id": self.owner.tenant_id,
            "merchant_id": self.owner.merchant_id,
            "provider": self.registry.name,
            "account": self.registry.account,
            "state": state,
            "submission": 1,
            "sweep_at": now + LOOK_AFTER,
            "created_at": now,
            "updated_at": now,
        }
        return facts if profile is None else {**facts, "profile": profile}

    async def _run(
        self, body: Any, registry_operation: RegistrationOperation, row_id: int
    ) -> RegistrationResult:
        step = RegistrationStep(
            tenant_id=self.owner.tenant_id,
            kind=kind_of(registry_operation),
            row_id=row_id,
            registry_operation=registry_operation,
        )
        environment = ActivityEnvironment()
        environment.on_heartbeat = lambda *_: self.beats.append(None)
        result: RegistrationResult = await environment.run(body, step)
        return result


def kind_of(registry_operation: RegistrationOperation) -> RegistrationKind:
    """Return the kind of row of an operation."""
    match registry_operation:
        case RegistrationOperation.REGISTER_BRAND:
            return RegistrationKind.BRAND
        case RegistrationOperation.REGISTER_CAMPAIGN:
            return RegistrationKind.CAMPAIGN
        case _:
            return RegistrationKind.NUMBER
