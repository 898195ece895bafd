"""Accepted messages without a workflow are started soon; running ones are left alone."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.system.sweep_messages import Sweeping, SweepTask
from models.enums import MessageType, ReportStatus
from models.queries.system.sweep_messages import reschedule, take_unstarted
from providers.routing import Routes
from tests.activities.doubles import Scripted
from tests.activities.harness import Harness
from tests.activities.system.test_sweep import (
    GRACE,
    SECOND,
    WAITS,
    alone,
    harness,
    id_of,
    runs,
    sweep,
)
from tests.factories import make_message, make_owner, new_message
from tests.stack import free_port

__all__ = ["alone", "harness"]


async def unstarted(harness: Harness, type: MessageType, *, since: timedelta = SECOND) -> int:
    """Accept a message that has not been started since a while."""
    now = datetime.now(UTC)
    message = new_message(harness.owner, type=type, accepted_at=now - since)
    return await make_message(harness.database, replace(message, sweep_at=now - SECOND))


async def taken(harness: Harness, most: int) -> list[int]:
    """Claim what is to be started first."""
    async with harness.database.transaction() as db:
        found = await take_unstarted(
            db, now=datetime.now(UTC), grace=GRACE, longest=10 * GRACE, most=most
        )
    return [message.message_id for message in found]


def sweeping(
    harness: Harness,
    client: Client,
    *,
    every: timedelta,
    look_every: timedelta,
    urgent: Sequence[SweepTask[int]] = (),
    tasks: Sequence[SweepTask[int]] = (),
) -> Sweeping:
    """A sweeper that looks for unstarted messages between its turns."""
    return Sweeping(
        harness.database,
        client,
        WAITS,
        Routes([], {}),
        every=every,
        grace=GRACE,
        look_every=look_every,
        urgent=urgent,
        tasks=tasks,
    )


async def test_otps_are_started_first_then_by_urgency(harness: Harness) -> None:
    kinds = (
        MessageType.MARKETING,
        MessageType.REMINDER,
        MessageType.TRANSACTIONAL,
        MessageType.OTP,
    )
    ids = [await unstarted(harness, kind, since=(9 - n) * SECOND) for n, kind in enumerate(kinds)]
    assert await taken(harness, 3) == [ids[3], ids[2], ids[1]]
    assert await taken(harness, 3) == [ids[0]]


async def test_tenants_take_turns_within_a_priority(harness: Harness) -> None:
    other = Harness(harness.database, await make_owner(harness.database), Scripted())
    crowd = [await unstarted(harness, MessageType.OTP, since=20 * SECOND) for _ in range(5)]
    late = [await unstarted(other, MessageType.OTP) for _ in range(2)]
    assert await taken(harness, 4) == [crowd[0], late[0], crowd[1], late[1]]
    assert await taken(harness, 4) == crowd[2:]


async def test_what_is_not_due_is_not_urgent_and_what_has_an_attempt_is_not_unstarted(
    harness: Harness,
) -> None:
    now = datetime.now(UTC)
    later = new_message(harness.owner, due_in=timedelta(hours=1))
    await make_message(harness.database, replace(later, sweep_at=now - SECOND))
    await harness.dispatch(await unstarted(harness, MessageType.OTP))
    await harness.crash(
        await unstarted(harness, MessageType.OTP), deadline_in=timedelta(minutes=1), provider="one"
    )
    assert await taken(harness, 10) == []


async def test_a_scheduled_message_without_a_workflow_is_started_in_time(
    harness: Harness, client: Client
) -> None:
    later = new_message(harness.owner, due_in=timedelta(hours=1))
    message_id = await make_message(
        harness.database, replace(later, sweep_at=datetime.now(UTC) - SECOND)
    )
    assert (await sweep(harness, client)).started == 1
    assert await runs(client, await id_of(harness, message_id))


async def test_a_claim_is_left_alone_for_the_grace(harness: Harness) -> None:
    message_id = await unstarted(harness, MessageType.OTP)
    before = datetime.now(UTC)
    await harness.dispatch(message_id)
    row = await harness.message(message_id)
    assert (row.ready_at, row.sweep_at - before > timedelta(seconds=50)) == (None, True)


async def test_a_wait_is_left_alone_until_it_is_over_and_the_grace_beyond(harness: Harness) -> None:
    message = new_message(harness.owner, due_in=timedelta(hours=1))
    due = replace(message, sweep_at=datetime.now(UTC) + 2 * SECOND)
    message_id = await make_message(harness.database, due)
    await harness.dispatch(message_id)
    row = await harness.message(message_id)
    assert row.ready_at == row.due_at
    assert row.sweep_at == row.due_at + timedelta(minutes=1)


async def test_a_started_message_that_waits_for_a_worker_is_left_alone(harness: Harness) -> None:
    soon = datetime.now(UTC) + 2 * SECOND
    message = replace(new_message(harness.owner), sweep_at=soon)
    waiting, tried = [await make_message(harness.database, message) for _ in range(2)]
    await harness.dispatch(tried)
    of_attempt = (await harness.message(tried)).sweep_at
    later = soon + 2 * timedelta(minutes=1)
    tenant = harness.owner.tenant_id
    async with harness.database.transaction() as db:
        await reschedule(db, [(tenant, waiting), (tenant, tried)], later, later=True)
        await reschedule(db, [(tenant, waiting)], soon, later=True)
    assert (await harness.message(waiting)).sweep_at == later
    assert (await harness.message(tried)).sweep_at == of_attempt


async def test_a_failed_start_is_retried_soon(harness: Harness) -> None:
    message_id = await unstarted(harness, MessageType.OTP)
    nowhere = await Client.connect(f"127.0.0.1:{free_port()}", lazy=True)
    before = datetime.now(UTC)
    assert (await sweep(harness, nowhere)).started == 0
    assert (await harness.message(message_id)).sweep_at < before + 10 * SECOND < before + GRACE


async def test_between_full_turns_it_looks_again_for_what_is_not_started(
    harness: Harness, client: Client
) -> None:
    watching = sweeping(harness, client, every=2 * SECOND, look_every=SECOND / 10)
    under_way = asyncio.create_task(ActivityEnvironment().run(watching.sweep))
    await asyncio.sleep(0.5)  # its full turn is over, or finds it as well
    message_id = await unstarted(harness, MessageType.OTP)
    assert (await under_way).started == 1
    assert await runs(client, await id_of(harness, message_id))


@dataclass
class Counted:
    """A task with one row at each look."""

    resumed: int = 0

    async def take(self, now: datetime, most: int) -> list[int]:
        """Return one row."""
        return [1]

    async def resume(self, row: int, /) -> bool:
        """Count the look."""
        self.resumed += 1
        return True


async def test_urgent_tasks_run_at_each_look_and_the_others_once_per_turn(
    harness: Harness, client: Client
) -> None:
    urgent, other = Counted(), Counted()
    watching = sweeping(
        harness,
        client,
        every=2 * SECOND,
        look_every=SECOND / 10,
        urgent=[urgent],
        tasks=[other],
    )
    swept = await ActivityEnvironment().run(watching.sweep)
    assert other.resumed == 1
    assert urgent.resumed >= 3
    assert swept.started == urgent.resumed + other.resumed


async def test_a_turn_that_was_full_is_followed_at_once_and_not_by_the_watch(
    harness: Harness, client: Client
) -> None:
    for number in range(3):
        message_id = await harness.accept()
        await harness.dispatch(message_id)
        long_ago = datetime.now(UTC) - 2 * GRACE
        await harness.tell(
            message_id, ReportStatus.DELIVERED, event_id=f"{number}", received=long_ago
        )
    async with harness.database.transaction() as db:  # 201 in all, one more than one turn claims
        await db.execute(
            text(
                "INSERT INTO receipt (tenant_id, provider, event_id, message_id, attempt, status,"
                " phase, reported_at, received_at, look_at)"
                " SELECT tenant_id, provider, event_id || '-' || n, message_id, attempt, status,"
                " phase, reported_at, received_at, look_at"
                " FROM receipt, generate_series(1, 66) AS n WHERE tenant_id = :t"
            ),
            {"t": harness.owner.tenant_id},
        )
    watching = sweeping(harness, client, every=timedelta(hours=1), look_every=SECOND)
    async with asyncio.timeout(15):
        swept = await ActivityEnvironment().run(watching.sweep)
    assert swept.next_in < SECOND
    async with asyncio.timeout(15):
        assert (await sweep(harness, client)).applied == 1
    assert (await sweep(harness, client)).applied == 0


async def test_a_worker_that_shuts_down_is_not_held_up_by_the_watch(
    harness: Harness, client: Client
) -> None:
    watching = sweeping(harness, client, every=timedelta(hours=1), look_every=SECOND)
    environment = ActivityEnvironment()
    under_way = asyncio.create_task(environment.run(watching.sweep))
    await asyncio.sleep(0.2)
    environment.worker_shutdown()
    async with asyncio.timeout(10):
        await under_way
