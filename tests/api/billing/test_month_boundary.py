"""The monthly allowance at midnight of the first: a send counts in the month of its acceptance."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.services.tenants.merchants import Merchants
from models.enums import MessageStatus
from models.queries.messages import settlement, settlement_facts
from models.rules.messages.settlement import End
from models.session import Database
from tests.api.container import services_of
from tests.api.doubles import Clock
from tests.api.integrator import SMS, Integrator
from tests.factories import claim_once
from tests.shown_ids import row_of

MIDNIGHT = datetime(2026, 5, 1, tzinfo=UTC)
BEFORE, AFTER = MIDNIGHT - timedelta(milliseconds=1), MIDNIGHT
APRIL, MAY = ("2026-04-01", "2026-05-01")


class Month:
    """A merchant with three SMS per month, and a clock."""

    def __init__(self, gym: Integrator, database: Database, clock: Clock) -> None:
        self._gym = gym
        self._database = database
        self._clock = clock

    async def sent(self, at: datetime) -> tuple[int, int]:
        """Send one SMS of one unit; return the status of the response and the row."""
        self._clock.now = at
        response = await self._gym.post("/messages/sms", SMS)
        if response.status_code != 200:
            return response.status_code, 0
        row = await row_of(self._database, "message", response.json()["messageId"])
        return response.status_code, row

    async def end(self, message_id: int, at: datetime, *, captured: int) -> bool:
        """End a message: delivered, or failed with its hold released."""
        end = End(status=MessageStatus.FAILED, captured=0)
        if captured:
            end = End(
                status=MessageStatus.DELIVERED,
                captured=captured,
                provider="simulator",
                day=at.date(),
            )
        async with self._database.transaction() as db:
            if captured:
                await claim_once(db, self._gym.tenant_id, message_id, at, provider="simulator")
            message = await settlement_facts.lock_for_settlement(
                db, tenant_id=self._gym.tenant_id, message_id=message_id
            )
            assert message is not None
            return await settlement.end_message(db, message, end, at)

    async def used(self, at: datetime) -> tuple[str, int]:
        """Return the usage in the merchant's view at this time."""
        self._clock.now = at
        usage = (await self._gym.get("/merchants/gym-a")).json()["usage"]
        return usage["periodStart"], usage["smsUsed"]

    async def months(self) -> dict[str, tuple[int, int]]:
        """Return the used and held units of every month."""
        rows = "SELECT month, used, held FROM allowance_month WHERE tenant_id = :t"
        async with self._database.read() as db:
            found = await db.execute(text(rows), {"t": self._gym.tenant_id})
            return {row.month: (row.used, row.held) for row in found}


@pytest.fixture
async def month(gym: Integrator, app: FastAPI, database: Database, clock: Clock) -> Month:
    app.state.services = replace(services_of(app), merchants=Merchants(database, clock))
    limit: dict[str, Any] = {"merchantId": "gym-a", "displayName": "Gym A", "smsLimit": 3}
    assert (await gym.post("/merchants", limit)).status_code == 200
    return Month(gym, database, clock)


async def test_what_was_accepted_before_midnight_is_used_in_the_old_month(month: Month) -> None:
    _, old = await month.sent(BEFORE)
    _, new = await month.sent(AFTER)
    assert await month.months() == {"2026-04": (0, 1), "2026-05": (0, 1)}
    for message_id in (old, new):
        assert await month.end(message_id, AFTER + timedelta(hours=1), captured=1)
        assert not await month.end(message_id, AFTER + timedelta(hours=2), captured=1)
    assert await month.months() == {"2026-04": (1, 0), "2026-05": (1, 0)}
    assert await month.used(BEFORE) == (APRIL, 1)
    assert await month.used(AFTER) == (MAY, 1)


async def test_a_hold_is_released_in_the_month_it_was_made(month: Month) -> None:
    _, old = await month.sent(BEFORE)
    assert await month.end(old, AFTER, captured=0)
    assert await month.months() == {"2026-04": (0, 0)}
    assert (await month.sent(BEFORE))[0] == 200


async def test_the_allowance_is_whole_again_at_midnight_and_not_before(month: Month) -> None:
    accepted = [(await month.sent(BEFORE))[0] for _ in range(4)]
    assert accepted == [200, 200, 200, 402]
    accepted = [(await month.sent(AFTER))[0] for _ in range(4)]
    assert accepted == [200, 200, 200, 402]
    assert await month.months() == {"2026-04": (0, 3), "2026-05": (0, 3)}


async def test_money_goes_to_the_day_of_the_attempt_whatever_the_month(
    month: Month, gym: Integrator, database: Database
) -> None:
    """The allowance uses the time of acceptance, the cost the time of the attempt."""
    _, old = await month.sent(BEFORE)
    await month.end(old, AFTER, captured=1)
    async with database.read() as db:
        day = await db.scalar(
            text("SELECT day FROM usage_record WHERE tenant_id = :t"), {"t": gym.tenant_id}
        )
    assert day == date(2026, 5, 1)
    assert await month.months() == {"2026-04": (1, 0)}
