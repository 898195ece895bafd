"""Chunks and opt-outs at once: no attempt is committed after an opt-out is."""

import asyncio

from sqlalchemy import text

from models.enums import Channel, ErrorCode, MessageStatus, SuppressionReason
from models.queries.consent.suppression import suppress
from models.session import Database
from tests.activities.doubles import Scripted
from tests.batches.sending.harness import ChunkHarness
from tests.contacts import key_of
from tests.factories import Owner


async def test_a_chunk_waits_for_an_opt_out_under_way(database: Database, owner: Owner) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)
    chunk = await harness.chunk(5)
    async with database.transaction() as db:
        await harness.opt_out(db, "+18135550003")
        sending = asyncio.create_task(harness.send(chunk))
        await asyncio.sleep(0.2)
        assert not sending.done()
        assert provider.sent == []  # they are claimed together
    assert (await sending).accepted == {"one": 4}
    assert "+18135550003" not in {request.to for request in provider.sent}


async def test_no_attempt_is_committed_after_the_opt_out_was(
    database: Database, owner: Owner
) -> None:
    """Under its exclusive lock an opt-out sees every attempt; two chunks share the contacts."""
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider)

    async def round_of(number: int) -> int:
        contacts = [f"+1813555{number * 20 + one:04}" for one in range(20)]
        first = await harness.chunk(*contacts)
        second = await harness.chunk(*reversed(contacts))
        seen: dict[str, int] = {}

        async def opts_out(turn: int, contact: str) -> None:
            await asyncio.sleep(turn * 0.002)
            async with database.transaction() as db:
                await harness.opt_out(db, contact)
                seen[contact] = await db.scalar(
                    text(
                        "SELECT count(*) FROM attempt a JOIN message m"
                        " ON m.tenant_id = a.tenant_id AND m.id = a.message_id"
                        " WHERE m.tenant_id = :t AND m.to_contact = :to"
                    ),
                    {"t": owner.tenant_id, "to": contact},
                )

        await asyncio.gather(
            harness.send(first),
            harness.send(second),
            *(opts_out(turn, contact) for turn, contact in enumerate(contacts)),
        )
        for chunk in (first, second):
            await harness.send(chunk)
        made = await harness.rows(
            "SELECT m.to_contact, count(a.number) AS attempts FROM message m LEFT JOIN attempt a"
            " ON a.tenant_id = m.tenant_id AND a.message_id = m.id"
            " WHERE m.tenant_id = :t GROUP BY m.to_contact"
        )
        assert {row.to_contact: row.attempts for row in made if row.to_contact in seen} == seen
        return sum(seen.values())

    sent = 0
    for number in range(6):
        sent += await round_of(number)
    assert len(provider.sent) == sent


async def test_chunks_suppressions_and_single_sends_do_not_deadlock(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = ChunkHarness(database, owner, provider, slots=40)
    contacts = [f"+1813556{number:04}" for number in range(30)]
    chunks = [await harness.chunk(*contacts), await harness.chunk(*reversed(contacts))]
    alone = [await harness.accept(to=contact) for contact in contacts]

    async def suppress_each() -> None:
        for contact in reversed(contacts):
            async with database.transaction() as db:
                await suppress(
                    db,
                    tenant_id=owner.tenant_id,
                    merchant_id=owner.merchant_id,
                    channel=Channel.SMS,
                    contact_key=key_of(contact),
                    contact=contact,
                    reason=SuppressionReason.CARRIER_OPT_OUT,
                    source="test",
                    now=(await harness.message(alone[0])).accepted_at,
                )

    await asyncio.gather(
        *(harness.send(chunk) for chunk in chunks),
        *(harness.dispatch(message_id) for message_id in alone),
        suppress_each(),
    )
    for message_id in harness.started_ids:
        assert await harness.complete(message_id) is MessageStatus.FAILED
        assert (await harness.message(message_id)).error_code == ErrorCode.RECIPIENT_SUPPRESSED
