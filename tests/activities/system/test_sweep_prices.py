"""Prices that come later: providers are asked with growing gaps, for seven days."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from activities.messages.reconcile import Reconciliation
from activities.system.sweep_prices import PriceSweep
from models.enums import MessageStatus, ReportStatus
from models.queries.billing.awaited_prices import AwaitedPrice
from models.rules.billing.price_asking import next_price_gap
from models.session import Database
from providers.ports.messages import Found, LookUp
from providers.routing import Routes
from tests.activities.doubles import NO_TRUTH, OWN, Scripted, report
from tests.activities.harness import Harness
from tests.factories import Owner, add_card
from workflows.messages.types import Ending

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
DELIVERED = report(ReportStatus.DELIVERED, event_id="delivered")


def told(**facts: Any) -> Found:
    """Return a look-up that says the same as the report, and something of the price."""
    return Found(provider_message_id=OWN, reports=(replace(DELIVERED, **facts),))


class Awaiting:
    """Ended messages of a tenant whose price is awaited."""

    def __init__(self, database: Database, owner: Owner, *truths: LookUp) -> None:
        self.provider = Scripted(truths=truths or (told(),), reports_price=True)
        self.harness = Harness(database, owner, self.provider)
        truth = Reconciliation(database, Routes([self.provider], {}))
        self.sweep = PriceSweep(database, truth.ask_price)

    async def ended(self, *, event_id: str = "delivered", card: bool = True) -> int:
        if card:
            await add_card(self.harness.database, self.harness.owner.tenant_id, provider="one")
        message_id = await self.harness.accept()
        await self.harness.dispatch(message_id)
        await self.harness.tell(message_id, ReportStatus.DELIVERED, event_id=event_id)
        settled = await self.harness.settle(message_id, Ending.REPORTED)
        assert settled == (MessageStatus.DELIVERED, True)
        return message_id

    async def due(self, at: datetime) -> Sequence[AwaitedPrice]:
        """Take what is due at a time, in other tenants of the database too; return the own."""
        found = await self.sweep.take(at, 10_000)
        return [one for one in found if one.tenant_id == self.harness.owner.tenant_id]

    async def asked(self, at: datetime) -> list[bool]:
        return [await self.sweep.resume(one) for one in await self.due(at)]

    async def record(self) -> Any:
        [row] = await self.harness.rows("SELECT * FROM usage_record WHERE tenant_id = :t")
        return row

    async def priced(self, message_id: int) -> tuple[str, str | None, str, Decimal]:
        """Apply the reports as the sweeper does; return state, gap, source and cost."""
        await self.harness.settle(message_id, Ending.OVER)
        row = await self.record()
        return row.state, row.gap, row.priced_by, row.cost


@pytest.mark.parametrize(
    ("age", "gap"),
    [
        (timedelta(0), MINUTE),
        (MINUTE, MINUTE),
        (2 * MINUTE, 2 * MINUTE),
        (timedelta(hours=5), timedelta(hours=5)),
        (3 * DAY, DAY),
    ],
)
def test_gaps_grow_with_age_from_a_minute_to_a_day(age: timedelta, gap: timedelta) -> None:
    assert next_price_gap(age) == gap


async def test_a_price_is_asked_for_with_growing_gaps_until_it_is_known(
    database: Database, owner: Owner
) -> None:
    awaiting = Awaiting(database, owner, told(), told(), told(price=Decimal("0.007")))
    message_id = await awaiting.ended()
    recorded = (await awaiting.record()).recorded_at
    assert await awaiting.due(recorded + 0.9 * MINUTE) == []
    assert await awaiting.asked(recorded + MINUTE) == [True]
    assert await awaiting.due(recorded + 1.9 * MINUTE) == []
    assert await awaiting.asked(recorded + 2 * MINUTE) == [True]
    assert (await awaiting.priced(message_id))[:2] == ("PROVISIONAL", "VENDOR_PRICE")
    assert await awaiting.due(recorded + 3.9 * MINUTE) == []
    assert await awaiting.asked(recorded + 4 * MINUTE) == [True]
    final = ("FINAL", None, "VENDOR", Decimal("0.007"))
    assert await awaiting.priced(message_id) == final
    assert await awaiting.due(recorded + DAY) == []
    assert len(awaiting.provider.asked) == 3


async def test_the_last_word_without_a_price_is_the_price_of_the_card(
    database: Database, owner: Owner
) -> None:
    """It charges in another currency than USD."""
    awaiting = Awaiting(database, owner, told(price_settled=True))
    message_id = await awaiting.ended()
    by_card = (await awaiting.record()).cost
    assert await awaiting.asked(datetime.now(UTC) + MINUTE) == [True]
    assert await awaiting.priced(message_id) == ("FINAL", None, "CARD", by_card)
    assert by_card > 0
    assert await awaiting.due(datetime.now(UTC) + DAY) == []


async def test_the_last_word_with_the_report_awaits_nothing(
    database: Database, owner: Owner
) -> None:
    awaiting = Awaiting(database, owner)
    await add_card(database, owner.tenant_id, provider="one")
    message_id = await awaiting.harness.accept()
    await awaiting.harness.dispatch(message_id)
    await awaiting.harness.tell(message_id, ReportStatus.DELIVERED, price_settled=True)
    await awaiting.harness.settle(message_id, Ending.REPORTED)
    assert (await awaiting.priced(message_id))[:3] == ("FINAL", None, "CARD")


async def test_after_seven_days_nobody_is_asked(database: Database, owner: Owner) -> None:
    awaiting = Awaiting(database, owner)
    await awaiting.ended()
    recorded = (await awaiting.record()).recorded_at
    assert await awaiting.asked(recorded + 6.9 * DAY) == [True]
    assert await awaiting.due(recorded + 7.9 * DAY + MINUTE) == []
    assert await awaiting.due(recorded + 30 * DAY) == []


async def test_two_sweeps_at_once_take_a_price_once(database: Database, owner: Owner) -> None:
    awaiting, other = Awaiting(database, owner), Awaiting(database, owner)
    await awaiting.ended()
    at = datetime.now(UTC) + MINUTE
    found = await asyncio.gather(awaiting.due(at), other.due(at))
    assert sorted(map(len, found)) == [0, 1]


async def test_an_account_that_does_not_answer_is_left_alone_until_the_next_turn(
    database: Database, owner: Owner
) -> None:
    awaiting = Awaiting(database, owner, NO_TRUTH)
    for number in range(3):
        await awaiting.ended(event_id=f"e{number}", card=number == 0)
    assert await awaiting.asked(datetime.now(UTC) + MINUTE) == [False] * 3
    assert len(awaiting.provider.asked) == 1
    assert await awaiting.asked(datetime.now(UTC) + 10 * MINUTE) == [False] * 3
    assert len(awaiting.provider.asked) == 2


async def test_a_turn_ends_and_one_account_gets_ten_questions_at_a_time(
    database: Database,
) -> None:
    now, running, most, asked = 0.0, 0, 0, 0

    async def ask(tenant_id: int, message_id: int) -> bool:
        nonlocal running, most, asked, now
        running, asked = running + 1, asked + 1
        most = max(most, running)
        await asyncio.sleep(0)
        running, now = running - 1, now + 0.1
        return True

    sweep = PriceSweep(database, ask, clock=lambda: now)
    await sweep.take(datetime(2020, 1, 1, tzinfo=UTC), 10)
    rows = [AwaitedPrice(tenant_id=1, message_id=n, account="a") for n in range(300)]
    answers = await asyncio.gather(*map(sweep.resume, rows))
    assert most == 10
    assert 150 <= asked == sum(answers) <= 160, "15 seconds"


async def test_what_ended_without_a_price_reporter_is_never_due(
    database: Database, owner: Owner
) -> None:
    awaiting = Awaiting(database, owner)
    plain = Harness(database, owner, Scripted())
    message_id = await plain.accept()
    await plain.dispatch(message_id)
    await plain.tell(message_id, ReportStatus.DELIVERED)
    await plain.settle(message_id, Ending.REPORTED)
    async with database.read() as db:
        due = await db.scalar(
            text("SELECT price_due_at FROM usage_record WHERE message_id = :m"), {"m": message_id}
        )
    assert due is None
    assert await awaiting.due(datetime.now(UTC) + DAY) == []
