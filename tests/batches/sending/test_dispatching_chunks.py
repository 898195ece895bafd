"""Dispatching a chunk: every answer of a provider, and no second copy."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from models.enums import AttemptState, ErrorCode, MessageStatus, ReportStatus
from models.session import Database
from providers.ports.messages import Accepted, Answer, NotProcessed
from tests.activities.doubles import (
    ACCEPTED,
    AMBIGUOUS,
    NOT_PROCESSED,
    REFUSED,
    REFUSED_EVERYWHERE,
    Scripted,
)
from tests.batches.sending.harness import ChunkHarness
from tests.factories import Owner, make_owner
from workflows.messages.batches.chunk_types import ChunkResult

A, S = AttemptState, MessageStatus
SENT = (S.SENT, A.ACCEPTED)


async def test_every_member_is_sent_once(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(33)
    assert await harness.send(chunk) == ChunkResult(
        unsent=0, awaited=33, settleable=0, accepted={"one": 33}
    )
    assert await harness.states(chunk) == [SENT] * 33
    assert len({request.to for request in provider.sent}) == len(provider.sent) == 33
    references = {request.reference for request in provider.sent}
    assert references == {await harness.reference(id) for id in chunk.members}
    assert harness.started == []


async def test_a_request_is_that_of_a_single_send(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    alone = await harness.accept(body="Hello")
    await harness.dispatch(alone)
    chunk = await harness.chunk(1, body="Hello")
    began = datetime.now(UTC)
    await harness.send(chunk)
    single, request = provider.sent
    reference = await harness.reference(chunk.members[0])
    assert request.callback_url == f"http://us/webhooks/one/{reference}"
    assert (request.sender, request.valid_until) == (single.sender, single.valid_until)
    until = request.not_after - began
    assert provider.timeout < until < provider.timeout + timedelta(seconds=2)
    of_chunk, of_single = [await harness.message(id) for id in (chunk.members[0], alone)]
    for column in ("status", "attempts", "provider", "account", "ready_at"):
        assert getattr(of_chunk, column) == getattr(of_single, column)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (AMBIGUOUS, A.AMBIGUOUS),
        (REFUSED, A.REFUSED),
        (REFUSED_EVERYWHERE, A.REFUSED),
        (NOT_PROCESSED, A.NOT_PROCESSED),
        (RuntimeError("a bug of an adapter"), A.REQUESTED),
    ],
    ids=str,
)
async def test_a_member_that_is_not_accepted_leaves_at_once(
    database: Database, owner: Owner, answer: Answer | Exception, state: AttemptState
) -> None:
    provider = Scripted(answer, ACCEPTED)
    harness = ChunkHarness(database, owner, provider, slots=2)  # one call at a time
    chunk = await harness.chunk(3)
    result = await harness.send(chunk)
    assert (result.unsent, result.awaited, result.left) == (0, 2, 1)
    assert await harness.states(chunk) == [(S.SENDING, state), SENT, SENT]
    assert harness.started_ids == chunk.members[:1]
    assert await harness.remaining(chunk) == chunk.members[1:]
    assert len(provider.sent) == 3


@pytest.mark.parametrize(
    ("answer", "least"),
    [(NOT_PROCESSED, 1), (NotProcessed(reason="503", retry_after=timedelta(seconds=30)), 30)],
    ids=["back-off", "retry-after"],
)
async def test_a_member_that_was_not_processed_goes_on_after_the_back_off(
    database: Database, owner: Owner, answer: Answer, least: int
) -> None:
    harness = ChunkHarness(database, owner, Scripted(answer))
    await harness.send(await harness.chunk(1))
    [leaver] = harness.started
    assert leaver.delay is not None
    assert timedelta(seconds=least - 1) < leaver.delay <= timedelta(seconds=least)
    assert not leaver.poll_is_due


async def test_the_next_account_takes_what_the_first_did_not_process_at_once(
    database: Database, owner: Owner
) -> None:
    harness = ChunkHarness(database, owner, Scripted(NOT_PROCESSED), Scripted(name="two"))
    chunk = await harness.chunk(1)
    await harness.send(chunk)
    [leaver] = harness.started
    assert leaver.delay is None
    await harness.dispatch(chunk.members[0])
    assert await harness.attempts(chunk.members[0]) == [
        ("one", A.NOT_PROCESSED),
        ("two", A.ACCEPTED),
    ]


async def test_an_account_that_refuses_a_member_is_not_asked_again(
    database: Database, owner: Owner
) -> None:
    provider = Scripted(REFUSED_EVERYWHERE)
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(4)
    await harness.send(chunk)
    for message_id in chunk.members:
        assert await harness.complete(message_id) is S.FAILED
    assert len(provider.sent) == 4
    assert (await harness.message(chunk.members[0])).error_code == ErrorCode.BAD_DESTINATION
    assert await harness.broken_laws() == []


async def test_members_whose_answer_was_lost_are_reconciled_and_not_resent(
    database: Database, owner: Owner
) -> None:
    provider = Scripted(AMBIGUOUS)
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(3)
    await harness.send(chunk)
    handed = await harness.dispatch(chunk.members[0])
    assert handed.verdict == "AMBIGUOUS"
    assert len(provider.sent) == 3


async def test_a_second_run_sends_only_what_the_first_did_not(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(5)
    await harness.send(chunk)
    assert await harness.send(chunk) == ChunkResult(unsent=0, awaited=5, settleable=0)
    assert len(provider.sent) == 5


async def test_attempts_of_a_killed_run_leave_and_are_not_resent(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    provider.may_answer.clear()
    harness = ChunkHarness(database, owner, provider, slots=4)
    chunk = await harness.chunk(5)
    killed = asyncio.create_task(harness.send(chunk))
    await provider.called(2)
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    provider.may_answer.set()

    result = await harness.send(chunk)
    assert (result.left, result.accepted) == (2, {"one": 3})
    assert harness.started_ids == chunk.members[:2]
    assert len(provider.sent) == len({request.to for request in provider.sent}) == 5
    states = await harness.states(chunk)
    assert states == [(S.SENDING, A.REQUESTED)] * 2 + [SENT] * 3


async def test_two_runs_at_once_send_every_member_once(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(40)
    await asyncio.gather(harness.send(chunk), harness.send(chunk))
    assert len({request.to for request in provider.sent}) == len(provider.sent) == 40
    for message_id in harness.started_ids:
        assert (await harness.dispatch(message_id)).verdict in ("AMBIGUOUS", "ACCEPTED")
    assert len(provider.sent) == 40


async def test_an_answer_after_its_member_left_is_stored_and_lets_reports_signal(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    provider.may_answer.clear()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(1)
    first = asyncio.create_task(harness.send(chunk))
    await provider.called()
    await harness.send(chunk)  # as if the first run were believed to be dead
    assert harness.started_ids == chunk.members
    provider.may_answer.set()
    await first
    assert await harness.states(chunk) == [SENT]
    assert await harness.signals(chunk.members[0], ReportStatus.DELIVERED)
    assert len(provider.sent) == 1


async def test_chunks_leave_half_of_the_calls_to_single_sends(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    provider.may_answer.clear()
    harness = ChunkHarness(database, owner, provider, slots=6)
    first, second = await harness.chunk(8), await harness.chunk(8)
    sending = [asyncio.create_task(harness.send(chunk)) for chunk in (first, second)]
    await provider.called(3)
    await asyncio.sleep(0.3)
    assert len(provider.sent) == 3
    alone = [asyncio.create_task(harness.dispatch(await harness.accept())) for _ in range(3)]
    await provider.called(3)
    provider.may_answer.set()
    await asyncio.gather(*alone, *sending)
    results = [await harness.send(chunk) for chunk in (first, second)]
    assert [result.awaited for result in results] == [8, 8]
    assert len(provider.sent) == 19


async def test_a_run_that_gets_no_call_says_so(database: Database, owner: Owner) -> None:
    provider = Scripted()
    provider.may_answer.clear()
    harness = ChunkHarness(database, owner, provider, slots=1)
    alone = asyncio.create_task(harness.dispatch(await harness.accept()))
    await provider.called()
    chunk = await harness.chunk(2)
    result = await harness.send(chunk)
    assert result == ChunkResult(unsent=2, awaited=0, settleable=0)
    provider.may_answer.set()
    await alone
    assert (await harness.send(chunk)).accepted == {"one": 2}


async def test_an_id_that_two_attempts_get_proves_one_of_them(
    database: Database, owner: Owner
) -> None:
    provider = Scripted(Accepted(provider_message_id="the-same"))
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(2)
    result = await harness.send(chunk)
    states = [state for _, state in await harness.states(chunk)]
    assert {*states} == {A.ACCEPTED, A.AMBIGUOUS}
    assert (result.awaited, result.left) == (1, 1)


async def test_an_id_that_an_earlier_attempt_has_proves_nothing(
    database: Database, owner: Owner
) -> None:
    provider = Scripted(Accepted(provider_message_id="taken"))
    harness = ChunkHarness(database, owner, provider)
    await harness.dispatch(await harness.accept())
    chunk = await harness.chunk(1)
    result = await harness.send(chunk)
    assert await harness.states(chunk) == [(S.SENDING, A.AMBIGUOUS)]
    assert (result.awaited, result.left) == (0, 1)


async def test_a_report_before_the_answer_is_kept(database: Database, owner: Owner) -> None:
    provider = Scripted()
    provider.may_answer.clear()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(2)
    sending = asyncio.create_task(harness.send(chunk))
    await provider.called(2)
    await harness.tell(chunk.members[0], ReportStatus.DELIVERED)
    provider.may_answer.set()
    assert (await sending).settleable == 1
    assert await harness.states(chunk) == [SENT, SENT]
    assert (await harness.end(chunk)).ended == {"DELIVERED": 1}


async def test_a_report_proves_an_attempt_whose_answer_is_lost(
    database: Database, owner: Owner
) -> None:
    provider = Scripted(AMBIGUOUS)
    provider.may_answer.clear()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(1)
    sending = asyncio.create_task(harness.send(chunk))
    await provider.called()
    await harness.tell(chunk.members[0], ReportStatus.DELIVERED)
    provider.may_answer.set()
    assert (await sending).settleable == 1
    assert harness.started == []


async def test_another_tenants_chunk_is_untouched(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    other = ChunkHarness(database, await make_owner(database), provider)
    chunk, theirs = await harness.chunk(2), await other.chunk(2)
    await harness.send(theirs)
    assert provider.sent == []
    assert await other.remaining(theirs) == theirs.members
    await harness.send(chunk)
    assert len(provider.sent) == 2
