"""Only the plain case is sent by a chunk; every other member leaves without a call."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import pytest

from activities.messages.account_health import AccountHealth
from models.enums import (
    Channel,
    ConsentStatus,
    ErrorCode,
    MessageStatus,
    MessageType,
)
from models.queries.accounts import circuits
from models.rules.accounts.circuit import Circuit, CircuitReason
from models.session import Database
from providers.ports.messages import Refused
from tests.activities.doubles import Scripted
from tests.activities.harness import TO
from tests.batches.sending.harness import Chunk, ChunkHarness
from tests.factories import Owner, say
from tests.mailing import AllChannels, accept, mail, single
from tests.spending.guarded import named

Prepare: TypeAlias = Callable[[ChunkHarness], Awaitable[Any]]
OTHER = "+18135550001"


async def _opts_out(harness: ChunkHarness) -> None:
    async with harness.database.transaction() as db:
        await harness.opt_out(db)


async def _is_suppressed(harness: ChunkHarness) -> None:
    await harness.database_write(
        "INSERT INTO suppression (tenant_id, merchant_id, channel, contact_key, reason, source,"
        " suppressed_at) SELECT tenant_id, merchant_id, channel, contact_key, 'CARRIER_OPT_OUT',"
        " 'test', now() FROM message WHERE tenant_id = :t AND to_contact = :to"
    )


async def _is_inactive(harness: ChunkHarness) -> None:
    await harness.database_write("UPDATE merchant SET active = FALSE WHERE tenant_id = :t")


async def _has_no_sender(harness: ChunkHarness) -> None:
    await harness.database_write("DELETE FROM sender_number WHERE tenant_id = :t")


async def _has_a_paced_sender(harness: ChunkHarness) -> None:
    await harness.database_write(
        "UPDATE sender_number SET segments_per_second = 1 WHERE tenant_id = :t"
    )


async def _has_failed(harness: ChunkHarness) -> None:
    await harness.database_write(
        "INSERT INTO step_failure (tenant_id, message_id, step, failures, reason, first_at,"
        " last_at) SELECT tenant_id, id, 'dispatch', 5, 'Bug', now(), now() FROM message"
        " WHERE tenant_id = :t"
    )


@pytest.mark.parametrize(
    "prepare",
    [_opts_out, _is_suppressed, _is_inactive, _has_no_sender, _has_a_paced_sender],
    ids=lambda prepare: prepare.__name__,
)
async def test_a_member_that_may_not_be_sent_plainly_leaves(
    database: Database, owner: Owner, prepare: Prepare
) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(TO)
    await prepare(harness)
    result = await harness.send(chunk)
    assert (provider.sent, await harness.attempts(chunk.members[0])) == ([], [])
    assert (result.unsent, result.left, harness.started_ids) == (0, 1, chunk.members)


@pytest.mark.parametrize(
    "wanted",
    [
        {"due_in": timedelta(hours=1)},
        {"due_in": timedelta(hours=-1), "valid_for": timedelta(seconds=30)},
        {"type": MessageType.MARKETING},
    ],
    ids=["not due", "expired", "marketing without consent"],
)
async def test_a_member_that_waits_or_is_too_late_leaves(
    database: Database, owner: Owner, wanted: dict[str, Any]
) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(1, **wanted)
    result = await harness.send(chunk)
    assert (provider.sent, result.left) == ([], 1)


async def test_members_that_are_due_in_a_moment_stay(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(3, due_in=timedelta(seconds=2))
    result = await harness.send(chunk)
    assert (result.unsent, result.left, provider.sent) == (3, 0, [])
    await asyncio.sleep(2)
    assert (await harness.send(chunk)).awaited == 3


async def test_the_other_members_are_sent(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(TO, 12)
    await _opts_out(harness)
    result = await harness.send(chunk)
    assert (result.accepted, result.left) == ({"one": 12}, 1)
    assert TO not in {request.to for request in provider.sent}
    [left] = harness.started_ids
    handed = await harness.dispatch(left)
    assert handed.error_code is ErrorCode.CONSENT_OPTED_OUT


async def test_without_an_account_every_member_leaves(database: Database, owner: Owner) -> None:
    harness = ChunkHarness(database, owner)
    chunk = await harness.chunk(3)
    assert (await harness.send(chunk)).left == 3


async def test_a_slow_account_is_not_called_by_a_chunk(database: Database, owner: Owner) -> None:
    provider = Scripted(timeout=timedelta(seconds=60))
    harness = ChunkHarness(database, owner, provider)
    assert (await harness.send(await harness.chunk(2))).left == 2
    assert provider.sent == []


async def test_an_account_whose_circuit_is_open_is_not_called(
    database: Database, owner: Owner
) -> None:
    provider = Scripted(name=named())
    health = AccountHealth(database, lambda: [provider.account])
    now = datetime.now(UTC)
    async with database.statement() as db:
        opened = Circuit(
            reason=CircuitReason.FAILURES,
            openings=1,
            opened_at=now,
            open_until=now + timedelta(minutes=5),
        )
        await circuits.change(db, provider.account, seen=0, circuit=opened)
    await health.settle()
    harness = ChunkHarness(database, owner, provider, health=health)
    assert (await harness.send(await harness.chunk(2))).left == 2
    assert provider.sent == []


async def test_mail_with_several_recipients_leaves_and_other_mail_does_not(
    database: Database, owner: Owner
) -> None:
    provider = AllChannels()
    harness = ChunkHarness(database, owner, provider)
    several = await accept(database, mail(owner))
    alone = [
        await accept(database, mail(owner, ["ann@example.com"])),
        await accept(database, single(Channel.EMAIL, owner, "bea@example.com")),
    ]
    chunk = await harness.chunk_of([several, *alone])
    result = await harness.send(chunk)
    assert (result.awaited, harness.started_ids) == (2, [several])
    assert [request.to for request in provider.sent] == ["ann@example.com", "bea@example.com"]


async def test_a_member_whose_request_cannot_be_built_leaves_alone(
    database: Database, owner: Owner
) -> None:
    provider = AllChannels()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(3)
    broken = chunk.members[1]
    # A call without its details, as no API writes it.
    await harness.database_write(
        "UPDATE message SET channel = 'VOICE' WHERE tenant_id = :t AND id = :m", broken
    )
    result = await harness.send(chunk)
    assert (result.awaited, harness.started_ids) == (2, [broken])
    assert await harness.attempts(broken) == []


async def test_a_canceled_member_is_not_sent(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(3)
    assert await harness.cancel(chunk.members[1])
    result = await harness.send(chunk)
    assert (result.accepted, result.left) == ({"one": 2}, 0)
    assert await harness.status(chunk.members[1]) is MessageStatus.CANCELED


async def test_a_cancellation_and_a_claim_at_once_do_not_both_happen(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(30)

    async def cancel_each() -> int:
        canceled = [await harness.cancel(message_id) for message_id in reversed(chunk.members)]
        return sum(canceled)

    _, canceled = await asyncio.gather(harness.send(chunk), cancel_each())
    await harness.send(chunk)
    assert len(provider.sent) + canceled == 30
    statuses = [status for status, _ in await harness.states(chunk)]
    assert statuses.count("CANCELED") == canceled


async def test_a_carrier_that_knows_of_an_opt_out_is_remembered(
    database: Database, owner: Owner
) -> None:
    opted_out = Refused(error_code=ErrorCode.OPTED_OUT, provider_code="21610", everywhere=True)
    harness = ChunkHarness(database, owner, Scripted(opted_out))
    chunk = await harness.chunk(TO)
    await harness.send(chunk)
    second = await harness.dispatch(await harness.accept())
    assert second.error_code is ErrorCode.RECIPIENT_SUPPRESSED
    assert await harness.complete(chunk.members[0]) is MessageStatus.FAILED


async def test_an_opt_in_lets_marketing_be_sent_in_the_daytime_only(
    database: Database, owner: Owner
) -> None:
    """Whether it is day for the recipient, the same decision holds as for a single send."""
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    await say(database, owner, contact=TO, status=ConsentStatus.OPT_IN)
    alone = await harness.accept(type=MessageType.MARKETING)
    handed = await harness.dispatch(alone)
    chunk = await harness.chunk(TO, type=MessageType.MARKETING)
    result = await harness.send(chunk)
    assert result.accepted == ({"one": 1} if handed.verdict == "ACCEPTED" else {})
    assert result.left == (0 if handed.verdict == "ACCEPTED" else 1)


async def test_members_that_failed_before_are_given_up_by_their_own_workflow(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(1)
    await _has_failed(harness)
    assert (await harness.send(chunk)).left == 1
    assert await harness.complete(chunk.members[0]) is MessageStatus.FAILED
    assert provider.sent == []


async def test_an_empty_chunk_is_done(database: Database, owner: Owner) -> None:
    harness = ChunkHarness(database, owner, Scripted())
    result = await harness.send(Chunk(chunk_id=10**12))
    assert (result.unsent, result.awaited, result.left) == (0, 0, 0)
