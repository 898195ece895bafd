"""Deliveries that are requested again: in order, once, and within a range."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.services.webhooks.deliveries import WebhookDeliveries
from models.session import Database
from tests.api.container import put_in, restored
from tests.api.integrator import Integrator
from tests.api.webhooks.hooks import (
    act,
    created,
    end_all,
    facts,
    refusal,
    sent,
    shown,
    since_yesterday,
)
from tests.webhooks.worker_steps import end


@pytest.fixture
def two_at_once(app: FastAPI, database: Database) -> Iterator[None]:
    """The service with a limit of two redeliveries per request."""
    with restored(app):
        service = WebhookDeliveries(database, lambda: datetime.now(UTC), most_redelivered=2)
        put_in(app, "webhooks", deliveries=service)
        yield


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED"])
async def test_what_has_ended_is_delivered_again_in_order(
    integrator: Integrator, database: Database, status: str
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    await sent(database, integrator)
    await sent(database, integrator)
    await end_all(database, integrator, webhook_id, status)
    events = [view["eventId"] for view in await shown(integrator, webhook_id)]
    answer = await integrator.post(f"/webhooks/{webhook_id}/redeliver", since_yesterday())
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


async def test_a_redelivered_event_is_due_if_the_earlier_one_ends_meanwhile(
    integrator: Integrator, database: Database
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    await sent(database, integrator, ("SENDING", "SENT"))
    sent_event, accepted = await shown(integrator, webhook_id)
    await end(database, sent_event["deliveryId"], "FAILED")
    path = f"{webhook_id}/deliveries/{sent_event['deliveryId']}/redeliver"
    async with database.transaction() as db:
        ending = "UPDATE webhook_delivery SET status = 'SUCCEEDED', due_at = NULL"
        await db.execute(
            text(f"{ending} WHERE public_id = :id"), {"id": int(accepted["deliveryId"])}
        )
        requesting = asyncio.create_task(act(integrator, "POST", path))
        await asyncio.sleep(0.3)
        assert not requesting.done()
    assert (await requesting).json()["nextAttemptAt"] is not None


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
    some, span = f"/webhooks/{webhook_id}/redeliver", since_yesterday()
    for _ in range(2):
        await end(database, view["deliveryId"], "SUCCEEDED")
        answer = await act(integrator, "POST", one, "k")
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert answer.json()["status"] == "SUCCEEDED"
    for _ in range(2):
        answer = await integrator.post(some, span, "k")
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
    body: dict[str, str] = dict(since_yesterday())
    counts, pending = [], []
    for _ in range(3):
        answer = (await integrator.post(f"/webhooks/{webhook_id}/redeliver", body)).json()
        counts.append(answer["count"])
        pending.append(len(await shown(integrator, webhook_id, status="PENDING")))
        if answer["nextSince"] is None:
            break
        body = {"since": answer["nextSince"]}
    assert (counts, pending) == ([2, 2, 1], [2, 4, 5])
    ended = await integrator.post(f"/webhooks/{webhook_id}/redeliver", since_yesterday())
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


def ago(**span: float) -> timedelta:
    """Return a span that is later subtracted from the time of the test."""
    return timedelta(**span)


def from_now(body: dict[str, Any]) -> dict[str, Any]:
    """Replace spans by times."""
    now = datetime.now(UTC)
    return {
        name: (now - value).isoformat() if isinstance(value, timedelta) else value
        for name, value in body.items()
    }


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
        ({"since": "0001-01-01T00:00:00Z"}, "INVALID_DATE_RANGE", "since"),
        ({"since": "9999-12-31T23:59:59Z"}, "INVALID_DATE_RANGE", "since"),
        # These times do not exist in UTC.
        ({"since": "0001-01-01T00:00:00+14:00"}, "VALIDATION_FAILED", "since"),
        ({"since": "9999-12-31T23:59:59-14:00"}, "VALIDATION_FAILED", "since"),
        (
            {"since": ago(hours=1), "until": "9999-12-31T23:59:59-14:00"},
            "VALIDATION_FAILED",
            "until",
        ),
    ],
)
async def test_a_wrong_range_is_refused(
    integrator: Integrator, body: dict[str, Any], code: str, field: str
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    answer = await integrator.post(f"/webhooks/{webhook_id}/redeliver", from_now(body))
    assert refusal(answer) == (400, code)
    assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "body",
    [
        {"since": ago(days=29, hours=23)},
        {"since": ago(hours=1), "until": ago(hours=-1)},
        {"since": ago(hours=1), "until": "9999-12-31T23:59:59.123456789+05:30"},
        {"since": ago(hours=1), "until": "9999-12-31T23:59:59Z"},
    ],
)
async def test_a_range_may_begin_30_days_ago_and_end_later_than_now(
    integrator: Integrator, body: dict[str, Any]
) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    answer = await integrator.post(f"/webhooks/{webhook_id}/redeliver", from_now(body))
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
        requests = [integrator.post(f"{path}/redeliver", since_yesterday()) for _ in range(4)] + [
            act(integrator, "POST", f"{webhook_id}/deliveries/{view['deliveryId']}/redeliver")
            for view in views[::7]
        ]
        answers = await asyncio.gather(*requests)
        assert {answer.status_code for answer in answers} == {200}
        assert sum(answer.json()["count"] for answer in answers[:4]) <= 45
        after = facts(await shown(integrator, webhook_id))
        assert [seen[:3] for seen in after] == [
            ("accepted", "PENDING", 0),
            ("sent", "PENDING", 0),
            ("delivered", "PENDING", 0),
        ] * 15
        # A later event is due as well if its request did not see the other one; the worker does.
        assert [is_due for _, _, _, is_due in after[::3]] == [True] * 15


async def test_events_that_are_stored_while_an_endpoint_is_deleted_are_accepted(
    integrator: Integrator, database: Database
) -> None:
    for _ in range(5):
        webhook_id = (await created(integrator))["webhookId"]
        deleting = asyncio.create_task(act(integrator, "DELETE", webhook_id))
        storing = [sent(database, integrator, ("SENDING", "SENT")) for _ in range(4)]
        await asyncio.gather(*storing)
        assert (await deleting).status_code == 204
    assert (await integrator.get("/webhooks")).json() == []
