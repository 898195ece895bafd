"""Deliveries of webhook endpoints: listed, tested, and requested again."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import text

from models.session import Database
from tests.api.integrator import Integrator
from tests.api.webhooks.hooks import (
    act,
    changed,
    created,
    facts,
    pages,
    refusal,
    sent,
    shown,
    since_yesterday,
)
from tests.webhooks.worker_steps import end


async def test_a_delivery_is_shown_with_its_last_attempt(
    integrator: Integrator, database: Database
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    await sent(database, integrator, ())
    async with database.transaction() as db:
        row = await db.execute(
            text(
                "UPDATE webhook_delivery SET attempts = 2, last_status_code = 503,"
                " last_error = 'HTTP_STATUS', last_duration_ms = 87, last_response = 'busy',"
                " due_at = '2026-04-16T13:25:32.942Z' WHERE tenant_id = :t"
                " RETURNING public_id, event_id"
            ),
            {"t": integrator.tenant_id},
        )
        public_id, event_id = row.one()
    (view,) = await shown(integrator, webhook_id)
    assert view.pop("createdAt")
    assert view == {
        "deliveryId": str(public_id),
        "eventId": str(event_id),
        "type": "message.accepted",
        "status": "PENDING",
        "attempts": 2,
        "lastStatusCode": 503,
        "lastError": "HTTP_STATUS",
        "lastDurationMs": 87,
        "lastResponse": "busy",
        "nextAttemptAt": "2026-04-16T13:25:32.942Z",
    }


async def test_deliveries_have_pages_and_are_found_by_status(
    integrator: Integrator, database: Database
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    for _ in range(3):
        await sent(database, integrator)
    for number, view in enumerate(reversed(await shown(integrator, webhook_id))):
        if number % 3 < 2:
            await end(database, view["deliveryId"], ("SUCCEEDED", "FAILED")[number % 3])
    everything = await shown(integrator, webhook_id)
    assert len(everything) == 9
    assert everything == sorted(everything, key=lambda v: v["createdAt"], reverse=True)
    path = f"/webhooks/{webhook_id}/deliveries"
    assert await pages(integrator, path, limit="4") == [
        everything[:4],
        everything[4:8],
        everything[8:],
    ]
    for status in ("PENDING", "SUCCEEDED", "FAILED"):
        of_status = [view for view in everything if view["status"] == status]
        found = await pages(integrator, path, limit="2", status=status)
        assert found == [of_status[:2], of_status[2:]]
    other = (await created(integrator))["webhookId"]
    page = await integrator.get(path, limit="2")
    cursor = httpx.URL(page.links["next"]["url"]).params["cursor"]
    answer = await integrator.get(f"/webhooks/{other}/deliveries", cursor=cursor)
    assert refusal(answer) == (400, "VALIDATION_FAILED")


@pytest.mark.parametrize("query", [{"status": "GONE"}, {"type": "message.sent"}, {"limit": "501"}])
async def test_a_wrong_filter_is_refused(integrator: Integrator, query: dict[str, str]) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    answer = await integrator.get(f"/webhooks/{webhook_id}/deliveries", **query)
    assert refusal(answer) == (400, "VALIDATION_FAILED")


async def test_a_test_event_is_due_at_this_endpoint_only(integrator: Integrator) -> None:
    chosen = await created(integrator, events=["usage.finalized"])
    other = await created(integrator)
    answers = [await act(integrator, "POST", f"{chosen['webhookId']}/test") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    views = await shown(integrator, chosen["webhookId"])
    assert views == [answer.json() for answer in reversed(answers)]
    assert facts(views) == [("webhook.test", "PENDING", 0, True)] * 2
    assert len({view["eventId"] for view in views}) == 2
    assert await shown(integrator, other["webhookId"]) == []


async def test_a_repeated_test_shows_how_it_went(
    integrator: Integrator, database: Database
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    first = (await act(integrator, "POST", f"{webhook_id}/test", "k")).json()
    await end(database, first["deliveryId"], "SUCCEEDED")
    again = await act(integrator, "POST", f"{webhook_id}/test", "k")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.json()["deliveryId"], again.json()["status"]) == (
        first["deliveryId"],
        "SUCCEEDED",
    )
    assert len(await shown(integrator, webhook_id)) == 1
    await act(integrator, "DELETE", webhook_id)
    assert (await act(integrator, "POST", f"{webhook_id}/test", "k")).status_code == 200


async def test_nothing_is_sent_to_an_inactive_endpoint(
    integrator: Integrator, database: Database
) -> None:
    webhook_id = (await created(integrator, active=False))["webhookId"]
    await sent(database, integrator)
    before = await shown(integrator, webhook_id)
    assert [(v["status"], v["lastError"]) for v in before] == [
        ("FAILED", "ENDPOINT_NOT_ACTIVE")
    ] * 3
    one = f"{webhook_id}/deliveries/{before[0]['deliveryId']}/redeliver"
    refused = [
        await act(integrator, "POST", f"{webhook_id}/test"),
        await act(integrator, "POST", one),
        await integrator.post(f"/webhooks/{webhook_id}/redeliver", since_yesterday()),
    ]
    assert [refusal(answer) for answer in refused] == [(409, "WEBHOOK_NOT_ACTIVE")] * 3
    assert await shown(integrator, webhook_id) == before


async def test_a_deactivated_endpoint_is_looked_at_by_the_worker_at_once(
    integrator: Integrator, database: Database
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    await sent(database, integrator)
    first = (await shown(integrator, webhook_id))[-1]
    await end(database, first["deliveryId"], "PENDING")  # the next attempt is in an hour
    before = datetime.now(UTC)
    await changed(integrator, webhook_id, active=False)
    due = (await shown(integrator, webhook_id))[-1]["nextAttemptAt"]
    assert datetime.fromisoformat(due) <= before + timedelta(seconds=30)
