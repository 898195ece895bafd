"""Webhook endpoints: created, shown, changed and deleted by the keys that may."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.services.webhooks.endpoints import MOST_ENDPOINTS, Webhooks
from models.enums import AlertSeverity, AlertType, WebhookDisabledReason, WebhookEventType
from models.queries.alerts.alerts import raise_alert
from models.session import Database
from models.settings import Settings
from tests.api.container import put_in, restored
from tests.api.doubles import Clock
from tests.api.integrator import Integrator, make_merchant
from tests.api.webhooks.hooks import URL, act, changed, created, pages, refusal, shown

MakeKey = Callable[[int, int], Awaitable[Integrator]]


@pytest.fixture
def in_a_demo(app: FastAPI, database: Database, settings: Settings, clock: Clock) -> Iterator[None]:
    """The service as `make run` builds it."""
    with restored(app):
        demo = Webhooks(database, settings.webhook_key(), clock, local=True)
        put_in(app, "webhooks", endpoints=demo)
        yield


async def columns(database: Database, webhook_id: str, *names: str) -> tuple[Any, ...]:
    """Return columns of an endpoint's row."""
    statement = f"SELECT {', '.join(names)} FROM webhook_endpoint WHERE public_id = :id"
    async with database.read() as db:
        return tuple((await db.execute(text(statement), {"id": int(webhook_id)})).one())


async def disable(database: Database, webhook_id: str, reason: WebhookDisabledReason) -> None:
    """Disable an endpoint that fails, and raise its alert, as the worker does."""
    values = {"id": int(webhook_id), "reason": reason.value}
    async with database.transaction() as db:
        row = await db.execute(
            text(
                "UPDATE webhook_endpoint SET active = FALSE, disabled_reason = :reason,"
                " disabled_at = now(), failing_since = now(), failures = 7"
                " WHERE public_id = :id RETURNING tenant_id, merchant_id"
            ),
            values,
        )
        tenant_id, merchant_id = row.one()
        await raise_alert(
            db,
            tenant_id=tenant_id,
            merchant_id=merchant_id,
            type=AlertType.WEBHOOK_FAILING,
            severity=AlertSeverity.WARNING,
            subject=webhook_id,
            message="It fails.",
            now=datetime.now(UTC),
        )


async def open_alerts(who: Integrator) -> int:
    """Return how many endpoints fail by the alerts."""
    answer = await who.get("/alerts", type="WEBHOOK_FAILING", open="true")
    return len(answer.json())


async def test_what_is_created_has_defaults_and_its_secret_once(integrator: Integrator) -> None:
    answer = await integrator.post("/webhooks", {"url": URL})
    assert answer.status_code == 200, answer.text
    view = answer.json()
    secret = view.pop("secret")
    assert secret.startswith("whsec_")
    assert view == {
        "webhookId": view["webhookId"],
        "url": URL,
        "events": [],
        "merchantId": None,
        "description": None,
        "active": True,
        "disabledReason": None,
        "createdAt": view["createdAt"],
    }
    assert (await integrator.get(f"/webhooks/{view['webhookId']}")).json() == view
    assert (await integrator.get("/webhooks")).json() == [view]


async def test_every_field_can_be_given(integrator: Integrator, database: Database) -> None:
    await make_merchant(database, integrator.tenant_id)
    given = {
        "url": URL,
        "events": ["message.inbound", "message.sent"],
        "merchantId": "gym-a",
        "description": "of the shop",
        "active": False,
    }
    view = await created(integrator, **given)
    assert {name: view[name] for name in given} == given


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "url"),
        ({"url": ""}, "url"),
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://localhost/"}, "url"),
        ({"url": "https://10.1.2.3/"}, "url"),
        ({"url": "https://[::ffff:169.254.169.254]/"}, "url"),
        ({"url": "https://anna:secret@hooks.example.com/"}, "url"),
        ({"url": f"https://hooks.example.com/{'x' * 2048}"}, "url"),
        ({"url": None}, "url"),
        ({"url": 7}, "url"),
        ({"url": URL, "events": ["message.read"]}, "events.0"),
        ({"url": URL, "events": ["webhook.test", "MESSAGE.SENT"]}, "events.1"),
        ({"url": URL, "events": ["message.sent", "message.sent"]}, "events"),
        ({"url": URL, "events": "message.sent"}, "events"),
        ({"url": URL, "events": None}, "events"),
        ({"url": URL, "description": "x" * 201}, "description"),
        ({"url": URL, "description": "two\nlines"}, "description"),
        ({"url": URL, "description": ""}, "description"),
        ({"url": URL, "active": "yes"}, "active"),
        ({"url": URL, "active": None}, "active"),
        ({"url": URL, "secret": "whsec_mine"}, "secret"),
        ({"url": URL, "merchantId": "gym a"}, "merchantId"),
    ],
)
async def test_a_wrong_field_is_named(
    integrator: Integrator, given: dict[str, Any], field: str
) -> None:
    answer = await integrator.post("/webhooks", given)
    assert refusal(answer) == (400, "VALIDATION_FAILED")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await integrator.get("/webhooks")).json() == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"url": "http://hooks.example.com/"}, "url"),
        ({"url": None}, "url"),
        ({"events": ["message.*"]}, "events.0"),
        ({"active": None}, "active"),
        ({"merchantId": "gym-a"}, "merchantId"),
    ],
)
async def test_a_wrong_field_changes_nothing(
    integrator: Integrator, given: dict[str, Any], field: str
) -> None:
    made = await created(integrator, description="before")
    path = f"/webhooks/{made['webhookId']}"
    answer = await integrator.post(path, {"description": "after", **given})
    assert refusal(answer) == (400, "VALIDATION_FAILED")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert (await integrator.get(path)).json()["description"] == "before"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8090/hooks/a", "http://localhost:8090/", "http://[::1]/"]
)
async def test_a_demo_takes_addresses_of_its_machine(
    integrator: Integrator, in_a_demo: None, url: str
) -> None:
    assert (await created(integrator, url=url))["url"] == url
    answer = await integrator.post("/webhooks", {"url": "http://10.1.2.3/"})
    assert refusal(answer) == (400, "VALIDATION_FAILED")


