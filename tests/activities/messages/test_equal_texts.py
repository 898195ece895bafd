"""Equal texts at a vendor that can only list: one message never proves two attempts."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from models.enums import AttemptState, MessageStatus, ReportStatus
from models.queries.messages.equal_texts import lock_equals
from models.queries.messages.receipts import AttemptKey
from models.queries.tenants import tenants
from models.rules.messages.destination_limits import DestinationLimits
from models.session import Database
from tests.activities.harness import Harness
from tests.activities.lister import Fate, Lister
from tests.factories import Owner, make_owner
from workflows.messages.types import Finding, ReconcileResult, Verdict

_WAITING = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
A = AttemptState
HOUR = timedelta(hours=1)
ARRIVED, VANISHED = Fate(taken=True), Fate(taken=False)
ANSWERED = Fate(taken=True, answered=True)
REFUSED = Fate(taken=False, answered=True)


async def lost(
    database: Database, owner: Owner, *fates: Fate, window: timedelta = HOUR
) -> tuple[Harness, Lister, list[int]]:
    """Send equal texts with these fates; return their ids too."""
    vendor = Lister(*fates, absence_window=window)
    harness = Harness(database, owner, vendor)
    messages = [await harness.accept() for _ in fates]
    for message_id in messages:
        await harness.dispatch(message_id)
    return harness, vendor, messages


async def ids(harness: Harness) -> list[str | None]:
    rows = await harness.rows(
        "SELECT provider_message_id AS id FROM attempt WHERE tenant_id = :t"
        " ORDER BY message_id, number"
    )
    return [row.id for row in rows]


async def findings(harness: Harness, messages: list[int]) -> list[Finding]:
    return [(await harness.reconcile(message_id)).finding for message_id in messages]


async def test_a_listed_message_is_found(database: Database, owner: Owner) -> None:
    harness, vendor, [message_id] = await lost(database, owner, ARRIVED)
    assert await harness.reconcile(message_id) == ReconcileResult(finding=Finding.FOUND)
    assert await harness.attempts(message_id) == [("lister", A.ACCEPTED)]
    assert await ids(harness) == [vendor.taken[0].id]
    assert await harness.status(message_id) is MessageStatus.SENT


async def test_the_reports_of_a_listed_message_are_stored(database: Database, owner: Owner) -> None:
    vendor = Lister(ARRIVED, delivered=True)
    harness = Harness(database, owner, vendor)
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    found = ReconcileResult(finding=Finding.FOUND, reported=True)
    assert await harness.reconcile(message_id) == found
    assert await harness.open_receipts(message_id) == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("fates", [(ARRIVED, VANISHED), (VANISHED, ARRIVED)])
async def test_of_two_equal_texts_of_which_one_arrived_none_is_found_or_sent_again(
    database: Database, owner: Owner, fates: tuple[Fate, Fate], order: tuple[int, int]
) -> None:
    harness, vendor, messages = await lost(database, owner, *fates, window=timedelta(0))
    asked = [messages[place] for place in order] * 2
    assert await findings(harness, asked) == [Finding.UNCERTAIN] * 4
    assert len(vendor.sent) == 2
    assert await ids(harness) == [None, None]
    again = [(await harness.dispatch(message_id)).verdict for message_id in messages]
    assert again == [Verdict.AMBIGUOUS] * 2
    assert len(vendor.sent) == 2


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_equal_texts_that_all_arrived_are_all_found_with_ids_of_their_own(
    database: Database, owner: Owner, order: tuple[int, ...]
) -> None:
    harness, vendor, messages = await lost(database, owner, ARRIVED, ARRIVED, ARRIVED)
    asked = [messages[place] for place in order]
    assert await findings(harness, asked) == [Finding.FOUND] * 3
    rows = await harness.rows(
        "SELECT provider_message_id AS id FROM attempt WHERE tenant_id = :t ORDER BY message_id"
    )
    assert [row.id for row in rows] == [message.id for message in vendor.taken]


async def test_a_message_of_another_attempt_proves_nothing(
    database: Database, owner: Owner
) -> None:
    """The other one's answer arrived, so its id has an owner."""
    harness, vendor, messages = await lost(database, owner, ANSWERED, VANISHED)
    assert await findings(harness, messages) == [Finding.FOUND, Finding.UNCERTAIN]
    assert await ids(harness) == [vendor.taken[0].id, None]


async def test_an_attempt_that_was_not_processed_takes_no_message(
    database: Database, owner: Owner
) -> None:
    harness, vendor, messages = await lost(database, owner, REFUSED, ARRIVED)
    assert (await harness.reconcile(messages[1])).finding is Finding.FOUND
    assert await ids(harness) == [None, vendor.taken[0].id]


