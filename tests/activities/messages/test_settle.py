"""Settlement: a message ends once, with units and usage in the same transaction."""

import asyncio
from datetime import UTC, datetime
from itertools import permutations

import pytest

from models.enums import ErrorCode, MessageStatus, ReportStatus
from models.queries.messages import late_reports, settlement, settlement_facts
from models.rules.messages.settlement import End, end_by_report
from models.session import Database
from tests.activities.doubles import AMBIGUOUS, REFUSED_EVERYWHERE, Scripted
from tests.activities.harness import Harness
from tests.factories import Owner
from workflows.messages.types import Ending

R, S = ReportStatus, MessageStatus


async def taken(database: Database, owner: Owner, provider: Scripted) -> tuple[Harness, int]:
    """Return a message of three units with a called provider."""
    harness = Harness(database, owner, provider)
    message_id = await harness.accept(units=3)
    await harness.dispatch(message_id)
    return harness, message_id


@pytest.mark.parametrize("status", [R.DELIVERED, R.UNDELIVERED, R.FAILED])
async def test_a_final_report_ends_a_message_and_captures_its_units(
    database: Database, owner: Owner, status: ReportStatus
) -> None:
    harness, message_id = await taken(database, owner, Scripted())
    await harness.tell(message_id, status)
    assert await harness.settle(message_id, Ending.REPORTED) == (S(status.value), True)
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 3), [3])
    assert await harness.open_receipts(message_id) == 0


async def test_a_report_that_is_not_final_ends_nothing(database: Database, owner: Owner) -> None:
    harness, message_id = await taken(database, owner, Scripted())
    await harness.tell(message_id, R.SENT)
    assert await harness.settle(message_id, Ending.REPORTED) == (S.SENT, False)
    assert await harness.settle(message_id, Ending.OVER) == (S.SENT, False)
    assert (await harness.units(), await harness.usage(message_id)) == ((3, 0), [])


async def test_settling_twenty_times_at_once_is_settling_once(
    database: Database, owner: Owner
) -> None:
    harness, message_id = await taken(database, owner, Scripted())
    await harness.tell(message_id, R.DELIVERED)
    settling = [harness.settle(message_id, Ending.REPORTED) for _ in range(20)]
    assert set(await asyncio.gather(*settling)) == {(S.DELIVERED, True)}
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 3), [3])
    entries = await harness.rows("SELECT kind FROM ledger_entry WHERE tenant_id = :t ORDER BY id")
    assert [entry.kind for entry in entries] == ["HOLD", "CAPTURE"]


@pytest.mark.parametrize("order", [*permutations([R.SENT, R.DELIVERED, R.COMPLAINED])])
async def test_reports_in_any_order_and_number_end_the_same(
    database: Database, owner: Owner, order: tuple[ReportStatus, ...]
) -> None:
    harness, message_id = await taken(database, owner, Scripted())
    for status in order:
        for _ in range(2):
            await harness.tell(message_id, status, event_id=status)
            await harness.settle(message_id, Ending.REPORTED)
    row = await harness.message(message_id)
    assert (row.status, row.billed_units, row.error_code) == (S.DELIVERED, 3, None)
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 3), [3])


async def test_a_report_after_the_final_one_changes_nothing(
    database: Database, owner: Owner
) -> None:
    harness, message_id = await taken(database, owner, Scripted())
    await harness.tell(message_id, R.DELIVERED)
    await harness.settle(message_id, Ending.REPORTED)
    before = await harness.message(message_id)
    for status in (R.FAILED, R.SENT, R.UNDELIVERED):
        await harness.tell(message_id, status, event_id=status)
        assert await harness.settle(message_id, Ending.REPORTED) == (S.DELIVERED, True)
    assert await harness.message(message_id) == before
    assert await harness.open_receipts(message_id) == 0


async def test_a_refusal_gives_every_unit_back(database: Database, owner: Owner) -> None:
    harness, message_id = await taken(database, owner, Scripted(REFUSED_EVERYWHERE))
    ended = await harness.settle(message_id, Ending.REFUSED, ErrorCode.BAD_DESTINATION)
    assert ended == (S.FAILED, True)
    row = await harness.message(message_id)
    assert (row.error_code, row.provider_code) == (ErrorCode.BAD_DESTINATION, "21211")
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 0), [])