async def test_an_unknown_merchant_is_refused(integrator: Integrator) -> None:
    answer = await integrator.post("/webhooks", {"url": URL, "merchantId": "nobody"})
    assert refusal(answer) == (404, "MERCHANT_NOT_FOUND")


async def test_every_type_can_be_chosen(integrator: Integrator) -> None:
    types = [type.value for type in WebhookEventType]
    assert (await created(integrator, events=types))["events"] == types


async def test_absent_fields_are_unchanged_and_null_removes_the_description(
    integrator: Integrator,
) -> None:
    made = await created(integrator, events=["message.sent"], description="before")
    made.pop("secret")
    webhook_id = made["webhookId"]
    assert await changed(integrator, webhook_id) == made
    assert await changed(integrator, webhook_id, description=None) == {
        **made,
        "description": None,
    }
    after = {"url": "https://other.example.com/", "events": [], "active": False}
    expected = {**made, **after, "description": None}
    assert await changed(integrator, webhook_id, **after) == expected
    assert (await integrator.get(f"/webhooks/{webhook_id}")).json() == expected


@pytest.mark.parametrize("reason", list(WebhookDisabledReason))
async def test_an_endpoint_that_was_disabled_is_enabled(
    integrator: Integrator, database: Database, reason: WebhookDisabledReason
) -> None:
    made = await created(integrator)
    other = await created(integrator)
    await disable(database, made["webhookId"], reason)
    await disable(database, other["webhookId"], reason)
    shown_as = (await integrator.get(f"/webhooks/{made['webhookId']}")).json()
    assert (shown_as["active"], shown_as["disabledReason"]) == (False, reason.value)
    unrelated = await changed(integrator, made["webhookId"], description="x")
    assert (unrelated["active"], unrelated["disabledReason"]) == (False, reason.value)
    assert await open_alerts(integrator) == 2
    view = await changed(integrator, made["webhookId"], active=True)
    assert (view["active"], view["disabledReason"]) == (True, None)
    facts = ("failing_since", "failures", "disabled_at")
    assert await columns(database, made["webhookId"], *facts) == (None, 0, None)
    assert await open_alerts(integrator) == 1


async def test_the_enabled_endpoint_is_told_that_its_alert_is_resolved(
    integrator: Integrator, database: Database
) -> None:
    made = await created(integrator)
    await disable(database, made["webhookId"], WebhookDisabledReason.FAILING)
    await changed(integrator, made["webhookId"], active=True)
    resolved, raised = await shown(integrator, made["webhookId"])
    assert (resolved["type"], resolved["status"]) == ("alert.resolved", "PENDING")
    assert (raised["type"], raised["status"]) == ("alert.raised", "FAILED")


async def test_an_active_endpoint_keeps_its_failures_unless_its_url_changes(
    integrator: Integrator, database: Database
) -> None:
    made = await created(integrator)
    webhook_id = made["webhookId"]
    async with database.transaction() as db:
        fail = "UPDATE webhook_endpoint SET failing_since = now(), failures = 3"
        await db.execute(text(f"{fail} WHERE public_id = :id"), {"id": int(webhook_id)})
    await changed(integrator, webhook_id, active=True, url=URL, events=["message.sent"])
    assert (await columns(database, webhook_id, "failures")) == (3,)
    await changed(integrator, webhook_id, url="https://other.example.com/")
    assert (await columns(database, webhook_id, "failures", "failing_since")) == (0, None)


