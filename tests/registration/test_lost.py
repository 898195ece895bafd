"""What a registry has forgotten, and what it told too late: nothing is undone by either."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from models.queries.registration.registrations import Steps
from models.queries.senders.number_claims import claim_number
from models.rules.registration.lifecycle import Move
from models.rules.registration.vocabulary import (
    AssignmentState,
    Errand,
    NumberState,
    RegistrationState,
    Standing,
)
from models.session import Database
from providers.ports.messages import NotFound, NoTruth
from providers.ports.registration import Advanced, LookUpAnswer, RegistryRequest, Stands
from tests.factories import Owner
from tests.registration.harness import (
    DONE,
    LOST_AFTER,
    PENDING,
    REJECTED,
    ScriptedRegistry,
    Stage,
    kind_of,
)

BRAND = Errand.REGISTER_BRAND
LATE = LOST_AFTER + timedelta(seconds=1)
AWAY = NoTruth(reason="ConnectError")


@pytest.fixture
def stage(database: Database, owner: Owner) -> Callable[..., Stage]:
    """Set a stage with a registry that takes everything, and then says what it is told."""

    def set_up(*truths: LookUpAnswer, **options: Any) -> Stage:
        return Stage(database, owner, ScriptedRegistry(PENDING, truths=truths, **options))

    return set_up


async def pass_time(on: Stage, errand: Errand, row_id: int, by: timedelta) -> None:
    """Have it been lost for so much longer."""
    table = {"brand": "brand", "campaign": "campaign", "number": "messaging_number"}
    async with on.database.transaction() as db:
        statement = f"UPDATE {table[kind_of(errand)]} SET lost_at = lost_at - :by WHERE id = :id"
        await db.execute(text(statement), {"by": by, "id": row_id})


async def lost(on: Stage, errand: Errand, row_id: int) -> str:
    """Have an errand taken and then forgotten for long; return the state it ends in."""
    await on.submit(errand, row_id)
    assert (await on.ask(errand, row_id)).move is Move.ASK
    await pass_time(on, errand, row_id, LATE)
    ended = await on.ask(errand, row_id)
    assert ended.move is Move.OVER
    return ended.state


async def test_a_brand_the_registry_forgot_is_rejected_and_may_be_registered_anew(
    stage: Callable[..., Stage],
) -> None:
    on = stage(NotFound(), NotFound(), DONE)
    brand = await on.brand()
    assert await lost(on, BRAND, brand) == "REJECTED"
    row = await on.row(BRAND, brand)
    assert [reason["code"] for reason in row.reasons] == ["UNKNOWN_AT_REGISTRY"]
    assert await on.alerts() == [(f"brand-{brand}", True)]
    assert len(on.registry.submitted) == 1, "nothing is submitted again by itself"

    await on.move(BRAND, brand, Steps(state=RegistrationState.PENDING))
    await on.submit(BRAND, brand)
    again = on.registry.submitted[1]
    assert (again.vendor_id, again.vendor_state) == (None, {}), "there is nothing to amend"
    assert again.reference != on.registry.submitted[0].reference
    assert (await on.ask(BRAND, brand)).state == "APPROVED"
    assert await on.alerts() == [(f"brand-{brand}", False)]


@pytest.mark.parametrize("between", [PENDING, Advanced(vendor_state={"turn": 2})])
async def test_what_is_found_again_was_never_lost(
    stage: Callable[..., Stage], between: LookUpAnswer
) -> None:
    on = stage(NotFound(), between, NotFound())
    brand = await on.brand()
    await on.submit(BRAND, brand)
    await on.ask(BRAND, brand)
    await pass_time(on, BRAND, brand, LATE)
    await on.ask(BRAND, brand)
    await on.submit(BRAND, brand)
    assert (await on.ask(BRAND, brand)).state == "PENDING"


async def test_a_registry_that_is_away_forgets_nothing(stage: Callable[..., Stage]) -> None:
    on = stage(NotFound(), AWAY)
    brand = await on.brand()
    await on.submit(BRAND, brand)
    await on.ask(BRAND, brand)
    await pass_time(on, BRAND, brand, LATE)
    assert (await on.ask(BRAND, brand)).state == "PENDING"


async def test_a_forgotten_purchase_fails_and_lets_the_number_go(
    stage: Callable[..., Stage],
) -> None:
    on = stage(NotFound())
    number = f"+1813{on.owner.tenant_id:07d}"
    row_id = await on.number(number)
    async with on.database.transaction() as db:
        assert await claim_number(
            db,
            number=number,
            tenant_id=on.owner.tenant_id,
            merchant_id=on.owner.merchant_id,
            provider="simulator",
            now=datetime.now(UTC),
        )
    assert await lost(on, Errand.BUY, row_id) == "FAILED"
    assert await on.rows("SELECT 1 FROM sender_number WHERE number = :n", n=number) == []
    assert len(on.registry.submitted) == 1


async def test_a_forgotten_assignment_fails_and_the_number_stays_bought(
    stage: Callable[..., Stage],
) -> None:
    on = stage(NotFound())
    campaign = await on.campaign(RegistrationState.APPROVED, vendor_id="c1")
    row_id = await on.number(
        f"+1813{on.owner.tenant_id:07d}",
        NumberState.ACTIVE,
        campaign_id=campaign,
        assignment=AssignmentState.PENDING,
        vendor_id="n1",
    )
    on.registry._answers = [Stands(standing=Standing.PENDING)]
    assert await lost(on, Errand.ASSIGN, row_id) == "FAILED"
    row = await on.row(Errand.ASSIGN, row_id)
    assert (row.state, row.vendor_id) == ("ACTIVE", "n1")
    assert await on.alerts() == [(f"number-{row_id}", True)]


class Slow(ScriptedRegistry):
    """Looks, and tells what it saw much later."""

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
        Advanced(vendor_state=OLD),
        Stands(standing=Standing.PENDING, vendor_id="old", vendor_state=OLD),
        REJECTED,
        NotFound(),
    ],
)
async def test_what_was_seen_before_the_row_was_carried_on_is_not_written_after_it(
    stage: Callable[..., Stage], seen: LookUpAnswer
) -> None:
    on = stage(Advanced(vendor_state=NEW))
    brand = await on.brand()
    await on.submit(BRAND, brand)
    slow = Slow(seen)
    late = asyncio.create_task(Stage(on.database, on.owner, slow).ask(BRAND, brand))
    await slow.looked.wait()
    assert (await on.ask(BRAND, brand)).move is Move.SUBMIT
    assert (await on.submit(BRAND, brand)).move is Move.ASK
    before = await on.row(BRAND, brand)
    slow.tell.set()
    assert (await late).move is Move.ASK
    assert await on.row(BRAND, brand) == before
    assert (before.vendor_state, before.vendor_id, before.state) == (NEW, "v1", "PENDING")


async def test_an_older_look_does_not_undo_what_a_newer_one_told(
    stage: Callable[..., Stage],
) -> None:
    told = Stands(standing=Standing.PENDING, vendor_id="v2", vendor_state=NEW)
    on = stage(told)
    brand = await on.brand()
    await on.submit(BRAND, brand)
    slow = Slow(Stands(standing=Standing.PENDING, vendor_id="v1", vendor_state=OLD))
    late = asyncio.create_task(Stage(on.database, on.owner, slow).ask(BRAND, brand))
    await slow.looked.wait()
    await on.ask(BRAND, brand)
    slow.tell.set()
    await late
    row = await on.row(BRAND, brand)
    assert (row.vendor_id, row.vendor_state) == ("v2", NEW)
