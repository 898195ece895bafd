"""A turn of the watcher: resolves alerts without a cause, and raises missing ones."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.system.watch_alerts import Watching
from cli.dev.postgres import EmbeddedPostgres
from models.enums import AlertSeverity, AlertType, AttemptState, Channel
from models.queries.alerts.alerts import raise_alert
from models.session import Database
from tests.alerts.fixtures import MerchantFixture
from tests.contacts import CONTACT_KEYS
from tests.factories import make_message, new_message, unique
from tests.stack import async_url, make_database
from workflows.system.watcher_types import WatchResult, WatchStep

EVERY = timedelta(seconds=7)
WINDOW = timedelta(minutes=10)
DAY = timedelta(days=1)
AT_80 = ("USAGE_THRESHOLD", 80, 1)
DEGRADED = ("PROVIDER_DEGRADED", 0, 1)
BEGINNING = WatchStep()


@pytest.fixture(scope="module")
async def alone(postgres: EmbeddedPostgres, database_url: str) -> AsyncIterator[Database]:
    """A database of its own: a turn processes all tenants."""
    url = make_database(postgres, unique("watch").replace("-", "_"))
    database = Database(async_url(url), pool_size=10, contact_keys=CONTACT_KEYS)
    yield database
    await database.close()


async def watch(database: Database, step: WatchStep = BEGINNING, **facts: Any) -> WatchResult:
    watching = Watching(database, every=EVERY, window=WINDOW, **facts)
    return await ActivityEnvironment().run(watching.watch, step)


async def attempt(
    merchant_fixture: MerchantFixture,
    states: list[AttemptState],
    *,
    ago: timedelta = timedelta(0),
    lost: bool = False,
) -> None:
    """Write attempts with these outcomes, as a dispatch does."""
    at = datetime.now(UTC) - ago
    message_id = await make_message(merchant_fixture.database, new_message(merchant_fixture.owner))
    async with merchant_fixture.database.transaction() as db:
        await db.execute(
            text(
                "INSERT INTO attempt (tenant_id, message_id, number, provider, state,"
                " requested_at, deadline, lost_at, everywhere)"
                " SELECT :t, :m, n, 'p', state, :at, :at, :lost, FALSE"
                " FROM unnest(CAST(:states AS text[])) WITH ORDINALITY AS s (state, n)"
            ),
            {
                "t": merchant_fixture.owner.tenant_id,
                "m": message_id,
                "states": [state.value for state in states],
                "at": at,
                "lost": at if lost else None,
            },
        )


async def warn(merchant_fixture: MerchantFixture, type: AlertType, at: datetime) -> None:
    """Raise an alert at a given time."""
    async with merchant_fixture.database.transaction() as db:
        await raise_alert(
            db,
            tenant_id=merchant_fixture.owner.tenant_id,
            merchant_id=merchant_fixture.owner.merchant_id,
            channel=Channel.SMS,
            type=type,
            threshold=80 if type is AlertType.USAGE_THRESHOLD else 0,
            severity=AlertSeverity.WARNING,
            message="told before",
            now=at,
        )


async def test_a_turn_with_nothing_to_do_says_when_the_next_is_due(alone: Database) -> None:
    await MerchantFixture.open_up(alone, limit=10)
    await watch(alone)
    assert await watch(alone) == WatchResult(moved=0, following=BEGINNING, next_in=EVERY)


async def test_usage_of_an_earlier_month_is_resolved_without_any_traffic(alone: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(alone, limit=10)
    await warn(merchant_fixture, AlertType.USAGE_THRESHOLD, datetime.now(UTC) - 32 * DAY)
    await watch(alone)
    assert (await merchant_fixture.open(), await merchant_fixture.resolved()) == ([], [AT_80])


async def test_lost_deliveries_are_resolved_a_day_after_the_last(alone: Database) -> None:
    old, fresh = [await MerchantFixture.open_up(alone, limit=10) for _ in range(2)]
    now = datetime.now(UTC)
    for merchant_fixture in (old, fresh):
        await warn(merchant_fixture, AlertType.DELIVERY_UNKNOWN, now - 3 * DAY)
    await warn(fresh, AlertType.DELIVERY_UNKNOWN, now - DAY + timedelta(minutes=1))
    await warn(old, AlertType.DELIVERY_UNKNOWN, now - DAY)
    await watch(alone)
    assert await old.open() == []
    assert await fresh.open() == [("DELIVERY_UNKNOWN", 0, 2)]


async def test_missing_alerts_are_raised_and_outdated_ones_resolved(alone: Database) -> None:
    missed = await MerchantFixture.open_up(alone, limit=10)
    await missed.use(7)
    untrue = await MerchantFixture.open_up(alone, limit=10)
    await warn(untrue, AlertType.USAGE_THRESHOLD, datetime.now(UTC))
    async with alone.transaction() as db:
        await db.execute(
            text("UPDATE merchant SET sms_limit = 8 WHERE tenant_id = :t"),
            {"t": missed.owner.tenant_id},
        )
    assert (await watch(alone)).moved == 2
    assert await missed.open() == [AT_80]
    assert await untrue.open() == []
    assert (await watch(alone)).moved == 0


async def test_credits_that_came_back_are_seen_wherever_the_turn_is(alone: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(alone, limit=0)
    await merchant_fixture.buy(10)
    message = await merchant_fixture.accept(10)
    assert message is not None
    await merchant_fixture.refuse(1)
    await merchant_fixture.end(message, 0)
    assert await merchant_fixture.open() == [("LOW_CREDITS", 10, 1)]
    far = WatchStep(after_tenant=2**63 - 1, after_merchant=0)
    assert (await watch(alone, far)).moved == 1
    assert await merchant_fixture.open() == []


async def test_turns_cover_all_merchants_and_start_again(alone: Database) -> None:
    shops = [await MerchantFixture.open_up(alone, limit=10) for _ in range(3)]
    for merchant_fixture in shops:
        await merchant_fixture.use(7)
    async with alone.transaction() as db:
        await db.execute(text("UPDATE merchant SET sms_limit = 8"))
    step, turns = BEGINNING, 0
    while True:
        turn = await watch(alone, step, merchants=2)
        step, turns = turn.following, turns + 1
        if step == BEGINNING:
            break
    assert turns >= 2
    assert [await merchant_fixture.open() for merchant_fixture in shops] == [[AT_80]] * 3


async def test_a_provider_that_fails_half_of_a_tenants_attempts_is_degraded_for_it_alone(
    alone: Database,
) -> None:
    hit, lucky, few = [await MerchantFixture.open_up(alone, limit=100) for _ in range(3)]
    await attempt(hit, [AttemptState.NOT_PROCESSED] * 3 + [AttemptState.ACCEPTED] * 5)
    await attempt(hit, [AttemptState.ACCEPTED, AttemptState.AMBIGUOUS], lost=True)
    await attempt(lucky, [AttemptState.NOT_PROCESSED] * 4 + [AttemptState.ACCEPTED] * 6)
    await attempt(few, [AttemptState.NOT_PROCESSED] * 9 + [AttemptState.REQUESTED] * 5)
    assert (await watch(alone)).moved == 1
    assert await hit.open() == [DEGRADED]
    assert await lucky.open() == await few.open() == []
    (alert,) = await hit.alerts()
    assert (alert.subject, alert.merchant_id, alert.channel) == ("p", 0, "")
    assert "Provider p failed in 5 of the last 10 attempts" in alert.message
    assert (await watch(alone)).moved == 0


async def test_a_degraded_provider_is_well_again_when_most_attempts_are(alone: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(alone, limit=100)
    await attempt(merchant_fixture, [AttemptState.NOT_PROCESSED] * 10)
    await watch(alone)
    await attempt(merchant_fixture, [AttemptState.ACCEPTED] * 10)
    await watch(alone)
    assert await merchant_fixture.open() == [DEGRADED]
    await attempt(merchant_fixture, [AttemptState.ACCEPTED])
    await watch(alone)
    assert (await merchant_fixture.open(), await merchant_fixture.resolved()) == ([], [DEGRADED])


async def test_a_degraded_provider_out_of_use_raises_no_alert(alone: Database) -> None:
    merchant_fixture = await MerchantFixture.open_up(alone, limit=100)
    await attempt(merchant_fixture, [AttemptState.NOT_PROCESSED] * 10)
    await watch(alone)
    await _age_attempts(merchant_fixture)
    await attempt(merchant_fixture, [AttemptState.NOT_PROCESSED])
    await watch(alone)
    assert await merchant_fixture.open() == [DEGRADED]
    await _age_attempts(merchant_fixture)
    await watch(alone)
    assert await merchant_fixture.open() == []


async def _age_attempts(merchant_fixture: MerchantFixture) -> None:
    async with merchant_fixture.database.transaction() as db:
        await db.execute(
            text("UPDATE attempt SET requested_at = requested_at - :window WHERE tenant_id = :t"),
            {"window": WINDOW, "t": merchant_fixture.owner.tenant_id},
        )
