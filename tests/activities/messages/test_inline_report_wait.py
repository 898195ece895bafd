"""Waiting inline for a fast report: it is read here or signalled; it is never missed."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from activities.messages.inline_report_wait import InlineReportWait
from models.enums import AttemptState, Channel, ReportStatus
from models.queries.messages import conclude as concluding
from models.queries.messages import inline_report_wait, receipts
from models.queries.messages.inline_report_wait import AwaitedAttempt
from models.queries.messages.receipts import AttemptKey, NewReceipt, StoredReceipt
from models.rules.messages.delivery_events import Mismatch
from models.session import Database, WriteSession
from tests.activities.doubles import AMBIGUOUS, Scripted
from tests.activities.harness import Harness
from tests.contacts import CONTACT_KEYS
from tests.e2e.harness import until
from tests.factories import Owner
from workflows.messages.types import DispatchResult, Verdict

PATIENCE = timedelta(milliseconds=300)


async def told_after(harness: Harness, message_id: int, seconds: float) -> StoredReceipt:
    """Store the final report so many seconds after the provider was called."""
    await asyncio.sleep(seconds)
    stored = await harness.tell(message_id, ReportStatus.DELIVERED, event_id=f"e{message_id}")
    assert isinstance(stored, StoredReceipt)
    return stored


async def accepted_attempt(
    harness: Harness, *, attended_for: timedelta = timedelta(minutes=-1)
) -> AwaitedAttempt:
    """Return an attempt that a provider has accepted and not reported on."""
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=timedelta(minutes=1), provider="one")
    awaited_inline = AwaitedAttempt(
        tenant_id=harness.owner.tenant_id, message_id=message_id, attempt=1
    )
    async with harness.database.transaction() as db:
        await conclude(db, awaited_inline, attended_for=attended_for)
    return awaited_inline


async def conclude(
    db: WriteSession, awaited_inline: AwaitedAttempt, *, attended_for: timedelta
) -> None:
    """Store that a provider accepted a message, and until when its report is awaited inline."""
    now = datetime.now(UTC)
    await concluding.conclude(
        db,
        tenant_id=awaited_inline.tenant_id,
        message_id=awaited_inline.message_id,
        number=awaited_inline.attempt,
        state=AttemptState.ACCEPTED,
        now=now,
        report_wait_until=now + attended_for,
    )


async def stored_now(db: WriteSession, awaited_inline: AwaitedAttempt) -> StoredReceipt | Mismatch:
    """Store the final report of an attempt."""
    report = final_report(awaited_inline)
    return await receipts.store(db, report, CONTACT_KEYS, datetime.now(UTC))


def final_report(awaited_inline: AwaitedAttempt) -> NewReceipt:
    """Return a report that the message was delivered."""
    return NewReceipt(
        attempt=AttemptKey(
            tenant_id=awaited_inline.tenant_id,
            message_id=awaited_inline.message_id,
            public_id=0,
            number=awaited_inline.attempt,
        ),
        account="one",
        event_id=f"e{awaited_inline.message_id}",
        provider_message_id="m1",
        status=ReportStatus.DELIVERED,
        reported_at=datetime.now(UTC),
    )


async def report_wait_until(harness: Harness, message_id: int) -> object:
    found = await harness.rows(
        "SELECT report_wait_until FROM attempt WHERE tenant_id = :t AND message_id = :m", message_id
    )
    return found[0].report_wait_until if found else None


async def test_a_report_within_the_moment_is_seen_and_needs_no_signal(
    database: Database, owner: Owner
) -> None:
    provider = Scripted()
    harness = Harness(database, owner, provider, report_timeout=PATIENCE)
    message_id = await harness.accept()
    dispatching = asyncio.create_task(harness.dispatch(message_id))
    await provider.called()
    stored = await told_after(harness, message_id, 0.1)
    handed = await dispatching
    assert (handed.verdict, handed.reported) == (Verdict.ACCEPTED, True)
    assert (stored.open, stored.awaited_inline) == (True, True)


async def test_a_report_after_the_inline_wait_is_signalled(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, Scripted(), report_timeout=PATIENCE)
    message_id = await harness.accept()
    handed = await harness.dispatch(message_id)
    assert (handed.verdict, handed.reported) == (Verdict.ACCEPTED, False)
    assert await report_wait_until(harness, message_id) is None
    assert not (await told_after(harness, message_id, 0)).awaited_inline


async def test_a_lost_answer_is_not_attended(database: Database, owner: Owner) -> None:
    harness = Harness(database, owner, Scripted(AMBIGUOUS), report_timeout=PATIENCE)
    message_id = await harness.accept()
    assert (await harness.dispatch(message_id)).verdict is Verdict.AMBIGUOUS
    assert await report_wait_until(harness, message_id) is None


async def test_no_report_falls_between_the_last_look_and_the_signal(
    database: Database, owner: Owner
) -> None:
    report_timeout = timedelta(milliseconds=100)
    harness = Harness(database, owner, Scripted(), report_timeout=report_timeout, slots=1000)

    async def race(around: float) -> tuple[DispatchResult, StoredReceipt]:
        message_id = await harness.accept()
        dispatching = asyncio.create_task(harness.dispatch(message_id))

        async def awaited_inline() -> bool:
            return dispatching.done() or await report_wait_until(harness, message_id) is not None

        await until(awaited_inline, every=0.002)
        stored = await told_after(harness, message_id, around)
        return await dispatching, stored

    outcomes: list[tuple[DispatchResult, StoredReceipt]] = []

    def paths() -> set[bool]:
        return {handed.reported for handed, _ in outcomes}

    # In small groups, so that the pool does not determine the order. On a slow machine all reports
    # may come too late, so the last ones, if needed, come earlier.
    for spread in (*[0.01] * 8, 0.02, 0.03, 0.03, 0.03):
        if spread == 0.01 or len(paths()) < 2:
            around = (max(0.1 + spread * (step - 4), 0) for step in range(8))
            outcomes += await asyncio.gather(*(race(after) for after in around))
    assert [o for o in outcomes if not o[0].reported and o[1].awaited_inline] == []
    # Both paths must have been taken, or there was no race.
    assert paths() == {True, False}


async def test_the_last_look_waits_for_a_report_that_is_being_stored(
    database: Database, owner: Owner
) -> None:
    """The transaction that stores it saw an attempt awaited inline, and so sends no signal."""
    harness = Harness(database, owner, Scripted())
    awaited_inline = await accepted_attempt(harness, attended_for=timedelta(minutes=1))

    async def leaves() -> bool:
        async with database.transaction() as db:
            return await inline_report_wait.leave(db, awaited_inline)

    async with database.transaction() as db:
        stored = await stored_now(db, awaited_inline)
        leaving = asyncio.create_task(leaves())
        await asyncio.sleep(0.2)
        assert not leaving.done()
    assert isinstance(stored, StoredReceipt)
    assert (stored.awaited_inline, await leaving) == (True, True)


async def test_a_report_that_comes_during_the_last_look_is_signalled(
    database: Database, owner: Owner
) -> None:
    harness = Harness(database, owner, Scripted())
    awaited_inline = await accepted_attempt(harness, attended_for=timedelta(minutes=1))

    async def stores() -> StoredReceipt | Mismatch:
        async with database.transaction() as db:
            return await stored_now(db, awaited_inline)

    async with database.transaction() as db:
        assert await inline_report_wait.leave(db, awaited_inline) is False
        storing = asyncio.create_task(stores())
        await asyncio.sleep(0.2)
        assert not storing.done()
    stored = await storing
    assert isinstance(stored, StoredReceipt)
    assert (stored.open, stored.awaited_inline) == (True, False)


async def test_a_report_that_comes_while_the_answer_is_written_down_is_looked_for(
    database: Database, owner: Owner
) -> None:
    """The answer's transaction marks the attempt as awaited inline; the report must see that."""
    harness = Harness(database, owner, Scripted())
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=timedelta(minutes=1), provider="one")
    awaited_inline = AwaitedAttempt(tenant_id=owner.tenant_id, message_id=message_id, attempt=1)

    async def stores() -> StoredReceipt | Mismatch:
        async with database.transaction() as db:
            return await stored_now(db, awaited_inline)

    async with database.transaction() as db:
        await conclude(db, awaited_inline, attended_for=timedelta(minutes=1))
        storing = asyncio.create_task(stores())
        await asyncio.sleep(0.2)
        assert not storing.done()
    stored = await storing
    assert isinstance(stored, StoredReceipt)
    assert (stored.open, stored.awaited_inline) == (True, True)
    async with database.transaction() as db:
        assert await inline_report_wait.leave(db, awaited_inline) is True


