"""The registration workflows: submit once, reconcile a lost answer, poll until it is decided."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.testing import WorkflowEnvironment

from models.rules.registration.vocabulary import RegistrationKind, RegistrationOperation
from tests.workflows.harness import HarnessFactory
from tests.workflows.registration_harness import (
    APPROVED,
    ASK,
    INPUT,
    RECONCILE,
    REJECTED,
    SUBMIT,
    WAITS,
    RegistrationRun,
    scripted,
)
from workflows.registration.types import RegistrationResult, RegistrationStep
from workflows.registration.workflow import (
    AssignNumber,
    BuyNumber,
    RegisterBrand,
    RegisterCampaign,
    ReturnNumber,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture
def start_run(harness: HarnessFactory, skipping: WorkflowEnvironment) -> Any:
    """Start a harness for one registration."""

    def set_up(**script: Any) -> RegistrationRun:
        return scripted(harness, skipping.client, **script)

    return set_up


@pytest.mark.parametrize(
    ("kind", "registry_operation"),
    [
        (RegisterBrand, RegistrationOperation.REGISTER_BRAND),
        (RegisterCampaign, RegistrationOperation.REGISTER_CAMPAIGN),
        (BuyNumber, RegistrationOperation.BUY),
        (AssignNumber, RegistrationOperation.ASSIGN),
    ],
)
async def test_an_immediate_decision_needs_one_step(
    start_run: Any, kind: Any, registry_operation: RegistrationOperation
) -> None:
    registration: RegistrationRun = start_run(submit=[APPROVED])
    async with registration.harness:
        assert await registration.play(kind) == "APPROVED"
        assert await registration.timers() == []
    assert registration.submitted == [
        RegistrationStep(
            tenant_id=3,
            kind=RegistrationKind.BRAND,
            row_id=7,
            registry_operation=registry_operation,
        )
    ]


async def test_a_decision_that_takes_days_is_polled_with_back_off(start_run: Any) -> None:
    registration: RegistrationRun = start_run(submit=[ASK], ask=[*[ASK] * 60, REJECTED])
    async with registration.harness:
        assert await registration.play(RegisterBrand) == "REJECTED"
        waits = await registration.timers()
    assert waits[0] == WAITS.ask_first
    assert waits == sorted(waits)
    assert waits[-1] == WAITS.ask_longest
    assert sum(waits, timedelta()) > timedelta(days=1)
    assert len(registration.submitted) == 1


async def test_an_event_of_the_registry_ends_the_wait(start_run: Any) -> None:
    registration: RegistrationRun = start_run(submit=[ASK], ask=[ASK, APPROVED])
    async with registration.harness:
        await registration.start(RegisterBrand)
        await registration.until_it_waits(1)
        await registration.tell()
        await registration.until_it_waits(2)
        await registration.tell()
        assert await registration.end() == "APPROVED"
    assert len(registration.asked) == 2


async def test_a_look_for_a_lost_answer_may_read_long_lists_but_not_die_unseen(
    start_run: Any,
) -> None:
    budgets = []

    def look(_: RegistrationStep) -> RegistrationResult:
        budgets.append(activity.info())
        return ASK

    registration: RegistrationRun = start_run(submit=[RECONCILE], reconcile=[look], ask=[APPROVED])
    async with registration.harness:
        await registration.play(RegisterBrand)
    [budget] = budgets
    assert budget.start_to_close_timeout == timedelta(minutes=10)
    assert budget.heartbeat_timeout == timedelta(seconds=5)


async def test_a_lost_answer_is_looked_for_at_once_then_again_and_never_submitted_blind(
    start_run: Any,
) -> None:
    registration: RegistrationRun = start_run(
        submit=[RECONCILE], reconcile=[RECONCILE, RECONCILE, ASK], ask=[APPROVED]
    )
    async with registration.harness:
        assert await registration.play(RegisterBrand) == "APPROVED"
        waits = await registration.timers()
    assert waits == [WAITS.reconcile_every, WAITS.reconcile_every, WAITS.ask_first]
    assert registration.harness.asked == [
        "submit_registration",
        *["reconcile_registration"] * 3,
        "ask_registration",
    ]


async def test_only_what_is_surely_absent_is_submitted_again(start_run: Any) -> None:
    registration: RegistrationRun = start_run(
        submit=[RECONCILE, APPROVED], reconcile=[RECONCILE, SUBMIT]
    )
    async with registration.harness:
        assert await registration.play(BuyNumber) == "APPROVED"
    assert registration.harness.asked == [
        "submit_registration",
        "reconcile_registration",
        "reconcile_registration",
        "submit_registration",
    ]


async def test_a_registration_of_several_calls_goes_on_without_a_wait(start_run: Any) -> None:
    registration: RegistrationRun = start_run(submit=[SUBMIT, SUBMIT, APPROVED])
    async with registration.harness:
        assert await registration.play(RegisterBrand) == "APPROVED"
        assert await registration.timers() == []


async def test_what_was_not_processed_is_tried_again_not_before_the_registry_said(
    start_run: Any, skipping: WorkflowEnvironment
) -> None:
    now = await skipping.get_current_time()
    later = RegistrationResult(
        action=SUBMIT.action, state="PENDING", until=now.astimezone(UTC) + 10 * MINUTE
    )
    at_once = RegistrationResult(
        action=SUBMIT.action, state="PENDING", until=datetime(2020, 1, 1, tzinfo=UTC)
    )
    registration: RegistrationRun = start_run(submit=[later, at_once, APPROVED])
    async with registration.harness:
        assert await registration.play(RegisterBrand) == "APPROVED"
        first, second = await registration.timers()
    assert 9 * MINUTE < first <= 10 * MINUTE
    assert second >= WAITS.reconcile_every


async def test_a_step_that_cannot_be_done_is_tried_until_it_can(start_run: Any) -> None:
    away = ConnectionError("no database")
    registration: RegistrationRun = start_run(submit=[away, away, ASK], ask=[away, APPROVED])
    async with registration.harness:
        assert await registration.play(RegisterBrand) == "APPROVED"


async def test_a_brand_resubmitted_while_its_workflow_ends_is_continued(start_run: Any) -> None:
    async def rejected_and_resubmitted(_: RegistrationStep) -> RegistrationResult:
        await registration.tell()
        return REJECTED

    registration: RegistrationRun = start_run(
        submit=[ASK, APPROVED], ask=[rejected_and_resubmitted]
    )
    async with registration.harness:
        assert await registration.play(RegisterBrand) == "APPROVED"
    assert len(registration.submitted) == 2


async def test_a_number_is_unassigned_before_it_is_released(start_run: Any) -> None:
    unassigned = RegistrationResult(action=APPROVED.action, state="RELEASING")
    released = RegistrationResult(action=APPROVED.action, state="RELEASED")
    registration: RegistrationRun = start_run(submit=[ASK, released], ask=[unassigned])
    async with registration.harness:
        assert await registration.play(ReturnNumber) == "RELEASED"
    assert [step.registry_operation for step in registration.submitted] == [
        RegistrationOperation.UNASSIGN,
        RegistrationOperation.RELEASE,
    ]


async def test_a_registration_replays_after_every_step(start_run: Any) -> None:
    registration: RegistrationRun = start_run(
        submit=[RECONCILE], reconcile=[RECONCILE, ASK], ask=[ASK, APPROVED], cached=0
    )
    async with registration.harness:
        assert await registration.play(RegisterCampaign) == "APPROVED"


async def test_the_payloads_hold_only_ids_enum_values_and_times() -> None:
    assert set(INPUT.__dataclass_fields__) == {"tenant_id", "kind", "row_id", "public_id", "waits"}
    ids = {"tenant_id", "kind", "row_id", "public_id", "registry_operation"}
    assert set(RegistrationStep.__dataclass_fields__) == ids
    assert set(RegistrationResult.__dataclass_fields__) == {"action", "state", "until"}
