"""Accounts that report nothing: a message ends as SENT once it is accepted."""

from datetime import UTC, datetime, timedelta

import pytest

from models.enums import ErrorCode, MessageStatus, ReportStatus
from models.session import Database
from providers.ports.messages import Answer, LookUp
from tests.activities.doubles import ACCEPTED, AMBIGUOUS, FOUND, NOT_FOUND, Scripted
from tests.activities.harness import Harness
from tests.factories import Owner
from workflows.messages.types import Ending, Finding, ReconcileResult, Verdict

R, S = ReportStatus, MessageStatus


def silent(
    database: Database, owner: Owner, answer: Answer = ACCEPTED, truth: LookUp = NOT_FOUND
) -> Harness:
    provider = Scripted(answer, truths=[truth], reports_delivery=False)
    return Harness(database, owner, provider, report_timeout=timedelta(seconds=30))


async def ended(database: Database, owner: Owner) -> tuple[Harness, int]:
    """Return a message of three units that ended as SENT."""
    harness = silent(database, owner)
    message_id = await harness.accept(units=3)
    handed = await harness.dispatch(message_id)
    assert (handed.verdict, handed.reported) == (Verdict.ACCEPTED, True), "nothing is awaited"
    assert await harness.settle(message_id, Ending.REPORTED) == (S.SENT, True)
    return harness, message_id


async def test_an_accepted_message_ends_as_sent_with_its_units_captured(
    database: Database, owner: Owner
) -> None:
    harness, message_id = await ended(database, owner)
    message = await harness.message(message_id)
    assert (message.status, message.billed_units) == ("SENT", 3)
    assert (message.completed_at is not None, message.error_code) == (True, None)
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 3), [3])
    assert await harness.settle(message_id, Ending.REPORTED) == (S.SENT, True)
    assert (await harness.dispatch(message_id)).verdict is Verdict.OVER
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 3), [3])


async def test_a_dispatch_after_a_crash_awaits_nothing_either(
    database: Database, owner: Owner
) -> None:
    harness = silent(database, owner)
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    again = await harness.dispatch(message_id)
    assert (again.verdict, again.reported) == (Verdict.ACCEPTED, True)


async def test_a_lost_answer_that_is_found_awaits_nothing(database: Database, owner: Owner) -> None:
    harness = silent(database, owner, AMBIGUOUS, FOUND)
    message_id = await harness.accept()
    assert (await harness.dispatch(message_id)).verdict is Verdict.AMBIGUOUS
    found = ReconcileResult(finding=Finding.FOUND, reported=True)
    assert [await harness.reconcile(message_id) for _ in range(2)] == [found, found]
    assert await harness.settle(message_id, Ending.REPORTED) == (S.SENT, True)


@pytest.mark.parametrize("ending", [Ending.REPORTED, Ending.OVER])
async def test_a_lost_answer_that_is_not_found_does_not_end_as_sent(
    database: Database, owner: Owner, ending: Ending
) -> None:
    harness = silent(database, owner, AMBIGUOUS, NOT_FOUND)
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    assert await harness.settle(message_id, ending) == (S.SENDING, False)
    assert await harness.settle(message_id, Ending.GIVEN_UP) == (S.UNKNOWN, True)


async def test_a_bounce_before_the_end_decides(database: Database, owner: Owner) -> None:
    harness = silent(database, owner)
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    await harness.tell(message_id, R.UNDELIVERED, error_code=ErrorCode.UNREACHABLE)
    assert await harness.settle(message_id, Ending.REPORTED) == (S.UNDELIVERED, True)


@pytest.mark.parametrize("status", [R.UNDELIVERED, R.DELIVERED, R.FAILED])
async def test_a_late_report_corrects_sent_once_and_captures_nothing_again(
    database: Database, owner: Owner, status: ReportStatus
) -> None:
    harness, message_id = await ended(database, owner)
    await harness.tell(message_id, status, event_id="late")
    assert await harness.settle(message_id, Ending.REPORTED) == (S(status.value), True)
    opposite = R.DELIVERED if status is not R.DELIVERED else R.UNDELIVERED
    await harness.tell(message_id, opposite, event_id="later")
    assert await harness.settle(message_id, Ending.REPORTED) == (S(status.value), True)
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 3), [3])
    message = await harness.message(message_id)
    assert message.corrected_at is not None
    assert message.corrected_at <= datetime.now(UTC)


async def test_its_price_is_the_cards_at_once(database: Database, owner: Owner) -> None:
    harness, message_id = await ended(database, owner)
    [row] = await harness.rows(
        "SELECT priced_by, gap FROM usage_record WHERE tenant_id = :t AND message_id = :m",
        message_id,
    )
    assert (row.priced_by, row.gap) == ("CARD", "RATE_MISSING"), "nothing of the vendor is awaited"


async def test_an_account_that_reports_still_awaits(database: Database, owner: Owner) -> None:
    harness = Harness(database, owner, Scripted())
    message_id = await harness.accept()
    assert (await harness.dispatch(message_id)).reported is False
    assert await harness.settle(message_id, Ending.REPORTED) == (S.SENT, False)
