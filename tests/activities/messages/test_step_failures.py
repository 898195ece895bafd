"""A step that fails because of its message is counted; before the claim it ends the message."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from temporalio.exceptions import ApplicationError

from activities.system.step_failures import FAILURES
from models.database.limits import WORKER
from models.enums import (
    AttemptState,
    Channel,
    ErrorCode,
    MessageStatus,
)
from models.errors import TemporarilyUnavailable
from models.rules.system.failures import MOST_FAILURES
from models.session import Database
from tests.activities.counted import Counted, counted
from tests.activities.doubles import FOUND, NOT_FOUND, Scripted
from tests.contacts import CONTACT_KEYS
from tests.factories import Owner
from tests.stack import async_url
from workflows.messages.types import (
    DispatchResult,
    DispatchStep,
    Ending,
    Finding,
    PollStep,
    Verdict,
)

UNPROCESSABLE = DispatchResult(verdict=Verdict.BLOCKED, error_code=ErrorCode.UNPROCESSABLE)

CALL_WITHOUT_LIMITS: dict[str, Any] = {"record": True}
"""Details from which no request can be built."""

UNREADABLE: dict[str, Any] = {"to": [7], "subject": "Hi"}
"""Details with which the row cannot be read."""


@pytest.mark.parametrize(
    ("channel", "details", "reason"),
    [
        (Channel.VOICE, CALL_WITHOUT_LIMITS, "KeyError"),
        (Channel.EMAIL, {}, "KeyError"),
        (Channel.EMAIL, {"subject": "Hi", "to": 7}, "TypeError"),
    ],
)
async def test_before_the_claim_the_fifth_failure_ends_it(
    database: Database, owner: Owner, channel: Channel, details: dict[str, Any], reason: str
) -> None:
    provider = Scripted()
    harness = Counted(database, owner, provider)
    message_id = await harness.taken(channel, details)
    told = [await harness.hand_over(message_id) for _ in range(5)]
    assert told[4] == UNPROCESSABLE
    assert all(isinstance(error, ApplicationError) for error in told[:4])
    assert [(e.type, e.non_retryable, e.next_retry_delay) for e in told[:4]] == [
        (reason, False, timedelta(seconds=wait)) for wait in (0.5, 1, 2, 4)
    ]
    assert provider.sent == []
    assert await harness.attempts(message_id) == []
    assert await harness.failures(message_id) == [("dispatch", 5, reason)]


async def test_it_ends_failed_and_gives_its_units_back(database: Database, owner: Owner) -> None:
    harness = Counted(database, owner, Scripted())
    message_id = await harness.taken(Channel.VOICE, CALL_WITHOUT_LIMITS)
    assert await harness.units() == (1, 0)
    for _ in range(5):
        handed = await harness.hand_over(message_id)
    ended = await harness.settle(message_id, Ending(handed.verdict), handed.error_code)
    assert ended == (MessageStatus.FAILED, True)
    assert (await harness.message(message_id)).error_code == "UNPROCESSABLE"
    assert await harness.units() == (0, 0)
    assert await harness.usage(message_id) == []


async def test_a_step_that_failed_too_often_is_not_retried(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = Counted(database, owner, provider)
    message_id = await harness.accept()
    await harness.change(
        "INSERT INTO step_failure VALUES (:t, :m, 'dispatch', 5, 'KeyError', now(), now())",
        message_id,
    )
    assert await harness.hand_over(message_id) == UNPROCESSABLE
    assert provider.sent == []


async def test_failures_of_long_ago_do_not_count(database: Database, owner: Owner) -> None:
    harness = Counted(database, owner, Scripted())
    message_id = await harness.taken(Channel.VOICE, CALL_WITHOUT_LIMITS)
    await harness.change(
        "INSERT INTO step_failure VALUES (:t, :m, 'dispatch', 4, 'KeyError',"
        " now() - interval '1 day', now() - interval '3 hours')",
        message_id,
    )
    assert isinstance(await harness.hand_over(message_id), ApplicationError)
    assert await harness.failures(message_id) == [("dispatch", 1, "KeyError")]


async def test_with_an_open_attempt_it_is_reconciled_however_often_it_fails(
    database: Database, owner: Owner
) -> None:
    harness = Counted(database, owner, Scripted(truths=[FOUND]))
    message_id = await harness.taken(Channel.SMS, {})
    await harness.crash(message_id, deadline_in=timedelta(seconds=9), provider="one")
    await harness.change(
        """UPDATE message SET details = '{"to": [7]}', channel = 'EMAIL'
            WHERE tenant_id = :t AND id = :m""",
        message_id,
    )
    told = [await harness.hand_over(message_id) for _ in range(7)]
    assert told == [DispatchResult(verdict=Verdict.AMBIGUOUS)] * 7
    assert (await harness.ask(message_id)).finding is Finding.FOUND
    assert await harness.hand_over(message_id) == DispatchResult(verdict=Verdict.ACCEPTED)
    assert await harness.status(message_id) is MessageStatus.SENT


async def test_an_adapter_that_fails_each_time_ends_it_once_every_call_is_known_to_be_absent(
    database: Database, owner: Owner
) -> None:
    harness = Counted(database, owner, Scripted(KeyError("x"), truths=[NOT_FOUND]))
    message_id = await harness.accept()
    for _ in range(5):
        handed = await harness.hand_over(message_id)
        assert handed == DispatchResult(verdict=Verdict.AMBIGUOUS)
        # Its deadline passes, and so does the pause after calls that never arrived.
        await harness.change(
            "UPDATE attempt SET deadline = now() - interval '1 hour'"
            " WHERE tenant_id = :t AND message_id = :m",
            message_id,
        )
        assert (await harness.ask(message_id)).finding is Finding.ABSENT
        await harness.change(
            "UPDATE attempt SET finished_at = now() - interval '1 hour'"
            " WHERE tenant_id = :t AND message_id = :m",
            message_id,
        )
    assert await harness.hand_over(message_id) == UNPROCESSABLE
    assert await harness.attempts(message_id) == [("one", AttemptState.ABSENT)] * 5


async def test_infrastructure_is_never_counted(database: Database, owner: Owner) -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    harness = Counted(away, owner, Scripted())
    message_id = await Counted(database, owner, Scripted()).accept()
    step = DispatchStep(tenant_id=owner.tenant_id, message_id=message_id)
    with pytest.raises(SQLAlchemyError):
        await counted(database, "dispatch", harness.dispatching.dispatch, step)
    assert await Counted(database, owner, Scripted()).failures(message_id) == []


@pytest.mark.parametrize("act", [Counted.hand_over, Counted.end])
async def test_a_locked_merchant_does_not_fail_its_messages(
    database: Database,
    database_url: str,
    owner: Owner,
    act: Callable[[Counted, int], Awaitable[Any]],
) -> None:
    limits = replace(WORKER, lock=timedelta(seconds=0.2))
    narrow = Database(
        async_url(database_url), pool_size=5, limits=limits, contact_keys=CONTACT_KEYS
    )
    harness = Counted(narrow, owner, Scripted())
    locked, *others = [await harness.accept() for _ in range(4)]
    async with database.transaction() as db:
        await db.execute(
            text("SELECT 1 FROM message WHERE tenant_id = :t AND id = :m FOR UPDATE"),
            {"t": owner.tenant_id, "m": locked},
        )
        for _ in range(MOST_FAILURES):
            told = await asyncio.gather(
                *(act(harness, message_id) for message_id in (locked, *others) * 2),
                return_exceptions=True,
            )
            assert any(isinstance(error, TemporarilyUnavailable) for error in told)
            assert UNPROCESSABLE not in told
            assert not any(isinstance(error, ApplicationError) for error in told)
    assert [await harness.failures(message_id) for message_id in (locked, *others)] == [[]] * 4
    await narrow.close()


async def test_settling_is_tried_for_ever_ever_more_seldom_and_never_fails_a_message(
    database: Database, owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    harness = Counted(database, owner, Scripted())
    message_id = await harness.taken(Channel.SMS, {})
    await harness.change(
        "INSERT INTO attempt (tenant_id, message_id, number, provider, account, state,"
        " requested_at, deadline, everywhere) VALUES (:t, :m, 1, 'one', 'default', 'ACCEPTED',"
        " '0044-03-15 00:00Z BC', now(), FALSE)",  # a date that Python does not have
        message_id,
    )
    before = FAILURES.labels("settle")._value.get()
    told = [await harness.end(message_id) for _ in range(7)]
    assert [error.next_retry_delay.total_seconds() for error in told] == [0.5, 1, 2, 4, 8, 16, 32]
    assert await harness.status(message_id) is MessageStatus.QUEUED
    assert await harness.units() == (1, 0)
    assert await harness.failures(message_id) == [("settle", 7, "DataError")]
    assert FAILURES.labels("settle")._value.get() == before + 7
    assert [r.levelname for r in caplog.records if r.msg == "step failed because of its input"] == (
        ["ERROR"] * 7
    )


async def test_reconciling_and_polling_are_counted_and_end_nothing(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = Counted(database, owner, provider)
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=timedelta(seconds=9), provider="one")

    async def fails(step: PollStep) -> None:
        raise ValueError(step)

    for _ in range(6):
        told = await counted(database, "poll", fails, PollStep(**harness.ids(message_id)))
        assert (told.type, told.next_retry_delay) == ("ValueError", None)
    assert await harness.failures(message_id) == [("poll", 6, "ValueError")]
    assert await harness.status(message_id) is MessageStatus.SENDING


async def test_a_failure_that_cannot_be_counted_is_raised_unchanged(owner: Owner) -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")

    async def fails(step: DispatchStep) -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        await counted(
            away, "dispatch", fails, DispatchStep(tenant_id=owner.tenant_id, message_id=1)
        )
