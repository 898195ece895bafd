"""A step that fails by its message is counted, and before the claim it ends the message."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from temporalio.exceptions import ApplicationError

from activities.ledger import Ledger
from activities.poison import FAILURES
from activities.reconcile import Truth
from models.enums import AttemptState, Channel, DeliveryMode, ErrorCode, MessageStatus
from models.session import Database
from providers.routing import Routes
from tests.activities.counted import counted
from tests.activities.doubles import FOUND, NOT_FOUND, Scripted
from tests.activities.stage import Stage
from tests.factories import Owner, make_message, new_message
from workflows.types import (
    DispatchResult,
    DispatchStep,
    Ending,
    Finding,
    PollStep,
    ReconcileStep,
    SettleStep,
    Verdict,
)

UNPROCESSABLE = DispatchResult(verdict=Verdict.BLOCKED, error_code=ErrorCode.UNPROCESSABLE)

CALL_WITHOUT_LIMITS: dict[str, Any] = {"record": True}
"""Details of which no request can be made."""

UNREADABLE: dict[str, Any] = {"to": [7], "subject": "Hi"}
"""Details with which the row cannot even be read."""


class Poisoned(Stage):
    """A stage whose steps run as a worker runs them."""

    def __init__(self, database: Database, owner: Owner, provider: Scripted) -> None:
        provider.channels = frozenset(Channel)
        super().__init__(database, owner, provider)
        routes = Routes([provider], {DeliveryMode.SIMULATOR: [provider.name]})
        self.truth = Truth(database, routes)
        self.ledger = Ledger(database, routes)

    async def take(self, channel: Channel, details: dict[str, Any]) -> int:
        message = replace(new_message(self.owner), channel=channel, details=details)
        return await make_message(self.database, message)

    def ids(self, message_id: int) -> dict[str, int]:
        return {"tenant_id": self.owner.tenant_id, "message_id": message_id}

    async def hand_over(self, message_id: int) -> Any:
        step = DispatchStep(**self.ids(message_id))
        return await counted(self.database, "dispatch", self.dispatching.dispatch, step)

    async def ask(self, message_id: int) -> Any:
        step = ReconcileStep(**self.ids(message_id))
        return await counted(self.database, "reconcile", self.truth.reconcile, step)

    async def end(self, message_id: int) -> Any:
        step = SettleStep(
            tenant_id=self.owner.tenant_id, message_id=message_id, ending=Ending.BLOCKED
        )
        return await counted(self.database, "settle", self.ledger.settle, step)

    async def failures(self, message_id: int) -> list[tuple[str, int, str]]:
        found = await self.rows(
            "SELECT step, failures, reason FROM step_failure"
            " WHERE tenant_id = :t AND message_id = :m ORDER BY step",
            message_id,
        )
        return [(row.step, row.failures, row.reason) for row in found]

    async def change(self, statement: str, message_id: int) -> None:
        async with self.database.transaction() as db:
            await db.execute(text(statement), {"t": self.owner.tenant_id, "m": message_id})


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
    stage = Poisoned(database, owner, provider)
    message_id = await stage.take(channel, details)
    told = [await stage.hand_over(message_id) for _ in range(5)]
    assert told[4] == UNPROCESSABLE
    assert all(isinstance(error, ApplicationError) for error in told[:4])
    assert [(e.type, e.non_retryable, e.next_retry_delay) for e in told[:4]] == [
        (reason, False, timedelta(seconds=wait)) for wait in (0.5, 1, 2, 4)
    ]
    assert provider.sent == []
    assert await stage.attempts(message_id) == []
    assert await stage.failures(message_id) == [("dispatch", 5, reason)]


async def test_it_ends_failed_and_gives_its_units_back(database: Database, owner: Owner) -> None:
    stage = Poisoned(database, owner, Scripted())
    message_id = await stage.take(Channel.VOICE, CALL_WITHOUT_LIMITS)
    assert await stage.units() == (1, 0)
    for _ in range(5):
        handed = await stage.hand_over(message_id)
    ended = await stage.settle(message_id, Ending(handed.verdict), handed.error_code)
    assert ended == (MessageStatus.FAILED, True)
    assert (await stage.message(message_id)).error_code == "UNPROCESSABLE"
    assert await stage.units() == (0, 0)
    assert await stage.usage(message_id) == []


async def test_what_has_failed_too_often_is_not_tried_again(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    stage = Poisoned(database, owner, provider)
    message_id = await stage.accept()
    await stage.change(
        "INSERT INTO step_failure VALUES (:t, :m, 'dispatch', 5, 'KeyError', now(), now())",
        message_id,
    )
    assert await stage.hand_over(message_id) == UNPROCESSABLE
    assert provider.sent == []


async def test_failures_of_long_ago_do_not_count(database: Database, owner: Owner) -> None:
    stage = Poisoned(database, owner, Scripted())
    message_id = await stage.take(Channel.VOICE, CALL_WITHOUT_LIMITS)
    await stage.change(
        "INSERT INTO step_failure VALUES (:t, :m, 'dispatch', 4, 'KeyError',"
        " now() - interval '1 day', now() - interval '3 hours')",
        message_id,
    )
    assert isinstance(await stage.hand_over(message_id), ApplicationError)
    assert await stage.failures(message_id) == [("dispatch", 1, "KeyError")]


async def test_with_an_open_attempt_it_is_reconciled_however_often_it_fails(
    database: Database, owner: Owner
) -> None:
    stage = Poisoned(database, owner, Scripted(truths=[FOUND]))
    message_id = await stage.take(Channel.SMS, {})
    await stage.crash(message_id, deadline_in=timedelta(seconds=9), provider="one")
    await stage.change(
        """UPDATE message SET details = '{"to": [7]}', channel = 'EMAIL'
            WHERE tenant_id = :t AND id = :m""",
        message_id,
    )
    told = [await stage.hand_over(message_id) for _ in range(7)]
    assert told == [DispatchResult(verdict=Verdict.AMBIGUOUS)] * 7
    assert (await stage.ask(message_id)).finding is Finding.FOUND
    assert await stage.hand_over(message_id) == DispatchResult(verdict=Verdict.ACCEPTED)
    assert await stage.status(message_id) is MessageStatus.SENT


async def test_an_adapter_that_fails_each_time_ends_it_once_every_call_is_known_to_be_absent(
    database: Database, owner: Owner
) -> None:
    stage = Poisoned(database, owner, Scripted(KeyError("x"), truths=[NOT_FOUND]))
    message_id = await stage.accept()
    for _ in range(5):
        handed = await stage.hand_over(message_id)
        assert handed == DispatchResult(verdict=Verdict.AMBIGUOUS)
        # Its deadline passes, and the pause between calls that never arrived.
        await stage.change(
            "UPDATE attempt SET deadline = now() - interval '1 hour'"
            " WHERE tenant_id = :t AND message_id = :m",
            message_id,
        )
        assert (await stage.ask(message_id)).finding is Finding.ABSENT
        await stage.change(
            "UPDATE attempt SET finished_at = now() - interval '1 hour'"
            " WHERE tenant_id = :t AND message_id = :m",
            message_id,
        )
    assert await stage.hand_over(message_id) == UNPROCESSABLE
    assert await stage.attempts(message_id) == [("one", AttemptState.ABSENT)] * 5


async def test_infrastructure_is_never_counted(database: Database, owner: Owner) -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    stage = Poisoned(away, owner, Scripted())
    message_id = await Poisoned(database, owner, Scripted()).accept()
    step = DispatchStep(**stage.ids(message_id))
    with pytest.raises(SQLAlchemyError):
        await counted(database, "dispatch", stage.dispatching.dispatch, step)
    assert await Poisoned(database, owner, Scripted()).failures(message_id) == []


async def test_settling_is_tried_for_ever_ever_more_seldom_and_never_fails_a_message(
    database: Database, owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Poisoned(database, owner, Scripted())
    message_id = await stage.take(Channel.EMAIL, UNREADABLE)
    before = FAILURES.labels("settle")._value.get()
    told = [await stage.end(message_id) for _ in range(7)]
    assert [error.next_retry_delay.total_seconds() for error in told] == [0.5, 1, 2, 4, 8, 16, 32]
    assert await stage.status(message_id) is MessageStatus.QUEUED
    assert await stage.units() == (1, 0)
    assert await stage.failures(message_id) == [("settle", 7, "AttributeError")]
    assert FAILURES.labels("settle")._value.get() == before + 7
    assert [r.levelname for r in caplog.records if r.msg == "step failed by its message"] == (
        ["ERROR"] * 7
    )


async def test_reconciling_and_polling_are_counted_and_end_nothing(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    stage = Poisoned(database, owner, provider)
    message_id = await stage.accept()
    await stage.crash(message_id, deadline_in=timedelta(seconds=9), provider="one")

    async def fails(step: PollStep) -> None:
        raise ValueError(step)

    for _ in range(6):
        told = await counted(database, "poll", fails, PollStep(**stage.ids(message_id)))
        assert (told.type, told.next_retry_delay) == ("ValueError", None)
    assert await stage.failures(message_id) == [("poll", 6, "ValueError")]
    assert await stage.status(message_id) is MessageStatus.SENDING


async def test_a_failure_that_cannot_be_counted_is_told_as_it_is(owner: Owner) -> None:
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")

    async def fails(step: DispatchStep) -> None:
        raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        await counted(
            away, "dispatch", fails, DispatchStep(tenant_id=owner.tenant_id, message_id=1)
        )
