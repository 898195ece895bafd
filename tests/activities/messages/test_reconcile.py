"""Reconciliation of a lost answer, and the result of an accepted message."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from models.enums import FINAL_REPORT, AttemptState, MessageStatus, ReportStatus
from models.queries.messages import conclude
from models.queries.messages.receipts import StoredReceipt
from models.rules.messages.delivery_events import Mismatch as M
from models.session import Database
from providers.ports.messages import Found, LookUp, LookUpRequest, Proof
from tests.activities.doubles import (
    ACCEPTED,
    AMBIGUOUS,
    FOUND,
    NO_TRUTH,
    NOT_FOUND,
    OWN,
    REFUSED,
    Scripted,
    report,
)
from tests.activities.harness import Harness
from tests.factories import Owner, make_owner
from workflows.messages.types import Ending, Finding, ReconcileResult, Verdict

A = AttemptState
SECOND = timedelta(seconds=1)


async def lost(
    database: Database, owner: Owner, provider: Scripted, *, deadline_in: timedelta
) -> tuple[Harness, int]:
    """Return a message whose only call had no outcome."""
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=deadline_in, provider=provider.name)
    return harness, message_id


@pytest.mark.parametrize("deadline_in", [-SECOND, timedelta(hours=1)])
async def test_a_message_is_found_at_any_time(
    database: Database, owner: Owner, deadline_in: timedelta
) -> None:
    provider = Scripted(truths=[FOUND], absence_window=timedelta(hours=1))
    harness, message_id = await lost(database, owner, provider, deadline_in=deadline_in)
    assert await harness.reconcile(message_id) == ReconcileResult(finding=Finding.FOUND)
    assert await harness.attempts(message_id) == [("one", A.ACCEPTED)]
    assert await harness.status(message_id) is MessageStatus.SENT
    assert provider.asked == [await harness.reference(message_id)]


@pytest.mark.parametrize(
    ("deadline_in", "window", "proof", "finding"),
    [
        (-SECOND, timedelta(0), Proof.REFERENCE, Finding.ABSENT),
        (-10 * SECOND, 9 * SECOND, Proof.REFERENCE, Finding.ABSENT),
        (-10 * SECOND, 9 * SECOND, Proof.LISTING, Finding.UNCERTAIN),
        (5 * SECOND, timedelta(0), Proof.REFERENCE, Finding.UNCERTAIN),
        (-SECOND, 5 * SECOND, Proof.REFERENCE, Finding.UNCERTAIN),
        (-timedelta(days=9), timedelta(0), Proof.NONE, Finding.UNCERTAIN),
    ],
)
async def test_absence_is_sure_after_deadline_and_window_where_it_can_be_proven(
    database: Database,
    owner: Owner,
    deadline_in: timedelta,
    window: timedelta,
    proof: Proof,
    finding: Finding,
) -> None:
    provider = Scripted(proof=proof, absence_window=window)
    harness, message_id = await lost(database, owner, provider, deadline_in=deadline_in)
    assert await harness.reconcile(message_id) == ReconcileResult(finding=finding)
    state = A.ABSENT if finding is Finding.ABSENT else A.AMBIGUOUS
    assert await harness.attempts(message_id) == [("one", state)]


async def test_absence_needs_a_look_up_after_the_window(database: Database, owner: Owner) -> None:
    """A NotFound from before the deadline proves nothing after it."""

    class Slow(Scripted):
        async def look_up(self, request: LookUpRequest) -> LookUp:
            await asyncio.sleep(0.3)
            return await super().look_up(request)

    slow = timedelta(seconds=0.15)
    harness, message_id = await lost(database, owner, Slow(), deadline_in=slow)
    assert (await harness.reconcile(message_id)).finding is Finding.UNCERTAIN
    assert (await harness.reconcile(message_id)).finding is Finding.ABSENT


async def test_an_unreachable_provider_proves_nothing(database: Database, owner: Owner) -> None:
    provider = Scripted(truths=[NO_TRUTH])
    harness, message_id = await lost(database, owner, provider, deadline_in=-timedelta(days=9))
    assert (await harness.reconcile(message_id)).finding is Finding.UNCERTAIN
    assert await harness.attempts(message_id) == [("one", A.AMBIGUOUS)]


@pytest.mark.parametrize("status", [ReportStatus.SENT, *sorted(FINAL_REPORT)])
async def test_a_stored_report_is_read_before_a_look_up(
    database: Database, owner: Owner, status: ReportStatus
) -> None:
    provider = Scripted(proof=Proof.NONE)
    harness, message_id = await lost(database, owner, provider, deadline_in=-SECOND)
    await harness.tell(message_id, status)
    final = status is not ReportStatus.SENT
    expected = ReconcileResult(finding=Finding.FOUND, reported=final)
    assert await harness.reconcile(message_id) == expected
    assert provider.asked == []
    assert await harness.status(message_id) is MessageStatus.SENT


async def test_the_delivery_status_of_a_look_up_is_stored(database: Database, owner: Owner) -> None:
    told = Found(provider_message_id=OWN, reports=(report(ReportStatus.DELIVERED),))
    provider = Scripted(truths=[told])
    harness, message_id = await lost(database, owner, provider, deadline_in=-SECOND)
    expected = ReconcileResult(finding=Finding.FOUND, reported=True)
    assert await harness.reconcile(message_id) == expected
    assert await harness.open_receipts(message_id) == 1


async def test_reconciling_again_keeps_the_first_result(database: Database, owner: Owner) -> None:
    provider = Scripted(truths=[NOT_FOUND, FOUND])
    harness, message_id = await lost(database, owner, provider, deadline_in=-SECOND)
    findings = [(await harness.reconcile(message_id)).finding for _ in range(3)]
    assert findings == [Finding.ABSENT] * 3
    assert len(provider.asked) == 1
    handed = await harness.dispatch(message_id)
    assert (handed.verdict, handed.attempt) == (Verdict.ACCEPTED, 2)
    assert (await harness.reconcile(message_id)).finding is Finding.FOUND


async def test_an_answer_that_comes_after_all_is_taken(database: Database, owner: Owner) -> None:
    """Another worker reconciled while the first one was only slow."""
    provider = Scripted(ACCEPTED, truths=[NO_TRUTH])
    provider.may_answer.clear()
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    call = asyncio.create_task(harness.dispatch(message_id))
    await provider.called()
    assert (await harness.reconcile(message_id)).finding is Finding.UNCERTAIN
    provider.may_answer.set()
    assert (await call).verdict is Verdict.ACCEPTED
    assert await harness.attempts(message_id) == [("one", A.ACCEPTED)]


@pytest.mark.parametrize(
    ("truth", "finding", "state"),
    [(FOUND, Finding.FOUND, A.ACCEPTED), (NOT_FOUND, Finding.ABSENT, A.ABSENT)],
)
async def test_many_reconciling_at_once_agree(
    database: Database, owner: Owner, truth: LookUp, finding: Finding, state: AttemptState
) -> None:
    provider = Scripted(truths=[truth])
    harness, message_id = await lost(database, owner, provider, deadline_in=-SECOND)
    found = await asyncio.gather(*(harness.reconcile(message_id) for _ in range(10)))
    assert {one.finding for one in found} == {finding}
    assert await harness.attempts(message_id) == [("one", state)]


async def test_an_answer_during_a_look_up_is_not_taken_for_found(
    database: Database, owner: Owner
) -> None:
    """The first worker learns that nothing was processed; this one must not wait for a report."""

    class Meanwhile(Scripted):
        async def look_up(self, request: LookUpRequest) -> LookUp:
            async with database.transaction() as db:
                await conclude.conclude(
                    db,
                    tenant_id=owner.tenant_id,
                    message_id=message_id,
                    number=1,
                    state=A.NOT_PROCESSED,
                    now=datetime.now(UTC),
                )
            return await super().look_up(request)

    harness, message_id = await lost(database, owner, Meanwhile(), deadline_in=-SECOND)
    findings = [(await harness.reconcile(message_id)).finding for _ in range(2)]
    assert findings == [Finding.UNCERTAIN, Finding.ABSENT]
    assert (await harness.dispatch(message_id)).verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("status", [ReportStatus.SENT, *sorted(FINAL_REPORT)])
async def test_a_report_during_a_look_up_outweighs_its_absence(
    database: Database, owner: Owner, status: ReportStatus
) -> None:
    """The look-up finds nothing yet, but a report has arrived: the message was accepted."""

    class Meanwhile(Scripted):
        async def look_up(self, request: LookUpRequest) -> LookUp:
            await harness.tell(message_id, status)
            return await super().look_up(request)

    provider = Meanwhile(truths=[NOT_FOUND])
    harness, message_id = await lost(database, owner, provider, deadline_in=-SECOND)
    final = status is not ReportStatus.SENT
    expected = ReconcileResult(finding=Finding.FOUND, reported=final)
    assert await harness.reconcile(message_id) == expected
    assert await harness.attempts(message_id) == [("one", A.ACCEPTED)]
    assert await harness.status(message_id) is MessageStatus.SENT
    if final:
        ended, _ = await harness.settle(message_id, Ending.REPORTED)
        assert ended.value == status.value
    assert provider.sent == []


async def test_without_an_attempt_there_is_nothing_to_find(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, Scripted())
    message_id = await harness.accept()
    assert await harness.reconcile(message_id) == ReconcileResult(finding=Finding.ABSENT)
    assert await harness.poll(message_id) is False


async def test_polling_stores_a_status_once(database: Database, owner: Owner) -> None:
    told = Found(provider_message_id=OWN, reports=(report(ReportStatus.DELIVERED),))
    provider = Scripted(truths=[FOUND, told])
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    assert [await harness.poll(message_id) for _ in range(3)] == [False, True, True]
    assert len(provider.asked) == 2
    assert await harness.open_receipts(message_id) == 1


async def test_polling_makes_no_look_up_when_the_report_is_stored(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    await harness.tell(message_id, ReportStatus.UNDELIVERED)
    assert await harness.poll(message_id) is True
    assert provider.asked == []


async def test_polling_asks_about_the_attempt_that_was_taken(
    database: Database, owner: Owner
) -> None:
    first, second = Scripted(REFUSED), Scripted(name="two", truths=[FOUND])
    harness = Harness(database, owner, first, second)
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    await harness.dispatch(message_id)
    await harness.poll(message_id)
    assert (first.asked, len(second.asked)) == ([], 1)


async def test_a_report_that_matches_no_attempt_is_ignored(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, Scripted(AMBIGUOUS))
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    stranger = await make_owner(database)
    delivered = ReportStatus.DELIVERED
    assert await harness.tell(message_id, delivered, tenant_id=stranger.tenant_id) is M.ATTEMPT
    assert await harness.tell(message_id, delivered, provider="two") is M.ACCOUNT
    assert await harness.tell(message_id, delivered, attempt=2) is M.ATTEMPT
    assert await harness.tell(10**15, delivered, id="nobody") is M.ATTEMPT
    assert await harness.open_receipts(message_id) == 0
    assert isinstance(await harness.tell(message_id, delivered), StoredReceipt)


async def test_one_event_id_under_two_messages_is_about_the_first(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, Scripted())
    first, second = [await harness.accept() for _ in range(2)]
    for message_id in (first, second):
        await harness.dispatch(message_id)
    told = await harness.tell(first, ReportStatus.DELIVERED, event_id="same")
    assert isinstance(told, StoredReceipt)
    assert told.fresh
    other = await harness.tell(second, ReportStatus.UNDELIVERED, event_id="same", price="0.5")
    assert other is M.EVENT
    stored = await harness.rows(
        "SELECT message_id, status, price, applied_at FROM receipt WHERE tenant_id = :t"
    )
    assert [tuple(row) for row in stored] == [(first, "DELIVERED", None, None)]
    assert await harness.settle(second, Ending.REPORTED) == (MessageStatus.SENT, False)
    assert await harness.settle(first, Ending.REPORTED) == (MessageStatus.DELIVERED, True)
    # An ended message is not reopened.
    again = await harness.tell(second, ReportStatus.UNDELIVERED, event_id="same", price="0.5")
    assert again is M.EVENT
    assert await harness.open_receipts(first) == 0


async def test_twenty_concurrent_copies_of_a_report_are_stored_once(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, Scripted())
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    told = [harness.tell(message_id, ReportStatus.DELIVERED) for _ in range(20)]
    stored = await asyncio.gather(*told)
    assert {type(one) for one in stored} == {StoredReceipt}
    assert await harness.open_receipts(message_id) == 1
