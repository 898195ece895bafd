"""Messages with unknown outcome raise an alert until the outcome is known or a day has passed."""

import pytest
from sqlalchemy import text

from models.enums import AttemptState, MessageStatus, ReportStatus
from models.session import Database
from tests.activities.doubles import ACCEPTED, AMBIGUOUS, Scripted
from tests.activities.harness import Harness
from tests.factories import make_owner
from workflows.messages.types import Ending


async def open_alerts(harness: Harness) -> list[tuple[str, str, int, int]]:
    return [
        (row.type, row.channel, row.merchant_id, row.count)
        for row in await harness.rows(
            "SELECT type, channel, merchant_id, count FROM alert"
            " WHERE tenant_id = :t AND resolved_at IS NULL"
        )
    ]


async def lost(harness: Harness) -> int:
    """Send a message whose answer is lost, and end its reconciliation."""
    message_id = await harness.accept()
    await harness.dispatch(message_id)
    await harness.settle(message_id, Ending.GIVEN_UP)
    assert await harness.status(message_id) is MessageStatus.UNKNOWN
    return message_id


async def told(harness: Harness, message_id: int, event: str = "e") -> None:
    """Store the late report and apply it."""
    await harness.tell(message_id, ReportStatus.DELIVERED, event_id=f"{event}-{message_id}")
    await harness.settle(message_id, Ending.REPORTED)
    assert await harness.status(message_id) is MessageStatus.DELIVERED


@pytest.fixture
async def harness(database: Database) -> Harness:
    return Harness(database, await make_owner(database), Scripted(*[AMBIGUOUS] * 5))


async def test_each_lost_message_counts_and_the_late_report_takes_it_out(harness: Harness) -> None:
    first, second = await lost(harness), await lost(harness)
    warned = ("DELIVERY_UNKNOWN", "SMS", harness.owner.merchant_id)
    assert await open_alerts(harness) == [(*warned, 2)]
    await told(harness, first)
    assert await open_alerts(harness) == [(*warned, 1)]
    await told(harness, first, "again")
    assert await open_alerts(harness) == [(*warned, 1)]
    await told(harness, second)
    assert await open_alerts(harness) == []


async def test_giving_up_twice_counts_once(harness: Harness) -> None:
    message_id = await lost(harness)
    await harness.settle(message_id, Ending.GIVEN_UP)
    ((_, _, _, count),) = await open_alerts(harness)
    assert count == 1


async def test_a_report_about_an_older_warning_leaves_the_new_one_alone(harness: Harness) -> None:
    old = await lost(harness)
    async with harness.database.transaction() as db:
        await db.execute(
            text("UPDATE alert SET resolved_at = now() WHERE tenant_id = :t"),
            {"t": harness.owner.tenant_id},
        )
    await lost(harness)
    await told(harness, old)
    ((_, _, _, count),) = await open_alerts(harness)
    assert count == 1


async def test_an_accepted_message_raises_no_alert(database: Database) -> None:
    harness = Harness(database, await make_owner(database), Scripted(ACCEPTED))
    message_id = await lost(harness)
    assert await harness.attempts(message_id) == [("one", AttemptState.ACCEPTED)]
    assert await open_alerts(harness) == []