async def test_a_mail_to_several_is_never_attended(database: Database, owner: Owner) -> None:
    harness = Harness(database, owner, Scripted(), report_timeout=PATIENCE)
    message_id = await harness.accept()
    async with database.transaction() as db:
        await db.execute(
            text(
                'UPDATE message SET details = \'{"to": ["+18135551234", "+18135551235"]}\''
                " WHERE tenant_id = :t AND id = :m"
            ),
            {"t": owner.tenant_id, "m": message_id},
        )
    await harness.dispatch(message_id)
    assert await report_wait_until(harness, message_id) is None


async def test_the_line_of_a_busy_provider_is_not_held_up(database: Database, owner: Owner) -> None:
    harness = Harness(database, owner, Scripted(), report_timeout=PATIENCE)
    message_id = await harness.accept()
    await harness.dispatch(message_id, queued=True)
    assert await report_wait_until(harness, message_id) is None


async def test_a_route_that_reports_late_is_only_tried_now_and_then(
    database: Database, owner: Owner
) -> None:
    inline_report_wait = InlineReportWait(database, timedelta(milliseconds=1))
    harness = Harness(database, owner, Scripted())
    slow, fast = ("one", Channel.SMS), ("one", Channel.VOICE)
    attempt = await accepted_attempt(harness)
    for _ in range(15):
        await inline_report_wait.await_report(attempt, slow, timedelta(milliseconds=1))
    tried = [inline_report_wait.timeout_for(slow) is not None for _ in range(100)]
    assert sum(tried) == 5
    assert inline_report_wait.timeout_for(fast) is not None