async def test_a_call_under_way_counts_as_well(database: Database, owner: Owner) -> None:
    """The listed message may be that of a call whose answer is still to come."""
    harness, _, [lost_one] = await lost(database, owner, ARRIVED)
    calling = await harness.accept()
    await harness.crash(calling, deadline_in=timedelta(seconds=5), provider="lister", listed=True)
    assert (await harness.reconcile(lost_one)).finding is Finding.UNCERTAIN


async def test_a_message_given_up_still_counts(database: Database, owner: Owner) -> None:
    """It ended as UNKNOWN: the only listed message may be its own."""
    harness, _, messages = await lost(database, owner, VANISHED, ARRIVED)
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE message SET status = 'UNKNOWN', completed_at = now() WHERE id = :m"),
            {"m": messages[0]},
        )
    assert (await harness.reconcile(messages[1])).finding is Finding.UNCERTAIN


@pytest.mark.parametrize(
    ("other", "finding"),
    [
        ({"body": "Another text"}, Finding.FOUND),
        ({"to": "+18135550000"}, Finding.FOUND),
        ({"body": "Hello "}, Finding.UNCERTAIN),
        ({"body": "Hel\nlo"}, Finding.UNCERTAIN),
    ],
    ids=repr,
)
async def test_only_equal_texts_to_one_recipient_count(
    database: Database, owner: Owner, other: dict[str, str], finding: Finding
) -> None:
    """White space does not make two texts different: a vendor may change it."""
    harness = Harness(database, owner, Lister(ARRIVED, VANISHED, absence_window=HOUR))
    messages = [await harness.accept(), await harness.accept(**other)]
    for message_id in messages:
        await harness.dispatch(message_id)
    assert (await harness.reconcile(messages[0])).finding is finding


@pytest.mark.parametrize("arrived", [1, 2, 5])
async def test_racing_look_ups_of_equal_texts_find_all_or_none(
    database: Database, owner: Owner, arrived: int
) -> None:
    fates = [ARRIVED] * arrived + [VANISHED] * (5 - arrived)
    harness, vendor, messages = await lost(database, owner, *fates)
    racing = await asyncio.gather(
        *(harness.reconcile(message_id) for message_id in messages for _ in range(3))
    )
    expected = Finding.FOUND if arrived == 5 else Finding.UNCERTAIN
    assert {one.finding for one in racing} == {expected}
    owned = [id for id in await ids(harness) if id is not None]
    assert sorted(owned) == sorted(taken.id for taken in vendor.taken if arrived == 5)


async def test_conclusions_about_equal_texts_wait_for_each_other(
    database: Database, owner: Owner
) -> None:
    harness, _, messages = await lost(database, owner, ARRIVED, ARRIVED)
    async with database.transaction() as db:
        equals = await lock_equals(
            db,
            AttemptKey(tenant_id=owner.tenant_id, message_id=messages[0], public_id=0, number=1),
        )
        assert [one.key[1] for one in sorted(equals, key=lambda e: e.key)] == messages
        judging = asyncio.create_task(harness.reconcile(messages[1]))
        async with asyncio.timeout(10):
            while not await harness.rows(_WAITING):
                await asyncio.sleep(0.01)
                assert not judging.done()
    assert (await judging).finding is Finding.FOUND


async def test_a_list_that_is_judged_after_another_call_was_lost_proves_neither(
    database: Database, owner: Owner
) -> None:
    """The list is read, an equal text is sent and lost, and then the list is judged."""
    vendor = Lister(ARRIVED, VANISHED, absence_window=HOUR)
    harness = Harness(database, owner, vendor)
    messages = [await harness.accept() for _ in range(2)]
    await harness.dispatch(messages[0])
    vendor.may_list.clear()
    judging = asyncio.create_task(harness.reconcile(messages[0]))
    await vendor.listing.wait()
    await harness.dispatch(messages[1])
    vendor.may_list.set()
    assert (await judging).finding is Finding.UNCERTAIN
    assert await ids(harness) == [None, None]


async def test_a_message_that_gets_an_owner_while_the_list_is_judged_proves_nothing(
    database: Database, owner: Owner
) -> None:
    """The list shows a message whose answer is stored before the list is judged."""
    harness, vendor, messages = await lost(database, owner, VANISHED, ARRIVED)
    vendor.may_list.clear()
    judging = asyncio.create_task(harness.reconcile(messages[0]))
    await vendor.listing.wait()
    await harness.tell(
        messages[1], ReportStatus.SENT, provider="lister", id=vendor.taken[0].id, event_id="late"
    )
    vendor.may_list.set()
    assert (await judging).finding is Finding.UNCERTAIN
    assert (await harness.reconcile(messages[1])).finding is Finding.FOUND


