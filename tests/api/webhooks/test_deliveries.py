"""Deliveries of webhook endpoints: listed, tested, and requested again."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.services.webhooks.deliveries import WebhookDeliveries
from models.session import Database
from tests.api.container import put_in, restored
from tests.api.integrator import Integrator, make_merchant, make_message
from tests.api.webhooks.hooks import act, changed, created, pages, refusal, shown
from tests.webhooks.endpoints import set_status
from tests.webhooks.worker_steps import end

STEPS = ("SENDING", "SENT", "DELIVERED")
SINCE = {"since": (datetime.now(UTC) - timedelta(days=1)).isoformat()}


@pytest.fixture
def two_at_once(app: FastAPI, database: Database) -> Iterator[None]:
    """The service with a limit of two redeliveries per request."""
    with restored(app):
        service = WebhookDeliveries(database, lambda: datetime.now(UTC), most_redelivered=2)
        put_in(app, "webhooks", deliveries=service)
        yield


async def sent(database: Database, who: Integrator, steps: tuple[str, ...] = STEPS) -> None:
    """Let a message of a new merchant go through steps; three of them are told."""
    name = f"m-{datetime.now(UTC).timestamp()}"
    merchant = await make_merchant(database, who.tenant_id, name)
    message = await make_message(database, who.tenant_id, merchant)
    for step in steps:
        await set_status(database, who.tenant_id, message, step)


async def end_all(database: Database, who: Integrator, webhook_id: str, status: str) -> None:
    """End what is pending at an endpoint, in order."""
    for view in reversed(await shown(who, webhook_id, status="PENDING")):
        await end(database, view["deliveryId"], status)


def facts(views: list[dict[str, Any]]) -> list[tuple[str, str, int, bool]]:
    """Return type, status, attempts and whether an attempt follows, the oldest first."""
    return [
        (v["type"].removeprefix("message."), v["status"], v["attempts"], bool(v["nextAttemptAt"]))
        for v in reversed(views)
    ]


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
        await integrator.post(f"/webhooks/{webhook_id}/redeliver", SINCE),
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


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
async def test_what_has_ended_is_delivered_again_in_order(
    integrator: Integrator, database: Database, status: str
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    await sent(database, integrator)
    await sent(database, integrator)
    await end_all(database, integrator, webhook_id, status)
    events = [view["eventId"] for view in await shown(integrator, webhook_id)]
    answer = await integrator.post(f"/webhooks/{webhook_id}/redeliver", SINCE)
    assert (answer.status_code, answer.json()) == (200, {"count": 6, "nextSince": None})
    views = await shown(integrator, webhook_id)
    assert [view["eventId"] for view in views] == events
    one_message = [
        ("accepted", "PENDING", 0, True),
        ("sent", "PENDING", 0, False),
        ("delivered", "PENDING", 0, False),
    ]
    assert facts(views) == one_message * 2


async def test_a_redelivered_event_waits_for_an_earlier_one(
    integrator: Integrator, database: Database
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    await sent(database, integrator)
    _, sent_event, accepted = await shown(integrator, webhook_id)
    await end(database, accepted["deliveryId"], "SUCCEEDED")
    await end(database, sent_event["deliveryId"], "FAILED")
    path = f"{webhook_id}/deliveries"
    answer = await act(integrator, "POST", f"{path}/{sent_event['deliveryId']}/redeliver")
    assert answer.status_code == 200, answer.text
    assert answer.json()["nextAttemptAt"] is not None
    answer = await act(integrator, "POST", f"{path}/{accepted['deliveryId']}/redeliver")
    assert answer.json()["nextAttemptAt"] is not None
    await end(database, sent_event["deliveryId"], "SUCCEEDED")
    answer = await act(integrator, "POST", f"{path}/{sent_event['deliveryId']}/redeliver")
    assert (answer.json()["status"], answer.json()["nextAttemptAt"]) == ("PENDING", None)


async def test_a_delivery_that_waits_for_a_retry_is_sent_now(
    integrator: Integrator, database: Database
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    await sent(database, integrator, ("SENDING", "SENT"))
    waiting, first = await shown(integrator, webhook_id)
    await end(database, first["deliveryId"], "PENDING")
    now = datetime.now(UTC)
    path = f"{webhook_id}/deliveries"
    answer = await act(integrator, "POST", f"{path}/{first['deliveryId']}/redeliver")
    assert (answer.json()["status"], answer.json()["attempts"]) == ("PENDING", 0)
    assert datetime.fromisoformat(answer.json()["nextAttemptAt"]) < now + timedelta(minutes=1)
    answer = await act(integrator, "POST", f"{path}/{waiting['deliveryId']}/redeliver")
    assert answer.json() == waiting


async def test_a_repeated_redelivery_sends_nothing_again(
    integrator: Integrator, database: Database
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    await sent(database, integrator, ())
    (view,) = await shown(integrator, webhook_id)
    one = f"{webhook_id}/deliveries/{view['deliveryId']}/redeliver"
    some = f"/webhooks/{webhook_id}/redeliver"
    for _ in range(2):
        await end(database, view["deliveryId"], "SUCCEEDED")
        answer = await act(integrator, "POST", one, "k")
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert answer.json()["status"] == "SUCCEEDED"
    for _ in range(2):
        answer = await integrator.post(some, SINCE, "k")
        assert answer.json() == {"count": 1, "nextSince": None}
        await end(database, view["deliveryId"], "SUCCEEDED")
    assert facts(await shown(integrator, webhook_id)) == [("accepted", "SUCCEEDED", 1, False)]


async def test_a_large_range_goes_on_where_the_answer_says(
    integrator: Integrator, database: Database, two_at_once: None
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    await sent(database, integrator)
    await sent(database, integrator, ("SENDING", "SENT"))
    await end_all(database, integrator, webhook_id, "FAILED")
    body: dict[str, str] = dict(SINCE)
    counts, pending = [], []
    for _ in range(3):
        answer = (await integrator.post(f"/webhooks/{webhook_id}/redeliver", body)).json()
        counts.append(answer["count"])
        pending.append(len(await shown(integrator, webhook_id, status="PENDING")))
        if answer["nextSince"] is None:
            break
        body = {"since": answer["nextSince"]}
    assert (counts, pending) == ([2, 2, 1], [2, 4, 5])
    ended = await integrator.post(f"/webhooks/{webhook_id}/redeliver", SINCE)
    assert ended.json() == {"count": 0, "nextSince": None}


async def test_a_range_includes_its_ends_and_nothing_else(
    integrator: Integrator, database: Database
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    for _ in range(4):
        await sent(database, integrator, ())
    await end_all(database, integrator, webhook_id, "FAILED")
    ids = [int(view["deliveryId"]) for view in await shown(integrator, webhook_id)][::-1]
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    async with database.transaction() as db:
        for number, public_id in enumerate(ids):
            at = first + timedelta(minutes=number)
            await db.execute(
                text("UPDATE webhook_delivery SET created_at = :at WHERE public_id = :id"),
                {"at": at, "id": public_id},
            )
    body = {
        "since": (first + timedelta(minutes=1)).isoformat(),
        "until": (first + timedelta(minutes=2)).isoformat(),
    }
    answer = await integrator.post(f"/webhooks/{webhook_id}/redeliver", body)
    assert answer.json() == {"count": 2, "nextSince": None}
    states = [view["status"] for view in await shown(integrator, webhook_id)]
    assert states == ["FAILED", "PENDING", "PENDING", "FAILED"]


def ago(**span: float) -> str:
    """Return a time before now."""
    return (datetime.now(UTC) - timedelta(**span)).isoformat()


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "VALIDATION_FAILED", "since"),
        ({"since": "2026-04-16"}, "VALIDATION_FAILED", "since"),
        ({"since": "2026-04-16T13:20:00"}, "VALIDATION_FAILED", "since"),
        ({"since": 1776000000}, "VALIDATION_FAILED", "since"),
        ({"since": ago(hours=1), "until": "soon"}, "VALIDATION_FAILED", "until"),
        ({"since": ago(hours=1), "to": ago(hours=0)}, "VALIDATION_FAILED", "to"),
        ({"since": ago(hours=1), "until": ago(hours=2)}, "INVALID_DATE_RANGE", "since"),
        ({"since": ago(hours=-1)}, "INVALID_DATE_RANGE", "since"),
        ({"since": ago(days=30, hours=1)}, "INVALID_DATE_RANGE", "since"),
        ({"since": "0001-01-01T00:00:00+14:00"}, "INVALID_DATE_RANGE", "since"),
        ({"since": "9999-12-31T23:59:59-14:00"}, "INVALID_DATE_RANGE", "since"),
    ],
)
async def test_a_wrong_range_is_refused(
    integrator: Integrator, body: dict[str, Any], code: str, field: str
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    answer = await integrator.post(f"/webhooks/{webhook_id}/redeliver", body)
    assert refusal(answer) == (400, code)
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "body",
    [
        {"since": ago(days=29, hours=23)},
        {"since": ago(hours=1), "until": ago(hours=-1)},
        {"since": ago(hours=1), "until": "9999-12-31T23:59:59-14:00"},
        {"since": "2026-11-30T00:00:00.123456789+05:30".replace("2026-11-30", ago(days=1)[:10])},
    ],
)
async def test_a_range_may_begin_30_days_ago_and_end_later_than_now(
    integrator: Integrator, body: dict[str, Any]
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    answer = await integrator.post(f"/webhooks/{webhook_id}/redeliver", body)
    assert (answer.status_code, answer.json()) == (200, {"count": 0, "nextSince": None})


async def test_a_delivery_of_another_endpoint_is_not_found(
    integrator: Integrator, database: Database
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    other = (await created(integrator))["webhookId"]
    await sent(database, integrator, ())
    (view,) = await shown(integrator, other)
    for delivery_id in (view["deliveryId"], "0", "x", "9" * 30):
        answer = await act(integrator, "POST", f"{webhook_id}/deliveries/{delivery_id}/redeliver")
        assert refusal(answer) == (404, "WEBHOOK_DELIVERY_NOT_FOUND")


async def test_requests_at_once_neither_deadlock_nor_count_twice(
    integrator: Integrator, database: Database
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    for _ in range(15):
        await sent(database, integrator)
    for _ in range(3):
        await end_all(database, integrator, webhook_id, "FAILED")
        views = await shown(integrator, webhook_id)
        path = f"/webhooks/{webhook_id}"
        requests = [integrator.post(f"{path}/redeliver", SINCE) for _ in range(4)] + [
            act(integrator, "POST", f"{webhook_id}/deliveries/{view['deliveryId']}/redeliver")
            for view in views[::7]
        ]
        answers = await asyncio.gather(*requests)
        assert {answer.status_code for answer in answers} == {200}
        assert sum(answer.json()["count"] for answer in answers[:4]) <= 45
        after = await shown(integrator, webhook_id)
        assert (
            facts(after)
            == [
                ("accepted", "PENDING", 0, True),
                ("sent", "PENDING", 0, False),
                ("delivered", "PENDING", 0, False),
            ]
            * 15
        )


async def test_events_that_are_stored_while_an_endpoint_is_deleted_are_accepted(
    integrator: Integrator, database: Database
) -> None:
    for _ in range(5):
        webhook_id = (await created(integrator))["webhookId"]
        deleting, *storing = await asyncio.gather(
            act(integrator, "DELETE", webhook_id),
            *(sent(database, integrator, ("SENDING", "SENT")) for _ in range(4)),
        )
        assert (deleting.status_code, storing) == (204, [None] * 4)
    assert (await integrator.get("/webhooks")).json() == []
