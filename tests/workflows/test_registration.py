"""The stories of 10DLC: submit once, find the truth of a lost answer, ask until it is decided."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.testing import WorkflowEnvironment

from models.rules.registration.vocabulary import RegistrationKind, RegistrationOperation
from tests.workflows.harness import Staging
from tests.workflows.registration_harness import (
    APPROVED,
    ASK,
    ORDER,
    RECONCILE,
    REJECTED,
    SUBMIT,
    WAITS,
    Story,
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
def story(harness: Staging, skipping: WorkflowEnvironment) -> Any:
    """Set a stage for a story."""

    def set_up(**script: Any) -> Story:
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
async def test_what_is_decided_at_once_needs_one_step(
    story: Any, kind: Any, registry_operation: RegistrationOperation
) -> None:
    told: Story = story(submit=[APPROVED])
    async with told.harness:
        assert await told.play(kind) == "APPROVED"
        assert await told.timers() == []
    assert told.submitted == [
        RegistrationStep(
            tenant_id=3,
            kind=RegistrationKind.BRAND,
            row_id=7,
            registry_operation=registry_operation,
        )
    ]


async def test_a_decision_that_takes_days_is_asked_for_ever_more_seldom(story: Any) -> None:
    told: Story = story(submit=[ASK], ask=[*[ASK] * 60, REJECTED])
    async with told.harness:
        assert await told.play(RegisterBrand) == "REJECTED"
        waits = await told.timers()
    assert waits[0] == WAITS.ask_first
    assert waits == sorted(waits)
    assert waits[-1] == WAITS.ask_longest
    assert sum(waits, timedelta()) > timedelta(days=1)
    assert len(told.submitted) == 1


async def test_news_of_the_registry_end_the_wait(story: Any) -> None:
    told: Story = story(submit=[ASK], ask=[ASK, APPROVED])
    async with told.harness:
        await told.start(RegisterBrand)
        await told.until_it_waits(1)
        await told.tell()
        await told.until_it_waits(2)
        await told.tell()
        assert await told.end() == "APPROVED"
    assert len(told.asked) == 2


async def test_a_look_for_a_lost_answer_may_read_long_lists_but_not_die_unseen(story: Any) -> None:
    budgets = []

    def look(_: RegistrationStep) -> RegistrationResult:
        budgets.append(activity.info())
        return ASK

    told: Story = story(submit=[RECONCILE], reconcile=[look], ask=[APPROVED])
    async with told.harness:
        await told.play(RegisterBrand)
    [budget] = budgets
    assert budget.start_to_close_timeout == timedelta(minutes=10)
    assert budget.heartbeat_timeout == timedelta(seconds=5)


async def test_a_lost_answer_is_looked_for_at_once_then_again_and_never_submitted_blind(
    story: Any,
) -> None:
    told: Story = story(submit=[RECONCILE], reconcile=[RECONCILE, RECONCILE, ASK], ask=[APPROVED])
    async with told.harness:
        assert await told.play(RegisterBrand) == "APPROVED"
        waits = await told.timers()
    assert waits == [WAITS.reconcile_every, WAITS.reconcile_every, WAITS.ask_first]
    assert told.harness.asked == [
        "submit_registration",
        *["reconcile_registration"] * 3,
        "ask_registration",
    ]


async def test_only_what_is_surely_absent_is_submitted_again(story: Any) -> None:
    told: Story = story(submit=[RECONCILE, APPROVED], reconcile=[RECONCILE, SUBMIT])
    async with told.harness:
        assert await told.play(BuyNumber) == "APPROVED"
    assert told.harness.asked == [
        "submit_registration",
        "reconcile_registration",
        "reconcile_registration",
        "submit_registration",
    ]


async def test_a_registration_of_several_calls_goes_on_without_a_wait(story: Any) -> None:
    told: Story = story(submit=[SUBMIT, SUBMIT, APPROVED])
    async with told.harness:
        assert await told.play(RegisterBrand) == "APPROVED"
        assert await told.timers() == []


async def test_what_was_not_processed_is_tried_again_not_before_the_registry_said(
    story: Any, skipping: WorkflowEnvironment
) -> None:
    now = await skipping.get_current_time()
    later = RegistrationResult(
        move=SUBMIT.move, state="PENDING", until=now.astimezone(UTC) + 10 * MINUTE
    )
    at_once = RegistrationResult(
        move=SUBMIT.move, state="PENDING", until=datetime(2020, 1, 1, tzinfo=UTC)
    )
    told: Story = story(submit=[later, at_once, APPROVED])
    async with told.harness:
        assert await told.play(RegisterBrand) == "APPROVED"
        first, second = await told.timers()
    assert 9 * MINUTE < first <= 10 * MINUTE
    assert second >= WAITS.reconcile_every


async def test_a_step_that_cannot_be_done_is_tried_until_it_can(story: Any) -> None:
    away = ConnectionError("no database")
    told: Story = story(submit=[away, away, ASK], ask=[away, APPROVED])
    async with told.harness:
        assert await told.play(RegisterBrand) == "APPROVED"


async def test_a_brand_submitted_anew_while_its_story_ends_is_carried_on(story: Any) -> None:
    async def rejected_and_resubmitted(_: RegistrationStep) -> RegistrationResult:
        await told.tell()
        return REJECTED

    told: Story = story(submit=[ASK, APPROVED], ask=[rejected_and_resubmitted])
    async with told.harness:
        assert await told.play(RegisterBrand) == "APPROVED"
    assert len(told.submitted) == 2


async def test_a_number_is_unassigned_before_it_is_released(story: Any) -> None:
    unassigned = RegistrationResult(move=APPROVED.move, state="RELEASING")
    released = RegistrationResult(move=APPROVED.move, state="RELEASED")
    told: Story = story(submit=[ASK, released], ask=[unassigned])
    async with told.harness:
        assert await told.play(ReturnNumber) == "RELEASED"
    assert [step.registry_operation for step in told.submitted] == [
        RegistrationOperation.UNASSIGN,
        RegistrationOperation.RELEASE,
    ]


async def test_a_story_replays_after_every_step(story: Any) -> None:
    told: Story = story(
        submit=[RECONCILE], reconcile=[RECONCILE, ASK], ask=[ASK, APPROVED], cached=0
    )
    async with told.harness:
        assert await told.play(RegisterCampaign) == "APPROVED"


async def test_an_order_says_nothing_but_ids_words_and_times() -> None:
    assert set(ORDER.__dataclass_fields__) == {"tenant_id", "kind", "row_id", "public_id", "waits"}
    ids = {"tenant_id", "kind", "row_id", "public_id", "registry_operation"}
    assert set(RegistrationStep.__dataclass_fields__) == ids
    assert set(RegistrationResult.__dataclass_fields__) == {"move", "state", "until"}
