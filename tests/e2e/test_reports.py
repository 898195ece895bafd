"""A past day becomes FINAL through the worker's schedule."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import Client

from tests.chaos.invariants import violations
from tests.e2e.harness import Harness, Integrator, number, until
from workflows import names

pytestmark = pytest.mark.xdist_group("stack")

_TWO_DAYS_AGO = (
    "UPDATE tenant SET created_at = created_at - interval '4 days' WHERE id = :t",
    "UPDATE attempt SET requested_at = requested_at - interval '2 days' WHERE tenant_id = :t",
    "UPDATE message SET accepted_at = accepted_at - interval '2 days' WHERE tenant_id = :t",
    "UPDATE usage_record SET day = day - 2 WHERE tenant_id = :t",
    "UPDATE usage_day SET day = day - 2 WHERE tenant_id = :t",
)


async def report(integrator: Integrator, first: datetime, last: datetime) -> dict[str, Any]:
    days = f"from={first.date()}&to={last.date()}"
    answer = await integrator.get(f"/reports/usage?{days}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_what_was_sent_is_reported_and_a_day_that_is_over_becomes_final(
    harness: Harness, integrator: Integrator, temporal_client: Client
) -> None:
    today = datetime.now(UTC)
    before = today - timedelta(days=2)
    await integrator.ended(await integrator.accepted(number()))
    running = await report(integrator, before, today)
    assert (running["totalSmsCount"], running["finalCharges"]) == (1, 0.01)
    assert running["freshnessReason"] == (
        f"The last day of the range, {today.date()}, is not over yet (UTC)."
    )
    async with harness.database.transaction() as db:
        for statement in _TWO_DAYS_AGO:
            await db.execute(text(statement), {"t": integrator.owner.tenant_id})
    assert (await report(integrator, before, before))["freshnessState"] == "PROVISIONAL"
    await temporal_client.get_schedule_handle(names.CLOSE_DAYS_ID).trigger()

    async def is_final() -> bool:
        found = await report(integrator, before, before)
        return bool(found["freshnessState"] == "FINAL")

    await until(is_final)
    final = await report(integrator, before, before)
    assert (final["totalSmsCount"], final["finalCharges"]) == (1, 0.01)
    assert await violations(integrator) == []
