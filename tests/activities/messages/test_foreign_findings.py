"""A look-up's answer passes the same checks as a report."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from models.enums import AttemptState, MessageStatus, ReportStatus
from models.queries.messages import conclude as concluding
from models.queries.messages import receipts
from models.queries.messages.receipts import AttemptKey, NewReceipt
from models.rules.messages.delivery_events import Mismatch
from models.session import Database
from providers.ports.messages import Found, Report
from tests.activities.doubles import AMBIGUOUS, FOUND, OWN, Scripted, own_id, report
from tests.activities.harness import Harness
from tests.contacts import CONTACT_KEYS
from tests.e2e.harness import until
from tests.factories import Owner
from workflows.messages.types import Finding, ReconcileResult, Verdict

A = AttemptState
DELIVERED = report(ReportStatus.DELIVERED)
FOREIGN = [
    replace(DELIVERED, provider_message_id="another"),
    replace(DELIVERED, recipient="+18135559999"),
    replace(DELIVERED, recipient="eve@example.com"),
]


@pytest.mark.parametrize("told", FOREIGN, ids=["id", "number", "address"])
async def test_a_polled_report_on_something_else_is_not_stored(
    database: Database, owner: Owner, told: Report
) -> None:
    found = Found(provider_message_id=OWN, reports=(told,))
    harness = Harness(database, owner, Scripted(truths=[found]))
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    assert await harness.poll(message_id) is False
    assert await harness.open_receipts(message_id) == 0
    assert await harness.status(message_id) is MessageStatus.SENT


@pytest.mark.parametrize("told", FOREIGN[1:], ids=["number", "address"])
async def test_a_report_that_comes_with_a_finding_is_checked_too(
    database: Database, owner: Owner, told: Report
) -> None:
    found = Found(provider_message_id=OWN, reports=(told,))
    harness = Harness(database, owner, Scripted(AMBIGUOUS, truths=[found]))
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    assert await harness.reconcile(message_id) == ReconcileResult(finding=Finding.FOUND)
    assert await harness.open_receipts(message_id) == 0


async def test_a_finding_with_the_id_of_another_message_proves_nothing(
    database: Database, owner: Owner
) -> None:
    provider = Scripted(truths=[FOUND])
    harness = Harness(database, owner, provider)
    first = await harness.accept()
    await harness.dispatch(first)
    theirs = Found(provider_message_id=own_id(await harness.reference(first)))
    harness = Harness(database, owner, Scripted(AMBIGUOUS, truths=[theirs]))
    second = await harness.accept()
    assert (await harness.dispatch(second)).verdict is Verdict.AMBIGUOUS
    assert (await harness.reconcile(second)).finding is Finding.UNCERTAIN
    assert await harness.attempts(second) == [("one", A.AMBIGUOUS)]


async def waits_for_a_lock(harness: Harness, beginning: str) -> bool:
    """Return whether a statement with this beginning waits for another transaction."""
    return bool(
        await harness.rows(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            f" AND query LIKE '%{beginning}%' AND pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )
    )


async def test_of_two_concurrent_attempts_with_one_provider_id_the_second_is_refused(
    database: Database, owner: Owner
) -> None:
    """It waits at the unique index, fails there, and is checked against the winner."""
    harness = Harness(database, owner, Scripted())
    first, second = await harness.accept(), await harness.accept()
    for message_id in (first, second):
        await harness.crash(message_id, deadline_in=timedelta(0), provider="one")
    attempt = AttemptKey(tenant_id=owner.tenant_id, message_id=first, public_id=0, number=1)
    delivered = replace(DELIVERED, provider_message_id="same")
    async with database.transaction() as db:
        told = NewReceipt.about(attempt, "one", delivered)
        await receipts.store(db, told, CONTACT_KEYS, datetime.now(UTC))
        telling = asyncio.create_task(
            harness.tell(second, ReportStatus.DELIVERED, event_id="e2", id="same")
        )
        await until(lambda: waits_for_a_lock(harness, "WITH named AS"))
    assert await telling is Mismatch.MESSAGE_ID
    assert (await harness.open_receipts(first), await harness.open_receipts(second)) == (1, 0)


async def test_a_report_that_is_committed_while_absence_waits_for_its_lock_wins(
    database: Database, owner: Owner
) -> None:
    """The conclusion's snapshot is older than the report, so it does not see it among receipts."""
    harness = Harness(database, owner, Scripted())
    message_id = await harness.accept()
    await harness.crash(message_id, deadline_in=timedelta(0), provider="one")
    attempt = AttemptKey(tenant_id=owner.tenant_id, message_id=message_id, public_id=0, number=1)

    async def conclude() -> AttemptState:
        async with database.transaction() as db:
            concluded = await concluding.conclude(
                db,
                tenant_id=owner.tenant_id,
                message_id=message_id,
                number=1,
                state=A.ABSENT,
                now=datetime.now(UTC),
            )
        return concluded.state

    async with database.transaction() as db:
        told = NewReceipt.about(attempt, "one", DELIVERED)
        await receipts.store(db, told, CONTACT_KEYS, datetime.now(UTC))
        concluding_it = asyncio.create_task(conclude())
        await until(lambda: waits_for_a_lock(harness, "WITH told AS"))
    assert await concluding_it is A.ACCEPTED
