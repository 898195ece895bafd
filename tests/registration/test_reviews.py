"""Reviews of approved brands and campaigns: what a lost one means for its numbers, and no calls."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from models.enums import DeliveryMode
from models.queries.registration.registrations import StateChange
from models.rules.registration.lifecycle import RegistrationAction
from models.rules.registration.vocabulary import (
    RegistrationKind,
    RegistrationOperation,
    RegistrationState,
)
from models.session import Database
from providers.ports.messages import NotFound
from providers.ports.registration import MoreCallsNeeded
from tests.factories import Owner
from tests.registration.harness import Harness, ScriptedRegistry
from tests.registration.test_suspended import STILL, SUSPENDED, due, registered
from tests.senders.test_choice import ask, switch

BRAND, CAMPAIGN = RegistrationOperation.REGISTER_BRAND, RegistrationOperation.REGISTER_CAMPAIGN
PENDING = RegistrationState.PENDING


async def lost(harness: Harness, operation: RegistrationOperation, row_id: int) -> None:
    """Review a row that the registry does not find any more, for longer than it waits."""
    await due(harness)
    await harness.ask(operation, row_id)
    table = "brand" if operation is BRAND else "campaign"
    async with harness.database.transaction() as db:
        await db.execute(
            text(f"UPDATE {table} SET lost_at = now() - interval '2 hours' WHERE id = :id"),
            {"id": row_id},
        )
    await harness.ask(operation, row_id)


@pytest.mark.parametrize("operation", [BRAND, CAMPAIGN])
async def test_the_numbers_of_a_lost_campaign_must_be_assigned_again(
    database: Database, owner: Owner, operation: RegistrationOperation
) -> None:
    harness = Harness(database, owner, ScriptedRegistry(STILL, truths=[NotFound()]))
    brand, campaign, _ = await registered(harness)
    await switch(database, owner, DeliveryMode.LIVE)
    row_id = brand if operation is BRAND else campaign
    await lost(harness, operation, row_id)
    [(assignment, reasons)] = await harness.rows(
        "SELECT assignment, reasons FROM messaging_number WHERE tenant_id = :tenant"
    )
    assert (assignment, [reason["code"] for reason in reasons]) == (
        "FAILED",
        ["UNKNOWN_AT_REGISTRY"],
    )
    await harness.change_state(operation, row_id, StateChange(state=PENDING))
    await harness.submit(operation, row_id)
    assert (await harness.row(operation, row_id)).state == RegistrationState.APPROVED
    refused = await ask(database, owner)
    assert (refused.sender, refused.unregistered) == (None, True)


async def test_a_suspended_campaign_that_is_then_lost_loses_its_numbers_too(
    database: Database, owner: Owner
) -> None:
    registry = ScriptedRegistry(truths=[SUSPENDED, NotFound()])
    harness = Harness(database, owner, registry)
    _, campaign, _ = await registered(harness)
    await due(harness)
    await harness.ask(CAMPAIGN, campaign)
    await harness.change_state(CAMPAIGN, campaign, StateChange(state=PENDING))
    await harness.submit(CAMPAIGN, campaign)
    await lost(harness, CAMPAIGN, campaign)
    assert await harness.rows(
        "SELECT assignment FROM messaging_number WHERE tenant_id = :tenant"
    ) == [("FAILED",)]


async def test_an_assignment_that_is_under_way_when_the_campaign_is_lost_fails(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, ScriptedRegistry(truths=[NotFound()]))
    _, campaign, _ = await registered(harness)
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE messaging_number SET assignment = 'PENDING' WHERE tenant_id = :t"),
            {"t": owner.tenant_id},
        )
    await lost(harness, CAMPAIGN, campaign)
    assert await harness.rows(
        "SELECT assignment, sweep_at FROM messaging_number WHERE tenant_id = :tenant"
    ) == [("FAILED", None)]


@pytest.mark.parametrize("operation", [BRAND, CAMPAIGN])
async def test_a_review_makes_no_call_that_submits(
    database: Database, owner: Owner, operation: RegistrationOperation
) -> None:
    more = MoreCallsNeeded(vendor_state={"turn": 2})
    harness = Harness(database, owner, ScriptedRegistry(truths=[more, STILL]))
    brand, campaign, number = await registered(harness)
    await switch(database, owner, DeliveryMode.LIVE)
    row_id = brand if operation is BRAND else campaign
    await due(harness)
    before = (await harness.row(operation, row_id)).vendor_state
    assert (await harness.ask(operation, row_id)).action is RegistrationAction.ASK
    assert (await harness.submit(operation, row_id)).action is RegistrationAction.ASK
    assert harness.registry.submitted == []
    assert (await harness.row(operation, row_id)).vendor_state == before
    assert (await harness.ask(operation, row_id)).action is RegistrationAction.OVER
    assert (await ask(database, owner)).sender == number


@pytest.mark.parametrize("called", [False, True])
async def test_a_review_only_asks_whatever_its_row_says(
    database: Database, owner: Owner, called: bool
) -> None:
    harness = Harness(database, owner, ScriptedRegistry(truths=[STILL]))
    brand = await harness.brand(
        RegistrationState.APPROVED,
        vendor_id="b1",
        review_since=datetime.now(UTC),
        taken_at=None,
        deadline=datetime.now(UTC) if called else None,
    )
    assert (await harness.submit(BRAND, brand)).action is RegistrationAction.ASK
    assert (await harness.reconcile(BRAND, brand)).action is RegistrationAction.ASK
    assert harness.registry.submitted == []


async def test_a_number_that_an_operator_vouched_for_is_neither_stopped_nor_resumed(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, ScriptedRegistry(STILL, truths=[SUSPENDED]))
    _, campaign, number = await registered(harness, bought_at=None)
    await switch(database, owner, DeliveryMode.LIVE)
    since = "SELECT registered_at FROM sender_number WHERE tenant_id = :tenant AND number = :number"
    vouched = await harness.rows(since, number=number)
    assert [kind for kind, _ in await due(harness)] == [
        RegistrationKind.BRAND,
        RegistrationKind.CAMPAIGN,
    ]
    await harness.ask(CAMPAIGN, campaign)
    assert (await ask(database, owner)).sender == number
    await harness.change_state(CAMPAIGN, campaign, StateChange(state=PENDING))
    await harness.submit(CAMPAIGN, campaign)
    assert await harness.rows(since, number=number) == vouched
