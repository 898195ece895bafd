"""Accounts whose calls may take over 10 s: always called from their own queue."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.session import Database
from tests.activities.doubles import NOT_PROCESSED, Scripted
from tests.activities.harness import Harness
from tests.factories import Owner
from workflows import policies
from workflows.messages.types import DispatchResult, Verdict

MINUTE = timedelta(minutes=1)
BUDGET = timedelta(seconds=75)


@pytest.mark.parametrize(
    ("timeout", "budget"),
    [
        (timedelta(seconds=2), None),
        (timedelta(seconds=10), None),
        (timedelta(seconds=10.1), timedelta(seconds=25.1)),
        (MINUTE, BUDGET),
    ],
)
def test_a_call_over_ten_seconds_has_a_budget_of_its_own(
    timeout: timedelta, budget: timedelta | None
) -> None:
    assert policies.slow_budget(timeout) == budget
    options = policies.dispatch_queued("a", budget)
    assert options["start_to_close_timeout"] == (budget or policies.DISPATCH_QUEUED_BUDGET)


async def test_a_slow_account_is_called_from_its_queue_only(
    database: Database, owner: Owner
) -> None:
    provider = Scripted(timeout=MINUTE)
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    busy = DispatchResult(verdict=Verdict.BUSY, provider="one", budget=BUDGET)
    assert await harness.dispatch(message_id) == busy
    assert (provider.sent, await harness.attempts(message_id)) == ([], [])
    handed = await harness.dispatch(message_id, queued=True, budget=BUDGET)
    assert handed.verdict is Verdict.ACCEPTED
    [attempt] = await harness.rows(
        "SELECT deadline - requested_at AS lasts FROM attempt WHERE tenant_id = :t"
    )
    assert attempt.lasts == MINUTE + timedelta(seconds=1)


async def test_a_queue_with_too_small_a_budget_hands_the_message_back(
    database: Database, owner: Owner
) -> None:
    """The queue is that of an account that refused the message meanwhile.

    Not at once: workers that read the file at different times would hand it over without a pause.
    """
    fast, slow = Scripted(NOT_PROCESSED), Scripted(name="two", timeout=MINUTE)
    harness = Harness(database, owner, fast, slow)
    message_id = await harness.accept()
    assert (await harness.dispatch(message_id, queued=True)).verdict is Verdict.LATER
    busy = DispatchResult(verdict=Verdict.BUSY, provider="two", budget=BUDGET)
    for budget in (None, timedelta(seconds=30)):
        handed = await harness.dispatch(message_id, queued=True, budget=budget)
        assert replace(handed, until=None) == busy
        assert handed.until is not None
        assert timedelta(0) < handed.until - datetime.now(UTC) <= timedelta(seconds=1)
    assert slow.sent == []
    handed = await harness.dispatch(message_id, queued=True, budget=BUDGET)
    assert (handed.verdict, handed.provider) == (Verdict.ACCEPTED, "two")
