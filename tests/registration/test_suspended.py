"""Approvals that the registry revokes: the merchant gets an alert, and cannot send any more."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from models.enums import DeliveryMode
from models.queries.registration.registrations import StateChange
from models.queries.system.sweep_registrations import take_stalled
from models.rules.registration.lifecycle import REVIEW_EVERY, RegistrationAction
from models.rules.registration.vocabulary import (
    AssignmentState,
    NumberState,
    RegistrationKind,
    RegistrationOperation,
    RegistrationState,
    RegistryStatus,
)
from models.session import Database
from models.tables.tenant import SenderNumber
from providers.ports.messages import NotFound, Unanswered
from providers.ports.registration import OperationStatus, Reason
from tests.factories import Owner
from tests.registration.harness import Harness, ScriptedRegistry
from tests.senders.test_choice import ask, switch

BRAND, CAMPAIGN = RegistrationOperation.REGISTER_BRAND, RegistrationOperation.REGISTER_CAMPAIGN
APPROVED, REJECTED = RegistrationState.APPROVED, RegistrationState.REJECTED
SUSPENDED = OperationStatus(
    status=RegistryStatus.REJECTED,
    vendor_id="v1",
    reasons=(Reason(code="SUSPENDED", field=None, message="The campaign was suspended."),),
)
EXPIRED = replace(
    SUSPENDED, reasons=(Reason(code="EXPIRED", field=None, message="The campaign expired."),)
)
STILL = OperationStatus(status=RegistryStatus.DONE, vendor_id="v1")


async def registered(harness: Harness, *, bought_at: str | None = "twilio") -> tuple[int, int, str]:
    """Return an approved brand, campaign and assigned number; None: an operator added it."""
    brand = await harness.brand(APPROVED, vendor_id="b1", sweep_at=None)
    campaign = await harness.campaign(APPROVED, vendor_id="c1", sweep_at=None)
    number = f"+1212{harness.owner.tenant_id:07d}"
    now = datetime.now(UTC)
    await harness.number(
        number,
        NumberState.ACTIVE,
        campaign_id=campaign,
        assignment=AssignmentState.ASSIGNED,
        sweep_at=None,
    )
    async with harness.database.transaction() as db:
        db.add(
            SenderNumber(
                number=number,
                tenant_id=harness.owner.tenant_id,
                merchant_id=harness.owner.merchant_id,
                provider=bought_at,
                account=bought_at,
                registered_at=now,
                created_at=now,
            )
        )
    return brand, campaign, number


async def due(harness: Harness) -> list[tuple[RegistrationKind, int]]:
    """Let the next review be due; return what the sweeper passes on."""
    async with harness.database.transaction() as db:
        for table in ("brand", "campaign"):
            await db.execute(
                text(
                    f"UPDATE {table} SET sweep_at = now() - interval '1 second'"
                    " WHERE tenant_id = :t AND state = 'APPROVED'"
                ),
                {"t": harness.owner.tenant_id},
            )
    found = []
    for kind in (RegistrationKind.BRAND, RegistrationKind.CAMPAIGN):
        async with harness.database.transaction() as db:
            rows = await take_stalled(
                db,
                kind=kind,
                now=datetime.now(UTC),
                grace=timedelta(seconds=10),
                longest=timedelta(hours=1),
                most=100,
            )
        found += [(r.kind, r.row_id) for r in rows if r.tenant_id == harness.owner.tenant_id]
    return found


@pytest.mark.parametrize("answer", [SUSPENDED, EXPIRED], ids=["suspended", "expired"])
@pytest.mark.parametrize("operation", [BRAND, CAMPAIGN])
async def test_what_is_taken_back_is_rejected_alerted_and_stops_texts(
    database: Database, owner: Owner, operation: RegistrationOperation, answer: OperationStatus
) -> None:
    harness = Harness(database, owner, ScriptedRegistry(truths=[answer]))
    brand, campaign, number = await registered(harness)
    await switch(database, owner, DeliveryMode.LIVE)
    assert (await ask(database, owner)).sender == number
    await due(harness)
    row_id = brand if operation is BRAND else campaign
    assert (await harness.submit(operation, row_id)).action is RegistrationAction.ASK
    result = await harness.ask(operation, row_id)
    assert (result.action, result.state) == (RegistrationAction.OVER, "REJECTED")
    row = await harness.row(operation, row_id)
    assert [reason["code"] for reason in row.reasons] == [answer.reasons[0].code]
    kind = "brand" if operation is BRAND else "campaign"
    assert await harness.alerts() == [(f"{kind}-{await harness.shown(kind, row_id)}", True)]
    refused = await ask(database, owner)
    assert (refused.sender, refused.unregistered) == (None, True)


@pytest.mark.parametrize("answer", [STILL, Unanswered(reason="down")], ids=["still", "silent"])
async def test_a_review_that_finds_nothing_new_changes_nothing(
    database: Database, owner: Owner, answer: OperationStatus | Unanswered
) -> None:
    harness = Harness(database, owner, ScriptedRegistry(truths=[answer]))
    _, campaign, number = await registered(harness)
    await switch(database, owner, DeliveryMode.LIVE)
    await due(harness)
    result = await harness.ask(CAMPAIGN, campaign)
    row = await harness.row(CAMPAIGN, campaign)
    over = isinstance(answer, OperationStatus)
    assert (row.state, result.action) == (
        APPROVED,
        RegistrationAction.OVER if over else RegistrationAction.ASK,
    )
    assert await harness.alerts() == []
    assert (await ask(database, owner)).sender == number
    if over:
        assert row.sweep_at > datetime.now(UTC) + REVIEW_EVERY / 2


async def test_the_sweeper_hands_on_what_is_due_for_review(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, ScriptedRegistry())
    brand, campaign, _ = await registered(harness)
    assert await due(harness) == [
        (RegistrationKind.BRAND, brand),
        (RegistrationKind.CAMPAIGN, campaign),
    ]


async def test_an_approval_sets_the_time_of_the_next_review(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, ScriptedRegistry(truths=[STILL]))
    brand = await harness.brand(taken_at=datetime.now(UTC))
    await harness.ask(BRAND, brand)
    row = await harness.row(BRAND, brand)
    assert (row.state, row.sweep_at > datetime.now(UTC) + REVIEW_EVERY / 2) == (APPROVED, True)


async def test_an_operation_lost_for_long_enough_is_rejected(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, ScriptedRegistry(truths=[NotFound()]))
    _, campaign, _ = await registered(harness)
    await due(harness)
    await harness.ask(CAMPAIGN, campaign)
    assert (await harness.row(CAMPAIGN, campaign)).state == APPROVED
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE campaign SET lost_at = now() - interval '2 hours' WHERE id = :id"),
            {"id": campaign},
        )
    await harness.ask(CAMPAIGN, campaign)
    row = await harness.row(CAMPAIGN, campaign)
    assert (row.state, row.reasons[0]["code"]) == (REJECTED, "UNKNOWN_AT_REGISTRY")


@pytest.mark.parametrize("operation", [BRAND, CAMPAIGN])
async def test_texts_go_again_once_it_is_corrected_and_approved(
    database: Database, owner: Owner, operation: RegistrationOperation
) -> None:
    harness = Harness(database, owner, ScriptedRegistry(STILL, truths=[SUSPENDED]))
    brand, campaign, number = await registered(harness)
    await switch(database, owner, DeliveryMode.LIVE)
    row_id = brand if operation is BRAND else campaign
    await due(harness)
    await harness.ask(operation, row_id)
    assert (await ask(database, owner)).sender is None
    await harness.change_state(operation, row_id, StateChange(state=RegistrationState.PENDING))
    await harness.submit(operation, row_id)
    assert (await harness.row(operation, row_id)).state == APPROVED
    assert (await ask(database, owner)).sender == number
    assert [is_open for _, is_open in await harness.alerts()] == [False]


async def test_an_approval_keeps_the_approved_profile_of_a_campaign(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, ScriptedRegistry(truths=[STILL, SUSPENDED]))
    campaign = await harness.campaign(taken_at=datetime.now(UTC))
    await harness.ask(CAMPAIGN, campaign)
    approved = await harness.row(CAMPAIGN, campaign)
    assert approved.approved_profile == approved.profile
    await due(harness)
    await harness.ask(CAMPAIGN, campaign)
    await harness.change_state(
        CAMPAIGN,
        campaign,
        StateChange(state=RegistrationState.DRAFT),
        profile={**approved.profile, "help_message": "Not approved."},
    )
    assert (await harness.row(CAMPAIGN, campaign)).approved_profile == approved.approved_profile