async def test_a_route_that_became_fast_is_attended_again(database: Database, owner: Owner) -> None:
    inline_report_wait = InlineReportWait(database, timedelta(milliseconds=1))
    harness = Harness(database, owner, Scripted())
    route = ("one", Channel.SMS)
    attempt = await accepted_attempt(harness)
    for _ in range(15):
        await inline_report_wait.await_report(attempt, route, timedelta(milliseconds=1))
    await told_after(harness, attempt.message_id, 0)
    for _ in range(10):
        assert await inline_report_wait.await_report(attempt, route, timedelta(seconds=2))
    assert all(inline_report_wait.timeout_for(route) is not None for _ in range(100))


async def test_zero_patience_attends_nothing(database: Database) -> None:
    inline_report_wait = InlineReportWait(database, timedelta(0))
    assert inline_report_wait.timeout_for(("one", Channel.SMS)) is None


async def test_an_earlier_report_needs_no_inline_wait(database: Database, owner: Owner) -> None:
    provider = Scripted()
    provider.may_answer.clear()
    harness = Harness(database, owner, provider, report_timeout=PATIENCE)
    message_id = await harness.accept()
    dispatching = asyncio.create_task(harness.dispatch(message_id))
    await provider.called()
    await told_after(harness, message_id, 0)
    provider.may_answer.set()
    assert (await dispatching).reported
    assert await report_wait_until(harness, message_id) is None
