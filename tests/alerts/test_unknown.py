"""What nobody knows the truth about is warned of, until the truth is known or a day has passed."""

import pytest
from sqlalchemy import text

from models.enums import AttemptState, MessageStatus, ReportStatus
from models.session import Database
from tests.activities.doubles import ACCEPTED, AMBIGUOUS, Scripted
from tests.activities.harness import Stage
from tests.factories import make_owner
from workflows.messages.types import Ending


async def open_alerts(stage: Stage) -> list[tuple[str, str, int, int]]:
    return [
        (row.type, row.channel, row.merchant_id, row.count)
        for row in await stage.rows(
            "SELECT type, channel, merchant_id, count FROM alert"
            " WHERE tenant_id = :t AND resolved_at IS NULL"
        )
    ]


async def lost(stage: Stage) -> int:
    """Send a message whose answer is lost, and give up looking for it."""
    message_id = await stage.accept()
    await stage.dispatch(message_id)
    await stage.settle(message_id, Ending.GIVEN_UP)
    assert await stage.status(message_id) is MessageStatus.UNKNOWN
    return message_id


async def told(stage: Stage, message_id: int, event: str = "e") -> None:
    """Let the late report come, and have it applied."""
    await stage.tell(message_id, ReportStatus.DELIVERED, event_id=f"{event}-{message_id}")
    await stage.settle(message_id, Ending.REPORTED)
    assert await stage.status(message_id) is MessageStatus.DELIVERED


@pytest.fixture
async def stage(database: Database) -> Stage:
    return Stage(database, await make_owner(database), Scripted(*[AMBIGUOUS] * 5))


async def test_each_lost_message_counts_and_the_late_report_takes_it_out(stage: Stage) -> None:
    first, second = await lost(stage), await lost(stage)
    warned = ("DELIVERY_UNKNOWN", "SMS", stage.owner.merchant_id)
    assert await open_alerts(stage) == [(*warned, 2)]
    await told(stage, first)
    assert await open_alerts(stage) == [(*warned, 1)]
    await told(stage, first, "again")
    assert await open_alerts(stage) == [(*warned, 1)]
    await told(stage, second)
    assert await open_alerts(stage) == []


async def test_giving_up_twice_counts_once(stage: Stage) -> None:
    message_id = await lost(stage)
    await stage.settle(message_id, Ending.GIVEN_UP)
    ((_, _, _, count),) = await open_alerts(stage)
    assert count == 1


async def test_a_report_about_an_older_warning_leaves_the_new_one_alone(stage: Stage) -> None:
    old = await lost(stage)
    async with stage.database.transaction() as db:
        await db.execute(
            text("UPDATE alert SET resolved_at = now() WHERE tenant_id = :t"),
            {"t": stage.owner.tenant_id},
        )
    await lost(stage)
    await told(stage, old)
    ((_, _, _, count),) = await open_alerts(stage)
    assert count == 1


async def test_what_a_provider_took_is_not_warned_of(database: Database) -> None:
    stage = Stage(database, await make_owner(database), Scripted(ACCEPTED))
    message_id = await lost(stage)
    assert await stage.attempts(message_id) == [("one", AttemptState.ACCEPTED)]
    assert await open_alerts(stage) == []