@pytest.mark.parametrize("ending", [Ending.REFUSED, Ending.BLOCKED])
async def test_a_message_that_may_be_in_progress_does_not_end_refused(
    database: Database, owner: Owner, ending: Ending
) -> None:
    """A worker that resumed late may have sent what another one was to block."""
    harness, message_id = await taken(database, owner, Scripted(AMBIGUOUS))
    ended = await harness.settle(message_id, ending, ErrorCode.CONSENT_OPTED_OUT)
    assert ended == (S.SENDING, False)
    assert await harness.units() == (3, 0)


async def test_a_stored_report_outweighs_what_the_workflow_thinks(
    database: Database, owner: Owner
) -> None:
    harness, message_id = await taken(database, owner, Scripted(AMBIGUOUS))
    await harness.tell(message_id, R.DELIVERED)
    assert await harness.settle(message_id, Ending.GIVEN_UP) == (S.DELIVERED, True)
    assert await harness.units() == (0, 3)


async def test_unknown_after_sent_keeps_its_capture(database: Database, owner: Owner) -> None:
    harness, message_id = await taken(database, owner, Scripted())
    assert await harness.settle(message_id, Ending.GIVEN_UP) == (S.UNKNOWN, True)
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 3), [3])
    await harness.tell(message_id, R.DELIVERED)
    assert await harness.settle(message_id, Ending.REPORTED) == (S.DELIVERED, True)
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 3), [3])


async def test_unknown_keeps_its_capture_when_only_a_report_said_that_it_was_sent(
    database: Database, owner: Owner
) -> None:
    harness, message_id = await taken(database, owner, Scripted(AMBIGUOUS))
    await harness.tell(message_id, R.SENT)
    assert await harness.settle(message_id, Ending.GIVEN_UP) == (S.UNKNOWN, True)
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 3), [3])


async def test_a_late_report_corrects_unknown_once_and_takes_no_units(
    database: Database, owner: Owner
) -> None:
    harness, message_id = await taken(database, owner, Scripted(AMBIGUOUS))
    assert await harness.settle(message_id, Ending.GIVEN_UP) == (S.UNKNOWN, True)
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 0), [])
    for status, event_id in ((R.DELIVERED, "e1"), (R.FAILED, "e2")):
        await harness.tell(message_id, status, event_id=event_id)
        assert await harness.settle(message_id, Ending.REPORTED) == (S.DELIVERED, True)
    row = await harness.message(message_id)
    assert (row.status, row.billed_units) == (S.DELIVERED, 0)
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 0), [0])
    days = await harness.rows("SELECT messages, units FROM usage_day WHERE tenant_id = :t")
    assert [(day.messages, day.units) for day in days] == [(1, 0)]


@pytest.mark.parametrize("ending", [Ending.GIVEN_UP, Ending.OVER])
async def test_a_report_that_comes_while_settling_stays_open(
    database: Database, owner: Owner, ending: Ending
) -> None:
    """It was stored after the facts were read, so its effect is not in the row yet."""
    harness, message_id = await taken(database, owner, Scripted(AMBIGUOUS))
    if ending is Ending.OVER:  # the other path: the message has ended and is processed again
        await harness.settle(message_id, Ending.GIVEN_UP)
    async with database.transaction() as db:
        message = await settlement_facts.lock_for_settlement(
            db, tenant_id=owner.tenant_id, message_id=message_id
        )
        assert message is not None
        await harness.tell(message_id, R.DELIVERED)
        now = message.facts.attempts[0].requested_at
        if ending is Ending.OVER:
            await late_reports.apply_late_reports(db, message, now)
        else:
            end = End(status=S.UNKNOWN, captured=0)
            assert await settlement.end_message(db, message, end, now)
    assert await harness.open_receipts(message_id) == 1
    assert await harness.settle(message_id, Ending.REPORTED) == (S.DELIVERED, True)
    assert await harness.open_receipts(message_id) == 0


async def test_a_message_that_is_not_there_is_over(database: Database, owner: Owner) -> None:
    harness = Harness(database, owner, Scripted())
    assert (await harness.settle(10**15, Ending.REPORTED))[1] is True


async def test_ending_a_message_by_an_outdated_read_changes_nothing(
    database: Database, owner: Owner
) -> None:
    """The statement itself checks that the message has not ended, not only its caller."""
    harness, message_id = await taken(database, owner, Scripted())
    await harness.tell(message_id, R.DELIVERED)
    now = datetime.now(UTC)
    async with database.transaction() as db:
        read = await settlement_facts.lock_for_settlement(
            db, tenant_id=owner.tenant_id, message_id=message_id
        )
        assert read is not None
        end = end_by_report(read.facts)
        assert end is not None
        moved = [await settlement.end_message(db, read, end, now) for _ in range(2)]
    assert moved == [True, False]
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 3), [3])
