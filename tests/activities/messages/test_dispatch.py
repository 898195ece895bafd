"""Dispatching: every provider answer, every reason not to send, and no second send."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from models.enums import AttemptState, ErrorCode, MessageStatus, ReportStatus
from models.queries.messages import conclude
from models.queries.messages.dispatch import lock_for_dispatch
from models.rules.system.failures import TransientError
from models.session import Database
from providers.ports.messages import Answer, NotProcessed, SmsRequest
from tests.activities.doubles import (
    ACCEPTED,
    AMBIGUOUS,
    NOT_PROCESSED,
    REFUSED,
    REFUSED_EVERYWHERE,
    Scripted,
)
from tests.activities.harness import TO, Harness
from tests.factories import Owner, make_owner
from workflows.messages.types import DispatchResult, Ending, Verdict

A, V = AttemptState, Verdict
SECOND = timedelta(seconds=1)


def result(
    verdict: Verdict, *, provider: str = "one", attempt: int = 1, error: ErrorCode | None = None
) -> DispatchResult:
    return DispatchResult(verdict=verdict, provider=provider, attempt=attempt, error_code=error)


@pytest.mark.parametrize(
    ("answer", "verdict", "state", "status"),
    [
        (ACCEPTED, result(V.ACCEPTED), A.ACCEPTED, MessageStatus.SENT),
        (AMBIGUOUS, result(V.AMBIGUOUS), A.AMBIGUOUS, MessageStatus.SENDING),
        (
            REFUSED,
            result(V.REFUSED, error=ErrorCode.PROVIDER_REFUSED),
            A.REFUSED,
            MessageStatus.SENDING,
        ),
        (
            REFUSED_EVERYWHERE,
            result(V.REFUSED, error=ErrorCode.BAD_DESTINATION),
            A.REFUSED,
            MessageStatus.SENDING,
        ),
    ],
)
async def test_every_answer_is_stored_and_returned(
    database: Database,
    owner: Owner,
    answer: Answer,
    verdict: DispatchResult,
    state: AttemptState,
    status: MessageStatus,
) -> None:
    harness = Harness(database, owner, Scripted(answer))
    message_id = await harness.accept()
    assert await harness.dispatch(message_id) == verdict
    assert await harness.attempts(message_id) == [("one", state)]
    row = await harness.message(message_id)
    assert (row.status, row.attempts, row.provider) == (status, 1, "one")


async def test_a_request_names_its_attempt_and_ends_with_it(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = Harness(database, owner, provider)
    message_id = await harness.accept(body="Hello")
    began = datetime.now(UTC)
    await harness.dispatch(message_id)
    request = provider.sent[0]
    reference = await harness.reference(message_id)
    assert request == SmsRequest(
        to=TO,
        sender=owner.sender,
        body="Hello",
        reference=reference,
        callback_url=f"http://us/webhooks/one/{reference}",
        not_after=request.not_after,
    )
    assert provider.timeout < request.not_after - began < provider.timeout + 2 * SECOND


@pytest.mark.parametrize(
    ("answer", "least"),
    [
        (NOT_PROCESSED, SECOND),
        (NotProcessed(reason="503", retry_after=30 * SECOND), 30 * SECOND),
    ],
)
async def test_what_was_not_processed_is_tried_again_later(
    database: Database, owner: Owner, answer: Answer, least: timedelta
) -> None:
    harness = Harness(database, owner, Scripted(answer))
    message_id = await harness.accept()
    before = datetime.now(UTC)
    handed = await harness.dispatch(message_id)
    assert handed.verdict is Verdict.LATER
    assert handed.until is not None
    assert least <= handed.until - before < least + SECOND
    again = await harness.dispatch(message_id)
    assert again.attempt == 2
    assert again.until is not None
    assert again.until - datetime.now(UTC) > max(least, 2 * SECOND) - SECOND / 2


async def test_what_was_not_processed_goes_to_the_next_provider_at_once(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, Scripted(NOT_PROCESSED), Scripted(name="two"))
    message_id = await harness.accept()
    assert await harness.dispatch(message_id) == result(V.LATER)
    assert await harness.dispatch(message_id) == result(V.ACCEPTED, provider="two", attempt=2)
    assert await harness.attempts(message_id) == [("one", A.NOT_PROCESSED), ("two", A.ACCEPTED)]


async def test_what_one_provider_refused_the_next_may_take(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, Scripted(REFUSED), Scripted(name="two"))
    message_id = await harness.accept()
    assert await harness.dispatch(message_id) == result(V.LATER)
    assert await harness.dispatch(message_id) == result(V.ACCEPTED, provider="two", attempt=2)


async def test_a_refusal_by_every_provider_tries_no_other(database: Database, owner: Owner) -> None:
    second = Scripted(name="two")
    harness = Harness(database, owner, Scripted(REFUSED_EVERYWHERE), second)
    message_id = await harness.accept()
    handed = await harness.dispatch(message_id)
    assert handed == result(V.REFUSED, error=ErrorCode.BAD_DESTINATION)
    assert second.sent == []


async def test_a_refusal_stays_final_when_its_answer_to_the_workflow_was_lost(
    database: Database, owner: Owner
) -> None:
    """Local activity markers are lost with their task: the step runs again after a crash."""
    second = Scripted(name="two")
    harness = Harness(database, owner, Scripted(REFUSED_EVERYWHERE), second)
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    again = await harness.dispatch(message_id)
    assert second.sent == []
    assert (again.verdict, again.error_code) == (Verdict.BLOCKED, ErrorCode.BAD_DESTINATION)


async def test_without_a_provider_nothing_is_claimed(database: Database, owner: Owner) -> None:
    harness = Harness(database, owner)
    message_id = await harness.accept()
    handed = await harness.dispatch(message_id)
    assert handed == DispatchResult(verdict=V.REFUSED, error_code=ErrorCode.NO_PROVIDER)
    assert await harness.attempts(message_id) == []


async def test_the_send_time_is_that_of_the_answer_not_of_the_request(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, Scripted())
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=SECOND, provider="one")
    answered = datetime.now(UTC) + 3 * SECOND
    async with database.transaction() as db:
        await conclude.conclude(
            db,
            tenant_id=owner.tenant_id,
            message_id=message_id,
            number=1,
            state=A.ACCEPTED,
            now=answered,
        )
    assert (await harness.message(message_id)).sent_at == answered


async def test_after_a_crash_in_mid_call_nothing_is_sent_again(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=-SECOND, provider="one")
    assert await harness.dispatch(message_id) == DispatchResult(verdict=V.AMBIGUOUS)
    assert provider.sent == []
    assert await harness.attempts(message_id) == [("one", A.REQUESTED)]


async def test_an_adapter_that_breaks_leaves_the_attempt_open(
    database: Database, owner: Owner
) -> None:
    provider = Scripted(RuntimeError("a bug"))
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    with pytest.raises(RuntimeError):
        await harness.dispatch(message_id)
    assert await harness.dispatch(message_id) == DispatchResult(verdict=V.AMBIGUOUS)
    assert len(provider.sent) == 1


async def test_a_call_that_is_cancelled_leaves_the_attempt_open(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    provider.may_answer.clear()
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    call = asyncio.create_task(harness.dispatch(message_id))
    await provider.called()
    call.cancel()
    await asyncio.wait([call])
    assert await harness.attempts(message_id) == [("one", A.REQUESTED)]
    assert await harness.dispatch(message_id) == DispatchResult(verdict=V.AMBIGUOUS)


@pytest.mark.parametrize("answer", [ACCEPTED, AMBIGUOUS, REFUSED])
async def test_twenty_dispatches_of_one_message_call_the_provider_once(
    database: Database, owner: Owner, answer: Answer
) -> None:
    provider = Scripted(answer)
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    handed = await asyncio.gather(*(harness.dispatch(message_id) for _ in range(20)))
    assert len(provider.sent) == 1
    assert len(await harness.attempts(message_id)) == 1
    assert Counter(one.verdict for one in handed)[Verdict.LATER] == 0


async def test_a_report_that_came_first_beats_a_lost_answer(
    database: Database, owner: Owner
) -> None:
    provider = Scripted(AMBIGUOUS)
    provider.may_answer.clear()
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    call = asyncio.create_task(harness.dispatch(message_id))
    await provider.called()
    await harness.tell(message_id, ReportStatus.DELIVERED)
    provider.may_answer.set()
    handed = await call
    assert handed == DispatchResult(verdict=V.ACCEPTED, provider="one", attempt=1, reported=True)
    assert await harness.attempts(message_id) == [("one", A.ACCEPTED)]


async def test_a_message_that_is_said_to_be_delivered_is_not_sent_again(
    database: Database, owner: Owner
) -> None:
    """A provider answers NotFound and reports later: the report is applied."""
    provider = Scripted()
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=-SECOND, provider="one")
    await harness.reconcile(message_id)
    assert await harness.attempts(message_id) == [("one", A.ABSENT)]
    await harness.tell(message_id, ReportStatus.DELIVERED)
    assert await harness.dispatch(message_id) == DispatchResult(verdict=V.ACCEPTED, reported=True)
    assert provider.sent == []
    assert await harness.settle(message_id, Ending.REPORTED) == (MessageStatus.DELIVERED, True)


async def test_a_busy_provider_is_reported_inline_and_called_from_its_queue(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    provider.may_answer.clear()
    harness = Harness(database, owner, provider, slots=2)
    ids = [await harness.accept() for _ in range(4)]
    calls = [asyncio.create_task(harness.dispatch(message_id)) for message_id in ids[:2]]
    await provider.called(2)
    assert await harness.dispatch(ids[2]) == DispatchResult(verdict=V.BUSY, provider="one")
    assert await harness.attempts(ids[2]) == []
    queued = asyncio.create_task(harness.dispatch(ids[2], queued=True))
    await provider.called()
    provider.may_answer.set()
    await asyncio.gather(*calls, queued)
    assert (await harness.dispatch(ids[3])).verdict is Verdict.ACCEPTED


async def test_a_slot_comes_back_whatever_happens_to_its_call(
    database: Database, owner: Owner
) -> None:
    harness = Harness(
        database, owner, Scripted(RuntimeError("a bug"), AMBIGUOUS, ACCEPTED), slots=1
    )
    with pytest.raises(RuntimeError):
        await harness.dispatch(await harness.accept())
    verdicts = [(await harness.dispatch(await harness.accept())).verdict for _ in range(3)]
    assert verdicts == [Verdict.AMBIGUOUS, Verdict.ACCEPTED, Verdict.ACCEPTED]


async def test_nothing_goes_out_before_it_is_due(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = Harness(database, owner, provider)
    message_id = await harness.accept(due_in=timedelta(hours=1))
    handed = await harness.dispatch(message_id)
    due_at = (await harness.message(message_id)).due_at
    assert handed == DispatchResult(verdict=V.LATER, until=due_at)
    assert provider.sent == []
    assert (await harness.message(message_id)).held_back_at is None


async def test_nothing_goes_out_late(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = Harness(database, owner, provider)
    long_ago = datetime.now(UTC) - timedelta(seconds=31)
    message_id = await harness.accept(accepted_at=long_ago, valid_for=timedelta(seconds=30))
    handed = await harness.dispatch(message_id)
    assert handed == DispatchResult(verdict=V.BLOCKED, error_code=ErrorCode.EXPIRED)
    assert (provider.sent, await harness.attempts(message_id)) == ([], [])


async def test_an_inactive_merchant_is_waited_for(database: Database) -> None:
    provider = Scripted()
    harness = Harness(database, await make_owner(database, active=False), provider)
    message_id = await harness.accept()
    handed = await harness.dispatch(message_id)
    assert (handed.verdict, provider.sent) == (Verdict.LATER, [])
    assert handed.until is not None
    held_back_at = (await harness.message(message_id)).held_back_at
    assert held_back_at is not None
    await harness.dispatch(message_id)
    assert (await harness.message(message_id)).held_back_at == held_back_at
    ages_ago = datetime.now(UTC) - timedelta(days=31)
    late = await harness.dispatch(await harness.accept(accepted_at=ages_ago))
    assert late == DispatchResult(verdict=V.BLOCKED, error_code=ErrorCode.MERCHANT_INACTIVE)


async def test_a_message_that_has_ended_is_left_alone(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    await harness.settle(message_id, Ending.BLOCKED, ErrorCode.EXPIRED)
    assert await harness.dispatch(message_id) == DispatchResult(verdict=V.OVER)
    assert await harness.dispatch(10**15) == DispatchResult(verdict=V.OVER)
    assert provider.sent == []


async def test_another_tenants_message_is_not_found(database: Database, owner: Owner) -> None:
    provider = Scripted()
    theirs = Harness(database, await make_owner(database), provider)
    message_id = await theirs.accept()
    assert await Harness(database, owner, provider).dispatch(message_id) == DispatchResult(
        verdict=V.OVER
    )
    assert provider.sent == []


async def test_nothing_is_claimed_that_might_outlast_its_step(
    database: Database, owner: Owner
) -> None:
    # with the margin, 4 s less than the step's timeout in a queue
    provider = Scripted(timeout=timedelta(seconds=10))
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    async with database.transaction() as db:
        await lock_for_dispatch(db, tenant_id=owner.tenant_id, message_id=message_id)
        under_way = asyncio.create_task(harness.dispatch(message_id, queued=True))
        await asyncio.sleep(4.3)
    with pytest.raises(TransientError):
        await under_way
    assert (provider.sent, await harness.attempts(message_id)) == ([], [])
    assert (await harness.dispatch(message_id)).verdict is Verdict.ACCEPTED
