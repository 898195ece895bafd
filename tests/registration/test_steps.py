"""Registration steps: nothing is requested twice, whatever is lost or crashes."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from models.queries.registration.registrations import StateChange
from models.rules.registration.lifecycle import RegistrationAction
from models.rules.registration.vocabulary import (
    AssignmentState,
    NumberState,
    RegistrationOperation,
    RegistrationState,
    RegistryStatus,
)
from models.session import Database
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered
from providers.ports.registration import (
    AssignmentRequest,
    BrandRequest,
    CampaignRequest,
    LookUpAnswer,
    MoreCallsNeeded,
    OperationStatus,
    PurchaseRequest,
    RegistryRequest,
    ReleaseRequest,
    SubmitAnswer,
    UnassignmentRequest,
)
from tests.factories import Owner, make_message, new_message
from tests.registration.harness import DONE, PENDING, REASON, REJECTED, Harness, ScriptedRegistry
from workflows.registration.types import RegistrationResult

BRAND = RegistrationOperation.REGISTER_BRAND
CAMPAIGN = RegistrationOperation.REGISTER_CAMPAIGN
LOST = Ambiguous(reason="ReadTimeout")


@pytest.fixture
def harness(database: Database, owner: Owner) -> Any:
    """A harness with a registry."""

    def set_up(*answers: SubmitAnswer, **options: Any) -> Harness:
        return Harness(database, owner, ScriptedRegistry(*answers, **options))

    return set_up


async def test_a_brand_is_submitted_once_then_polled_until_it_is_approved(
    harness: Any,
) -> None:
    on: Harness = harness(PENDING, truths=[PENDING, DONE])
    brand = await on.brand()
    assert (await on.submit(BRAND, brand)).action is RegistrationAction.ASK
    assert (await on.submit(BRAND, brand)).action is RegistrationAction.ASK
    assert (await on.ask(BRAND, brand)).action is RegistrationAction.ASK
    last = await on.ask(BRAND, brand)
    assert last == RegistrationResult(action=RegistrationAction.OVER, state="APPROVED")
    row = await on.row(BRAND, brand)
    assert (row.vendor_id, row.reasons, row.taken_at) == ("v1", [], None)
    assert row.decided_at is not None
    [request] = on.registry.submitted
    assert isinstance(request, BrandRequest)
    assert (
        request.reference
        == f"hxr-brand-{on.owner.tenant_public_id}-{await on.shown('brand', brand)}-1"
    )
    assert request.callback_url == f"http://us/webhooks/simulator/registrations/{request.reference}"
    assert [asked.taken for asked in on.registry.asked] == [True, True]


async def test_a_look_that_takes_long_says_that_it_goes_on(harness: Any) -> None:
    on: Harness = harness(LOST)
    brand = await on.brand()
    await on.submit(BRAND, brand)
    look_up = on.registry.look_up

    async def read_lists(request: RegistryRequest) -> LookUpAnswer:
        await asyncio.sleep(1.1)
        return await look_up(request)

    on.registry.look_up = read_lists  # type: ignore[method-assign]
    await on.reconcile(BRAND, brand)
    assert len(on.beats) == 2


async def test_a_lost_answer_is_looked_for_before_anything_is_submitted_again(harness: Any) -> None:
    on: Harness = harness(LOST, truths=[PENDING, DONE])
    brand = await on.brand()
    assert (await on.submit(BRAND, brand)).action is RegistrationAction.RECONCILE
    assert (await on.submit(BRAND, brand)).action is RegistrationAction.RECONCILE
    assert (await on.reconcile(BRAND, brand)).action is RegistrationAction.ASK
    assert (await on.ask(BRAND, brand)).state == "APPROVED"
    assert len(on.registry.submitted) == 1
    assert [asked.taken for asked in on.registry.asked] == [False, True]


async def test_absence_is_concluded_only_after_the_deadline_and_the_window(harness: Any) -> None:
    on: Harness = harness(LOST, PENDING, absence_window=timedelta(seconds=30))
    brand = await on.brand()
    await on.submit(BRAND, brand)
    assert (await on.reconcile(BRAND, brand)).action is RegistrationAction.RECONCILE
    await on.expire(BRAND, brand, timedelta(seconds=29))
    assert (await on.reconcile(BRAND, brand)).action is RegistrationAction.RECONCILE
    await on.expire(BRAND, brand, timedelta(seconds=31))
    assert (await on.reconcile(BRAND, brand)).action is RegistrationAction.SUBMIT
    assert (await on.submit(BRAND, brand)).action is RegistrationAction.ASK
    assert len({request.reference for request in on.registry.submitted}) == 1


@pytest.mark.parametrize("truth", [Unanswered(reason="ConnectError"), NotFound()])
async def test_without_an_answer_a_call_stays_open_and_is_polled_again(
    harness: Any, truth: Unanswered | NotFound
) -> None:
    on: Harness = harness(PENDING, truths=[truth])
    brand = await on.brand()
    await on.submit(BRAND, brand)
    assert (await on.ask(BRAND, brand)).action is RegistrationAction.ASK
    assert (await on.submit(BRAND, brand)).action is RegistrationAction.ASK
    assert len(on.registry.submitted) == 1


async def test_a_worker_that_wakes_late_changes_nothing_its_successor_wrote(harness: Any) -> None:
    on: Harness = harness(PENDING)
    brand = await on.brand()
    frozen, thawed = asyncio.Event(), asyncio.Event()

    class Slow(ScriptedRegistry):
        async def submit(self, request: RegistryRequest) -> SubmitAnswer:
            self.submitted.append(request)
            frozen.set()
            await thawed.wait()
            return NotProcessed(reason="DeadlinePassed")

    late = Harness(on.database, on.owner, Slow())
    sleeping = asyncio.create_task(late.submit(BRAND, brand))
    await frozen.wait()
    await on.expire(BRAND, brand, timedelta(seconds=1))
    assert (await on.reconcile(BRAND, brand)).action is RegistrationAction.SUBMIT
    assert (await on.submit(BRAND, brand)).action is RegistrationAction.ASK
    thawed.set()
    assert (await sleeping).action is RegistrationAction.ASK
    assert (await on.row(BRAND, brand)).taken_at is not None


async def test_one_of_two_concurrent_workers_makes_the_call(harness: Any) -> None:
    on: Harness = harness(DONE)
    number = await on.number(_number(on))
    results = await asyncio.gather(
        *(on.submit(RegistrationOperation.BUY, number) for _ in range(5))
    )
    assert len(on.registry.submitted) == 1
    assert {result.action for result in results} <= {
        RegistrationAction.OVER,
        RegistrationAction.RECONCILE,
    }


async def test_what_was_not_processed_is_tried_again_when_the_registry_said(harness: Any) -> None:
    wait = timedelta(seconds=40)
    on: Harness = harness(NotProcessed(reason="429", retry_after=wait), DONE)
    brand = await on.brand()
    result = await on.submit(BRAND, brand)
    assert result.action is RegistrationAction.SUBMIT
    assert result.until is not None
    assert abs(result.until - datetime.now(UTC) - wait) < timedelta(seconds=5)
    assert (await on.submit(BRAND, brand)).state == "APPROVED"


async def test_a_registration_of_several_calls_remembers_each(harness: Any) -> None:
    first, second = {"bundle": "BU1"}, {"bundle": "BU1", "brand": "BN1"}
    on: Harness = harness(
        MoreCallsNeeded(vendor_state=first),
        LOST,
        OperationStatus(status=RegistryStatus.PENDING, vendor_id="BN1"),
        truths=[MoreCallsNeeded(vendor_state=second)],
    )
    brand = await on.brand()
    assert (await on.submit(BRAND, brand)).action is RegistrationAction.SUBMIT
    assert (await on.submit(BRAND, brand)).action is RegistrationAction.RECONCILE
    assert (await on.reconcile(BRAND, brand)).action is RegistrationAction.SUBMIT
    assert (await on.submit(BRAND, brand)).action is RegistrationAction.ASK
    assert [request.vendor_state for request in on.registry.submitted] == [{}, first, second]
    row = await on.row(BRAND, brand)
    assert (row.vendor_state, row.vendor_id) == (second, "BN1")


async def test_what_had_to_be_waited_for_in_between_is_followed_by_the_next_call(
    harness: Any,
) -> None:
    reviewed = {"bundle": "BU1", "reviewed": True}
    on: Harness = harness(PENDING, DONE, truths=[PENDING, MoreCallsNeeded(vendor_state=reviewed)])
    brand = await on.brand()
    assert (await on.submit(BRAND, brand)).action is RegistrationAction.ASK
    assert (await on.ask(BRAND, brand)).action is RegistrationAction.ASK
    assert (await on.ask(BRAND, brand)).action is RegistrationAction.SUBMIT
    assert (await on.submit(BRAND, brand)).state == "APPROVED"
    assert on.registry.submitted[1].vendor_state == reviewed


async def test_a_rejection_is_kept_with_its_reasons_and_warned_of_until_it_is_approved(
    harness: Any,
) -> None:
    on: Harness = harness(PENDING, truths=[REJECTED, DONE])
    brand = await on.brand()
    await on.submit(BRAND, brand)
    assert (await on.ask(BRAND, brand)).state == "REJECTED"
    row = await on.row(BRAND, brand)
    assert row.reasons == [{"code": "30794", "field": "ein", "message": REASON.message}]
    assert await on.alerts() == [(f"brand-{await on.shown('brand', brand)}", True)]

    assert await on.change_state(BRAND, brand, StateChange(state=RegistrationState.PENDING))
    await on.submit(BRAND, brand)
    assert (await on.ask(BRAND, brand)).state == "APPROVED"
    assert await on.alerts() == [(f"brand-{await on.shown('brand', brand)}", False)]
    again = on.registry.submitted[1]
    reference = f"hxr-brand-{on.owner.tenant_public_id}-{await on.shown('brand', brand)}-2"
    assert (again.reference, again.vendor_id) == (reference, "v1")


async def test_a_refusal_when_submitting_is_a_rejection(harness: Any) -> None:
    on: Harness = harness(REJECTED)
    campaign = await on.campaign()
    assert (await on.submit(CAMPAIGN, campaign)).state == "REJECTED"
    assert await on.alerts() == [(f"campaign-{await on.shown('campaign', campaign)}", True)]
    [request] = on.registry.submitted
    assert isinstance(request, CampaignRequest)
    assert request.brand_vendor_id == "b1"


async def test_a_row_without_the_operation_is_not_changed(harness: Any) -> None:
    on: Harness = harness(DONE)
    draft = await on.brand(RegistrationState.DRAFT)
    assert await on.submit(BRAND, draft) == RegistrationResult(
        action=RegistrationAction.OVER, state="DRAFT"
    )
    assert await on.ask(BRAND, 10**12) == RegistrationResult(
        action=RegistrationAction.OVER, state=""
    )
    assert (on.registry.submitted, on.registry.asked) == ([], [])


async def test_a_row_whose_registry_is_gone_waits_for_it(harness: Any) -> None:
    on: Harness = harness(DONE)
    brand = await on.brand()
    on.registry.account = "elsewhere"
    away = Harness(on.database, on.owner, on.registry)
    result = await away.submit(BRAND, brand)
    assert (result.action, on.registry.submitted) == (RegistrationAction.SUBMIT, [])
    assert result.until is not None


async def test_a_bought_number_becomes_a_sender_of_its_merchant(harness: Any) -> None:
    on: Harness = harness(DONE)
    number = await on.number(_number(on))
    assert (await on.submit(RegistrationOperation.BUY, number)).state == "ACTIVE"
    assert await _senders(on) == [(_number(on), on.owner.merchant_id)]
    assert isinstance(on.registry.submitted[0], PurchaseRequest)
    assert await on.alerts() == []


async def test_a_number_bought_by_another_customer_fails_with_a_reason_and_no_alert(
    harness: Any,
) -> None:
    on: Harness = harness(REJECTED)
    number = await on.number(_number(on))
    assert (await on.submit(RegistrationOperation.BUY, number)).state == "FAILED"
    assert await _senders(on) == []
    assert (await on.row(RegistrationOperation.BUY, number)).reasons[0]["code"] == "30794"
    assert await on.alerts() == []


async def test_a_failed_assignment_is_warned_of_and_may_be_tried_again(harness: Any) -> None:
    on: Harness = harness(REJECTED, DONE)
    campaign = await on.campaign(RegistrationState.APPROVED, vendor_id="c1")
    number = await on.number(
        _number(on),
        NumberState.ACTIVE,
        campaign_id=campaign,
        assignment=AssignmentState.PENDING,
        vendor_id="n1",
    )
    assert (await on.submit(RegistrationOperation.ASSIGN, number)).state == "FAILED"
    assert await on.alerts() == [(f"number-{await on.shown('messaging_number', number)}", True)]
    assert await on.change_state(
        RegistrationOperation.ASSIGN, number, StateChange(assignment=AssignmentState.PENDING)
    )
    assert (await on.submit(RegistrationOperation.ASSIGN, number)).state == "ASSIGNED"
    assert await on.alerts() == [(f"number-{await on.shown('messaging_number', number)}", False)]
    request = on.registry.submitted[0]
    assert type(request) is AssignmentRequest
    assert (request.vendor_id, request.campaign_vendor_id) == ("n1", "c1")


async def test_an_unassigned_number_is_released_and_forgotten_with_who_stood_in_its_line(
    harness: Any,
) -> None:
    on: Harness = harness(DONE, OperationStatus(status=RegistryStatus.DONE))
    number = await _bought(on)
    message = await make_message(on.database, new_message(on.owner))
    await _join_line(on, message)
    await on.change_state(
        RegistrationOperation.UNASSIGN, number, StateChange(assignment=AssignmentState.UNASSIGNING)
    )

    assert (
        await on.submit(RegistrationOperation.UNASSIGN, number)
    ).action is RegistrationAction.OVER
    row = await on.row(RegistrationOperation.RELEASE, number)
    assert (row.state, row.assignment, row.taken_at) == ("RELEASING", "UNASSIGNED", None)
    assert (await on.submit(RegistrationOperation.RELEASE, number)).state == "RELEASED"
    assert await _senders(on) == []
    assert [type(request) for request in on.registry.submitted[1:]] == [
        UnassignmentRequest,
        ReleaseRequest,
    ]
    assert len({request.reference for request in on.registry.submitted}) == 3


async def test_a_number_that_cannot_be_unassigned_is_kept(harness: Any) -> None:
    on: Harness = harness(DONE, REJECTED)
    number = await _bought(on)
    await on.change_state(
        RegistrationOperation.UNASSIGN, number, StateChange(assignment=AssignmentState.UNASSIGNING)
    )
    assert (
        await on.submit(RegistrationOperation.UNASSIGN, number)
    ).action is RegistrationAction.OVER
    row = await on.row(RegistrationOperation.UNASSIGN, number)
    assert (row.state, row.assignment) == ("ACTIVE", "UNASSIGN_FAILED")
    assert len(await _senders(on)) == 1


async def test_no_personal_data_is_in_logs_or_sent_to_temporal(
    harness: Any, caplog: pytest.LogCaptureFixture
) -> None:
    on: Harness = harness(LOST)
    brand = await on.brand()
    with caplog.at_level(logging.DEBUG):
        told = await on.submit(BRAND, brand)
    assert on.registry.submitted
    assert caplog.records
    shown = f"{told} {on.registry.submitted} {[vars(record) for record in caplog.records]}"
    for private in ("123456789", "+18135551234", "owner@gym-a", "Main Street", "Gym A LLC"):
        assert private not in shown


def _number(on: Harness) -> str:
    return f"+1813{on.owner.tenant_id % 10**7:07d}"


async def _bought(on: Harness) -> int:
    """Return a bought number that is assigned to a campaign."""
    campaign = await on.campaign(RegistrationState.APPROVED, vendor_id="c1")
    number = await on.number(_number(on))
    assert (await on.submit(RegistrationOperation.BUY, number)).state == "ACTIVE"
    await on.change_state(
        RegistrationOperation.ASSIGN,
        number,
        StateChange(assignment=AssignmentState.PENDING),
        campaign_id=campaign,
    )
    async with on.database.transaction() as db:
        row = await db.merge(await on.row(RegistrationOperation.ASSIGN, number))
        row.assignment, row.sweep_at = AssignmentState.ASSIGNED, None
    return number


async def _senders(on: Harness) -> list[Any]:
    return await on.rows(
        "SELECT number, merchant_id FROM sender_number"
        " WHERE tenant_id = :tenant AND merchant_id IS NOT NULL"
    )


async def _join_line(on: Harness, message: int) -> None:
    async with on.database.transaction() as db:
        await db.execute(
            text(
                "INSERT INTO sender_queue (tenant_id, message_id, sender_id, channel, priority,"
                " merchant_id, turn, units, queued_at)"
                " SELECT tenant_id, :message, id, 'SMS', 2, merchant_id, 0, 1, now()"
                " FROM sender_number WHERE tenant_id = :tenant AND merchant_id IS NOT NULL"
            ),
            {"message": message, "tenant": on.owner.tenant_id},
        )