async def test_a_deleted_endpoint_is_not_there_any_more(
    integrator: Integrator, database: Database
) -> None:
    made = await created(integrator)
    webhook_id = made["webhookId"]
    await disable(database, webhook_id, WebhookDisabledReason.FAILING)
    answer = await act(integrator, "DELETE", webhook_id)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await integrator.get("/webhooks")).json() == []
    assert await open_alerts(integrator) == 0
    for method, rest in (
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/rotate-secret"),
        ("POST", "/test"),
        ("GET", "/deliveries"),
        ("POST", "/deliveries/1/redeliver"),
    ):
        gone = await act(integrator, method, f"{webhook_id}{rest}")
        assert refusal(gone) == (404, "WEBHOOK_NOT_FOUND"), (method, rest)
    for rest, body in (("", {}), ("/redeliver", {"since": datetime.now(UTC).isoformat()})):
        gone = await integrator.post(f"/webhooks/{webhook_id}{rest}", body)
        assert refusal(gone) == (404, "WEBHOOK_NOT_FOUND"), rest


async def test_a_deletion_is_repeated_with_its_key(integrator: Integrator) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    first = await act(integrator, "DELETE", webhook_id, "k")
    again = await act(integrator, "DELETE", webhook_id, "k")
    assert (first.status_code, again.status_code) == (204, 204)
    assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize("webhook_id", ["0", "1", "x", "-1", "１", "9" * 30, "1.0", "%00"])
async def test_an_id_that_is_none_is_refused(integrator: Integrator, webhook_id: str) -> None:
    answer = await integrator.get(f"/webhooks/{webhook_id}")
    assert refusal(answer) in ((404, "WEBHOOK_NOT_FOUND"), (400, "VALIDATION_FAILED"))


async def test_a_merchants_key_makes_and_sees_its_own_only(
    integrator: Integrator, database: Database, merchant_key: MakeKey
) -> None:
    tenant = integrator.tenant_id
    gym_a = await merchant_key(tenant, await make_merchant(database, tenant, "gym-a"))
    gym_b = await merchant_key(tenant, await make_merchant(database, tenant, "gym-b"))
    of_tenant = await created(integrator)
    of_a = await created(gym_a)
    of_b = await created(integrator, merchantId="gym-b")
    assert (of_a["merchantId"], of_b["merchantId"]) == ("gym-a", "gym-b")
    refused = await gym_a.post("/webhooks", {"url": URL, "merchantId": "gym-b"})
    assert refusal(refused) == (404, "MERCHANT_NOT_FOUND")

    async def listed(who: Integrator, **query: str) -> list[str]:
        return [view["webhookId"] for view in (await who.get("/webhooks", **query)).json()]

    assert await listed(gym_a) == [of_a["webhookId"]]
    assert await listed(gym_b) == [of_b["webhookId"]]
    newest_first = [of_b["webhookId"], of_a["webhookId"], of_tenant["webhookId"]]
    assert await listed(integrator) == newest_first
    assert await listed(integrator, merchantId="gym-a") == [of_a["webhookId"]]
    for other in (of_tenant, of_b):
        for method in ("GET", "DELETE"):
            answer = await act(gym_a, method, other["webhookId"])
            assert refusal(answer) == (404, "WEBHOOK_NOT_FOUND")


async def test_the_list_has_pages(integrator: Integrator) -> None:
    made = [(await created(integrator))["webhookId"] for _ in range(5)]
    found = await pages(integrator, "/webhooks", limit="2")
    assert [[view["webhookId"] for view in page] for page in found] == [
        [made[4], made[3]],
        [made[2], made[1]],
        [made[0]],
    ]


async def test_the_number_of_endpoints_is_limited_also_for_requests_at_once(
    integrator: Integrator, database: Database, merchant_key: MakeKey
) -> None:
    tenant = integrator.tenant_id
    merchant = await merchant_key(tenant, await make_merchant(database, tenant))
    for _ in range(MOST_ENDPOINTS - 2):
        await created(integrator)
    requests = [integrator.post("/webhooks", {"url": URL}) for _ in range(8)]
    answers = await asyncio.gather(*requests)
    refused = [answer for answer in answers if answer.status_code != 200]
    assert [refusal(answer) for answer in refused] == [(409, "TOO_MANY_WEBHOOKS")] * 6
    assert len((await integrator.get("/webhooks")).json()) == MOST_ENDPOINTS
    await created(merchant)  # each merchant has a number of its own
    oldest = (await integrator.get("/webhooks")).json()[-1]["webhookId"]
    await act(integrator, "DELETE", oldest)
    await created(integrator)


async def test_the_same_request_is_one_endpoint(integrator: Integrator) -> None:
    order = {"url": URL, "description": "x"}
    answers = await asyncio.gather(*(integrator.post("/webhooks", order, "k") for _ in range(4)))
    assert len({answer.json()["webhookId"] for answer in answers}) == 1
    assert len((await integrator.get("/webhooks")).json()) == 1
    other = await integrator.post("/webhooks", {"url": URL}, "k")
    assert refusal(other) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_late_retry_of_an_update_does_not_undo_a_later_one(integrator: Integrator) -> None:
    webhook_id = (await created(integrator))["webhookId"]
    path = f"/webhooks/{webhook_id}"
    first = await integrator.post(path, {"description": "first"}, "k")
    await integrator.post(path, {"description": "second"})
    again = await integrator.post(path, {"description": "first"}, "k")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
    assert (await integrator.get(path)).json()["description"] == "second"