async def test_an_attempt_from_before_the_provider_could_only_list_is_not_compared(
    database: Database, owner: Owner
) -> None:
    harness, _, [message_id] = await lost(database, owner, ARRIVED)
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE attempt SET equal_key = NULL WHERE message_id = :m"), {"m": message_id}
        )
    assert (await harness.reconcile(message_id)).finding is Finding.UNCERTAIN


async def allow_resend(database: Database, owner: Owner) -> None:
    async with database.transaction() as db:
        await tenants.change_settings(
            db,
            owner.tenant_id,
            custom_prices=None,
            limits=DestinationLimits(),
            resend_after_window=True,
        )


@pytest.mark.parametrize(
    ("allowed", "window", "finding"),
    [
        (False, timedelta(0), Finding.UNCERTAIN),
        (True, timedelta(0), Finding.ABSENT),
        (True, HOUR, Finding.UNCERTAIN),
    ],
)
async def test_what_a_list_does_not_show_is_absent_only_if_the_tenant_allows_it(
    database: Database, owner: Owner, allowed: bool, window: timedelta, finding: Finding
) -> None:
    vendor = Lister(VANISHED, absence_window=window)
    harness = Harness(database, owner, vendor)
    message_id = await harness.accept()
    past = timedelta(seconds=-1)
    await harness.crash(message_id, deadline_in=past, provider="lister", listed=True)
    if allowed:
        await allow_resend(database, owner)
    assert (await harness.reconcile(message_id)).finding is finding
    sent_again = (await harness.dispatch(message_id)).attempt == 2
    assert sent_again is (finding is Finding.ABSENT)


async def test_a_list_that_may_show_the_message_never_proves_absence(
    database: Database, owner: Owner
) -> None:
    """One of two equal texts arrived; both deadlines and the window have passed."""
    await allow_resend(database, owner)
    harness, vendor, messages = await lost(database, owner, ARRIVED, VANISHED, window=timedelta(0))
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE attempt SET deadline = now() WHERE tenant_id = :t"),
            {"t": owner.tenant_id},
        )
    assert await findings(harness, messages * 2) == [Finding.UNCERTAIN] * 4
    assert len(vendor.sent) == 2


async def test_a_list_that_shows_only_messages_of_others_infers_absence(
    database: Database, owner: Owner
) -> None:
    await allow_resend(database, owner)
    harness, vendor, messages = await lost(database, owner, ANSWERED, VANISHED, window=timedelta(0))
    assert len(vendor.taken) == 1
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE attempt SET deadline = now() WHERE tenant_id = :t"),
            {"t": owner.tenant_id},
        )
    assert (await harness.reconcile(messages[1])).finding is Finding.ABSENT


@dataclass(frozen=True)
class Send:
    """Dispatch a message."""

    message: int


@dataclass(frozen=True)
class Ask:
    """Reconcile a message."""

    message: int


MESSAGES = 3
STEP = st.builds(Send, st.integers(0, MESSAGES - 1)) | st.builds(Ask, st.integers(0, MESSAGES - 1))
FATES = st.lists(
    st.sampled_from([ARRIVED, VANISHED, ANSWERED, REFUSED]), min_size=MESSAGES, max_size=20
)


@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(fates=FATES, rounds=st.lists(st.lists(STEP, min_size=1, max_size=5), max_size=6))
async def test_whatever_runs_at_once_no_message_is_sent_twice_or_proves_two(
    database: Database, fates: list[Fate], rounds: list[list[Send | Ask]]
) -> None:
    vendor = Lister(*fates, absence_window=timedelta(0))
    harness = Harness(database, await make_owner(database), vendor)
    messages = [await harness.accept() for _ in range(MESSAGES)]
    for steps in rounds:
        await asyncio.gather(
            *(
                harness.dispatch(messages[step.message])
                if isinstance(step, Send)
                else harness.reconcile(messages[step.message])
                for step in steps
            )
        )
    taken = {message.id: message.reference for message in vendor.taken}
    assert len(taken) == len({reference.rsplit("-", 1)[0] for reference in taken.values()})
    rows = await harness.rows(
        "SELECT message_id, number, state, provider_message_id AS id FROM attempt"
        " WHERE tenant_id = :t"
    )
    owned = [row.id for row in rows if row.id is not None]
    assert len(owned) == len(set(owned))
    for row in rows:
        if row.state == A.ACCEPTED:
            reference = await harness.reference(row.message_id, row.number)
            assert reference in taken.values(), "accepted, but the vendor never took it"
