"""A dispatch that sees the report settles the message; whatever fails is left to the step."""

import asyncio
import time
from datetime import timedelta
from typing import NoReturn

import pytest

from activities.messages.inline_settlement import settle_inline
from models.enums import MessageStatus, ReportStatus
from models.session import Database
from tests.activities.doubles import AMBIGUOUS, Scripted
from tests.activities.harness import Harness
from tests.factories import Owner
from tests.fakes import ACCEPTED, ACCEPTED_AND_REPORTED, DELIVERED, LATER, NOT_YET, OVER, REFUSED
from workflows.messages.types import (
    DispatchResult,
    DispatchStep,
    Ending,
    SettleResult,
    SettleStep,
    Verdict,
)

PATIENCE = timedelta(seconds=5)
STEP = DispatchStep(tenant_id=3, message_id=7, merchant_id=2, public_id=9)


async def dispatched_and_reported(harness: Harness, provider: Scripted) -> DispatchResult:
    """Dispatch a message of three units, whose report arrives during the call's wait for it."""
    message_id = await harness.accept(units=3)
    dispatching = asyncio.create_task(harness.dispatch(message_id))
    await provider.called()
    await asyncio.sleep(0.05)
    await harness.tell(message_id, ReportStatus.DELIVERED, event_id=f"e{message_id}")
    return await dispatching


async def test_a_message_whose_report_comes_in_time_is_settled_by_its_dispatch(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = Harness(database, owner, provider, report_timeout=PATIENCE, settles_inline=True)
    result = await dispatched_and_reported(harness, provider)
    assert result == DispatchResult(
        verdict=Verdict.ACCEPTED,
        provider="one",
        attempt=1,
        reported=True,
        settled=SettleResult(status=MessageStatus.DELIVERED, completed=True, moved=True),
    )
    assert await harness.units() == (0, 3)


async def test_after_a_crash_the_settled_message_is_over(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = Harness(database, owner, provider, report_timeout=PATIENCE, settles_inline=True)
    message_id = await harness.accept(units=3)
    dispatching = asyncio.create_task(harness.dispatch(message_id))
    await provider.called()
    await harness.tell(message_id, ReportStatus.DELIVERED)
    await dispatching
    # the workflow task is run again, because the first one's result was lost
    assert await harness.dispatch(message_id) == OVER
    assert await harness.settle(message_id, Ending.OVER) == (MessageStatus.DELIVERED, True)
    assert (await harness.units(), await harness.usage(message_id)) == ((0, 3), [3])


async def test_a_report_that_is_late_leaves_the_message_to_the_workflow(
    database: Database, owner: Owner
) -> None:
    wait = timedelta(milliseconds=50)
    harness = Harness(database, owner, Scripted(), report_timeout=wait, settles_inline=True)
    message_id = await harness.accept()
    result = await harness.dispatch(message_id)
    assert (result.verdict, result.reported, result.settled) == (Verdict.ACCEPTED, False, None)
    assert await harness.status(message_id) is MessageStatus.SENT


async def test_a_lost_answer_is_not_settled(database: Database, owner: Owner) -> None:
    provider = Scripted(AMBIGUOUS)
    harness = Harness(database, owner, provider, report_timeout=PATIENCE, settles_inline=True)
    result = await harness.dispatch(await harness.accept())
    assert (result.verdict, result.settled) == (Verdict.AMBIGUOUS, None)


async def test_a_settlement_that_fails_is_left_to_the_workflow(
    database: Database, owner: Owner
) -> None:
    async def fails(_: SettleStep) -> NoReturn:
        raise ConnectionError("no database")

    provider = Scripted()
    harness = Harness(database, owner, provider, report_timeout=PATIENCE, settle=fails)
    result = await dispatched_and_reported(harness, provider)
    assert (result.verdict, result.reported, result.settled) == (Verdict.ACCEPTED, True, None)
    assert await harness.units() == (3, 0)


async def test_the_settlement_is_that_of_the_step() -> None:
    asked: list[SettleStep] = []

    async def settle(step: SettleStep) -> SettleResult:
        asked.append(step)
        return DELIVERED

    ends = time.monotonic() + 10
    result = await settle_inline(settle, STEP, ACCEPTED_AND_REPORTED, ends)
    assert result.settled == DELIVERED
    assert asked == [
        SettleStep(tenant_id=3, message_id=7, ending=Ending.REPORTED, merchant_id=2, public_id=9)
    ]


@pytest.mark.parametrize("result", [ACCEPTED, REFUSED, LATER, OVER])
async def test_without_a_report_nothing_is_settled(result: DispatchResult) -> None:
    async def never(_: SettleStep) -> NoReturn:
        raise AssertionError

    assert await settle_inline(never, STEP, result, time.monotonic() + 10) is result


async def test_a_message_with_reports_outstanding_is_not_settled() -> None:
    async def not_yet(_: SettleStep) -> SettleResult:
        return NOT_YET

    result = await settle_inline(not_yet, STEP, ACCEPTED_AND_REPORTED, time.monotonic() + 10)
    assert result == ACCEPTED_AND_REPORTED


async def test_with_little_time_left_nothing_is_begun() -> None:
    async def never(_: SettleStep) -> NoReturn:
        raise AssertionError

    result = await settle_inline(never, STEP, ACCEPTED_AND_REPORTED, time.monotonic() + 3)
    assert result == ACCEPTED_AND_REPORTED


async def test_a_settlement_that_hangs_is_given_up() -> None:
    async def hangs(_: SettleStep) -> NoReturn:
        await asyncio.sleep(60)
        raise AssertionError

    ends = time.monotonic() + 10
    result = await settle_inline(hangs, STEP, ACCEPTED_AND_REPORTED, ends, within=0.05)
    assert result == ACCEPTED_AND_REPORTED
