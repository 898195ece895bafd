"""Dispatching to recipients who opted out: never, whichever transaction commits first."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from models.enums import AttemptState, ErrorCode, MessageType
from models.session import Database
from providers.ports.messages import Refused
from tests.activities.doubles import (
    Scripted,
)
from tests.activities.harness import Harness
from tests.factories import Owner
from workflows.messages.types import DispatchResult, Verdict

A, V = AttemptState, Verdict
SECOND = timedelta(seconds=1)


def result(
    verdict: Verdict, *, provider: str = "one", attempt: int = 1, error: ErrorCode | None = None
) -> DispatchResult:
    return DispatchResult(verdict=verdict, provider=provider, attempt=attempt, error_code=error)


@pytest.mark.parametrize("type", MessageType)
async def test_an_opted_out_contact_is_sent_nothing(
    database: Database, owner: Owner, type: MessageType
) -> None:
    provider = Scripted()
    harness = Harness(database, owner, provider)
    message_id = await harness.accept(type=type)
    async with database.transaction() as db:
        await harness.opt_out(db)
    handed = await harness.dispatch(message_id)
    assert handed == DispatchResult(verdict=V.BLOCKED, error_code=ErrorCode.CONSENT_OPTED_OUT)
    assert (provider.sent, await harness.attempts(message_id)) == ([], [])


async def test_a_dispatch_waits_for_an_opt_out_under_way(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = Harness(database, owner, provider)
    message_id = await harness.accept()
    async with database.transaction() as db:
        await harness.opt_out(db)
        call = asyncio.create_task(harness.dispatch(message_id))
        await asyncio.sleep(0.1)
        assert not call.done()
    assert (await call).error_code is ErrorCode.CONSENT_OPTED_OUT
    assert provider.sent == []


async def test_no_attempt_is_ever_committed_after_the_opt_out_was(
    database: Database, owner: Owner
) -> None:
    """The exclusive lock of the contact sees every attempt."""
    provider = Scripted()
    harness = Harness(database, owner, provider)

    async def round_of(number: int) -> bool:
        contact = f"+1813555{number:04}"
        message_id = await harness.accept(to=contact)
        seen: list[int] = []

        async def opts_out() -> None:
            await asyncio.sleep((number % 7) * 0.001)
            async with database.transaction() as db:
                await harness.opt_out(db, contact)
                found = await db.scalar(
                    text("SELECT count(*) FROM attempt WHERE tenant_id = :t AND message_id = :m"),
                    {"t": owner.tenant_id, "m": message_id},
                )
                seen.append(found or 0)
                await asyncio.sleep(0.002)

        handed, _ = await asyncio.gather(harness.dispatch(message_id), opts_out())
        assert len(await harness.attempts(message_id)) == seen[0]
        assert (handed.verdict is Verdict.ACCEPTED) is (seen[0] == 1)
        return seen[0] == 1

    sent = 0
    for batch in range(20):
        rounds = [round_of(batch * 8 + number) for number in range(8)]
        sent += sum(await asyncio.gather(*rounds))
    assert len(provider.sent) == sent


@pytest.mark.parametrize("queued", [False, True])
async def test_a_carrier_that_knows_of_an_opt_out_is_remembered(
    database: Database, owner: Owner, queued: bool
) -> None:
    opted_out = Refused(error_code=ErrorCode.OPTED_OUT, provider_code="21610", everywhere=True)
    harness = Harness(database, owner, Scripted(opted_out))
    first = await harness.dispatch(await harness.accept(), queued=queued)
    assert first == result(V.REFUSED, error=ErrorCode.OPTED_OUT)
    second = await harness.dispatch(await harness.accept())
    assert second.error_code is ErrorCode.RECIPIENT_SUPPRESSED
