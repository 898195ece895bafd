"""Operations that a registry has lost, and late answers: neither reverts anything."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from models.queries.registration.registrations import StateChange
from models.queries.senders.number_claims import claim_number
from models.rules.registration.lifecycle import RegistrationAction
from models.rules.registration.vocabulary import (
    AssignmentState,
    NumberState,
    RegistrationOperation,
    RegistrationState,
    RegistryStatus,
)
from models.session import Database
from providers.ports.messages import NotFound, Unanswered
from providers.ports.registration import (
    LookUpAnswer,
    MoreCallsNeeded,
    OperationStatus,
    RegistryRequest,
)
from tests.factories import Owner
from tests.registration.harness import (
    DONE,
    LOST_AFTER,
    PENDING,
    REJECTED,
    Harness,
    ScriptedRegistry,
    kind_of,
)

BRAND = RegistrationOperation.REGISTER_BRAND
LATE = LOST_AFTER + timedelta(seconds=1)
AWAY = Unanswered(reason="ConnectError")


@pytest.fixture
def harness(database: Database, owner: Owner) -> Callable[..., Harness]:
    """A harness with a scripted registry."""

    def set_up(*truths: LookUpAnswer, **options: Any) -> Harness:
        return Harness(database, owner, ScriptedRegistry(PENDING, truths=truths, **options))

    return set_up


async def pass_time(
    on: Harness, registry_operation: RegistrationOperation, row_id: int, by: timedelta
) -> None:
    """Let it have been lost for so much longer."""
    table = {"brand": "brand", "campaign": "campaign", "number": "messaging_number"}
    async with on.database.transaction() as db:
        name = table[kind_of(registry_operation)]
        statement = f"UPDATE {name} SET lost_at = lost_at - :by WHERE id = :id"
        await db.execute(text(statement), {"by": by, "id": row_id})


async def lost(on: Harness, registry_operation: RegistrationOperation, row_id: int) -> str:
    """Have an operation accepted and then lost for long; return its final state."""
    await on.submit(registry_operation, row_id)
    assert (await on.ask(registry_operation, row_id)).action is RegistrationAction.ASK
    await pass_time(on, registry_operation, row_id, LATE)
    ended = await on.ask(registry_operation, row_id)
    assert ended.action is RegistrationAction.OVER
    return ended.state


async def test_a_brand_lost_by_the_registry_is_rejected_and_may_be_registered_again(
    harness: Callable[..., Harness],
) -> None:
    on = harness(NotFound(), NotFound(), DONE)
    brand = await on.brand()
    assert await lost(on, BRAND, brand) == "REJECTED"
    row = await on.row(BRAND, brand)
    assert [reason["code"] for reason in row.reasons] == ["UNKNOWN_AT_REGISTRY"]
    assert await on.alerts() == [(f"brand-{await on.shown('brand', brand)}", True)]
    assert len(on.registry.submitted) == 1, "nothing is submitted again by itself"

    await on.change_state(BRAND, brand, StateChange(state=RegistrationState.PENDING))
    await on.submit(BRAND, brand)
    again = on.registry.submitted[1]
    assert (again.vendor_id, again.vendor_state) == (None, {}), "there is nothing to amend"
    assert again.reference != on.registry.submitted[0].reference
    assert (await on.ask(BRAND, brand)).state == "APPROVED"
    assert await on.alerts() == [(f"brand-{await on.shown('brand', brand)}", False)]


@pytest.mark.parametrize("between", [PENDING, MoreCallsNeeded(vendor_state={"turn": 2})])
async def test_an_operation_found_again_is_not_lost(
    harness: Callable[..., Harness], between: LookUpAnswer
) -> None:
    on = harness(NotFound(), between, NotFound())
    brand = await on.brand()
    await on.submit(BRAND, brand)
    await on.ask(BRAND, brand)
    await pass_time(on, BRAND, brand, LATE)
    await on.ask(BRAND, brand)
    await on.submit(BRAND, brand)
    assert (await on.ask(BRAND, brand)).state == "PENDING"


async def test_a_registry_that_is_away_forgets_nothing(harness: Callable[..., Harness]) -> None:
    on = harness(NotFound(), AWAY)
    brand = await on.brand()
    await on.submit(BRAND, brand)
    await on.ask(BRAND, brand)
    await pass_time(on, BRAND, brand, LATE)
    assert (await on.ask(BRAND, brand)).state == "PENDING"


async def test_a_forgotten_purchase_fails_and_lets_the_number_go(
    harness: Callable[..., Harness],
) -> None:
    on = harness(NotFound())
    number = f"+1813{on.owner.tenant_id % 10**7:07d}"
    row_id = await on.number(number)
    async with on.database.transaction() as db:
        assert await claim_number(
            db,
            number=number,
            tenant_id=on.owner.tenant_id,
            merchant_id=on.owner.merchant_id,
            provider="simulator",
            account="simulator",
            now=datetime.now(UTC),
        )
    assert await lost(on, RegistrationOperation.BUY, row_id) == "FAILED"
    assert await on.rows("SELECT 1 FROM sender_number WHERE number = :n", n=number) == []
    assert len(on.registry.submitted) == 1


async def test_a_forgotten_assignment_fails_and_the_number_stays_bought(
    harness: Callable[..., Harness],
) -> None:
    on = harness(NotFound())
    campaign = await on.campaign(RegistrationState.APPROVED, vendor_id="c1")
    row_id = await on.number(
        f"+1813{on.owner.tenant_id % 10**7:07d}",
        NumberState.ACTIVE,
        campaign_id=campaign,
        assignment=AssignmentState.PENDING,
        vendor_id="n1",
    )
    on.registry._answers = [OperationStatus(status=RegistryStatus.PENDING)]
    assert await lost(on, RegistrationOperation.ASSIGN, row_id) == "FAILED"
    row = await on.row(RegistrationOperation.ASSIGN, row_id)
    assert (row.state, row.vendor_id) == ("ACTIVE", "n1")
    assert await on.alerts() == [(f"number-{await on.shown('messaging_number', row_id)}", True)]


class Slow(ScriptedRegistry):
    """Looks up, and answers much later with the old state."""

    def __init__(self, seen: LookUpAnswer) -> None:
        super().__init__()
        self.looked, self.tell = asyncio.Event(), asyncio.Event()
        self._seen = seen

    async def look_up(self, request: RegistryRequest) -> LookUpAnswer:
        self.looked.set()
        await self.tell.wait()
        return self._seen


OLD, NEW = {"bundle": "BU1"}, {"bundle": "BU1", "brand": "BN1"}


@pytest.mark.parametrize(
    "seen",
    [
        MoreCallsNeeded(vendor_state=OLD),
        OperationStatus(status=RegistryStatus.PENDING, vendor_id="old", vendor_state=OLD),
        REJECTED,
        NotFound(),
    ],
)
async def test_what_was_seen_before_the_row_was_carried_on_is_not_written_after_it(
    harness: Callable[..., Harness], seen: LookUpAnswer
) -> None:
    on = harness(MoreCallsNeeded(vendor_state=NEW))
    brand = await on.brand()
    await on.submit(BRAND, brand)
    slow = Slow(seen)
    late = asyncio.create_task(Harness(on.database, on.owner, slow).ask(BRAND, brand))
    await slow.looked.wait()
    assert (await on.ask(BRAND, brand)).action is RegistrationAction.SUBMIT
    assert (await on.submit(BRAND, brand)).action is RegistrationAction.ASK
    before = await on.row(BRAND, brand)
    slow.tell.set()
    assert (await late).action is RegistrationAction.ASK
    assert await on.row(BRAND, brand) == before
    assert (before.vendor_state, before.vendor_id, before.state) == (NEW, "v1", "PENDING")


async def test_an_older_look_up_does_not_revert_a_newer_one(
    harness: Callable[..., Harness],
) -> None:
    told = OperationStatus(status=RegistryStatus.PENDING, vendor_id="v2", vendor_state=NEW)
    on = harness(told)
    brand = await on.brand()
    await on.submit(BRAND, brand)
    slow = Slow(OperationStatus(status=RegistryStatus.PENDING, vendor_id="v1", vendor_state=OLD))
    late = asyncio.create_task(Harness(on.database, on.owner, slow).ask(BRAND, brand))
    await slow.looked.wait()
    await on.ask(BRAND, brand)
    slow.tell.set()
    await late
    row = await on.row(BRAND, brand)
    assert (row.vendor_id, row.vendor_state) == ("v2", NEW)
