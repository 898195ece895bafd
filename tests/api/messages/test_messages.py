"""Messages: validation of sends, and reads with the event history."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.schemas.messages import V1OmniSmsSendRequest
from models.enums import AttemptState, ErrorCode, MessageStatus, ReportStatus
from models.errors import ConsentOptedOut, InsufficientCredits
from models.session import Database
from models.tables.message import Attempt, Receipt
from tests.api.doubles import FakeSending
from tests.api.integrator import SMS, Integrator, make_merchant, make_message
from tests.contacts import key_of
from tests.shown_ids import shown

MerchantKey = Callable[[int, int], Awaitable[Integrator]]
NOON = datetime(2026, 4, 16, 12, 0, tzinfo=UTC)


async def test_without_credentials_everything_is_401(client: httpx.AsyncClient) -> None:
    answers = [
        await client.post("/api/v1/messages/sms", json=SMS),
        await client.get("/api/v1/messages"),
        await client.get("/api/v1/messages/1"),
    ]
    assert [answer.status_code for answer in answers] == [401] * 3


async def test_another_tenants_message_is_404_and_in_no_list(
    integrator: Integrator, stranger: Integrator, database: Database
) -> None:
    merchant = await make_merchant(database, integrator.tenant_id)
    row = await make_message(database, integrator.tenant_id, merchant)
    message = await shown(database, "message", row)
    response = await stranger.get(f"/messages/{message}")
    assert (response.status_code, response.json()["code"]) == (404, "MESSAGE_NOT_FOUND")
    assert (await stranger.get("/messages")).json() == []
    assert (await stranger.get("/messages", merchantId="gym-a")).status_code == 404
    assert (await integrator.get(f"/messages/{message}")).status_code == 200


@pytest.mark.parametrize("number", ["0", "x", "-1", "1.5", "9" * 40, "%D9%A1", "1%00"])
async def test_an_invalid_message_id_is_never_a_500(integrator: Integrator, number: str) -> None:
    assert (await integrator.get(f"/messages/{number}")).status_code in {400, 404}


async def test_an_order_arrives_as_it_was_sent(
    integrator: Integrator, sending: FakeSending
) -> None:
    at = "2026-04-16T15:00:00+02:00"
    body = {**SMS, "sendAt": at, "validForSeconds": 60, "metadata": {"orderId": "A-1"}}
    assert (await integrator.post("/messages/sms", body)).status_code == 200
    (order,) = sending.orders
    assert isinstance(order, V1OmniSmsSendRequest)
    assert order.send_at == datetime(2026, 4, 16, 13, tzinfo=UTC)
    assert (order.valid_for_seconds, order.metadata) == (60, {"orderId": "A-1"})


@pytest.mark.parametrize(
    "change",
    [
        {"sendAt": "2026-04-16T15:00:00"},
        {"sendAt": 1776345600},
        {"sendAt": "1776345600"},
        {"sendAt": "tomorrow"},
        {"sendAt": "2026-02-30T15:00:00Z"},
        {"validForSeconds": 29},
        {"validForSeconds": 259_201},
        {"validForSeconds": "60"},
        {"validForSeconds": 60.5},
        {"validForSeconds": True},
        {"metadata": {"a": 1}},
        {"metadata": {"": "x"}},
        {"metadata": {"n" * 41: "x"}},
        {"metadata": {"n": "x" * 501}},
        {"metadata": {str(n): "x" for n in range(51)}},
        {"metadata": ["x"]},
        {"message": ""},
        {"message": 5},
        {"type": "SPAM"},
        {"type": None},
        {"to": ""},
        {"extra": 1},
        {"merchant_id": "gym-a"},
    ],
)
async def test_a_body_that_violates_the_schema_is_400(
    integrator: Integrator, sending: FakeSending, change: dict[str, Any]
) -> None:
    response = await integrator.post("/messages/sms", {**SMS, **change})
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_FAILED")
    named = response.json()["errors"][0]["field"].split(".")[0]
    assert named in change
    assert not sending.orders


async def test_a_replayed_send_says_so(integrator: Integrator, sending: FakeSending) -> None:
    sending.replayed, sending.status = True, MessageStatus.DELIVERED
    response = await integrator.post("/messages/sms", SMS, key="k")
    assert response.headers["Idempotency-Replayed"] == "true"
    assert response.json()["status"] == "DELIVERED"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ConsentOptedOut(), 403, "CONSENT_OPTED_OUT"),
        (InsufficientCredits(), 402, "INSUFFICIENT_CREDITS"),
    ],
)
async def test_a_refusal_is_a_problem(
    integrator: Integrator, sending: FakeSending, error: Exception, status: int, code: str
) -> None:
    sending.error = error
    response = await integrator.post("/messages/sms", SMS)
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, response.json()["code"]) == (status, code)


async def test_a_message_is_shown_with_its_event_history(
    integrator: Integrator, database: Database
) -> None:
    merchant = await make_merchant(database, integrator.tenant_id)
    message = await make_message(
        database,
        integrator.tenant_id,
        merchant,
        accepted_at=NOON,
        status=MessageStatus.UNDELIVERED,
        error_code=ErrorCode.UNREACHABLE,
        provider_code="30005",
        provider="simulator",
        attempts=2,
        billed_units=1,
        sent_at=NOON + timedelta(seconds=4),
        completed_at=NOON + timedelta(seconds=6),
    )
    who: dict[str, Any] = {"tenant_id": integrator.tenant_id, "provider": "simulator"}
    async with database.transaction() as db:
        for number, state in ((1, AttemptState.ABSENT), (2, AttemptState.ACCEPTED)):
            db.add(
                Attempt(
                    **who,
                    message_id=message,
                    number=number,
                    state=state,
                    requested_at=NOON + timedelta(seconds=2 * number - 1),
                    deadline=NOON + timedelta(seconds=30),
                    finished_at=NOON + timedelta(seconds=2 * number),
                )
            )
        await db.flush()
        db.add(
            Receipt(
                **who,
                event_id=f"event-{message}",
                message_id=message,
                attempt=2,
                status=ReportStatus.UNDELIVERED,
                phase="undelivered",
                provider_code="30005",
                reported_at=NOON + timedelta(seconds=5),
                received_at=NOON + timedelta(seconds=5),
                look_at=NOON + timedelta(seconds=5),
            )
        )
    public_id = await shown(database, "message", message)
    view = (await integrator.get(f"/messages/{public_id}")).json()
    assert [(e["status"], e["attempt"], e["at"][17:19]) for e in view.pop("events")] == [
        ("QUEUED", None, "00"),
        ("SENDING", 1, "01"),
        ("SENDING", 1, "02"),
        ("SENDING", 2, "03"),
        ("SENT", 2, "04"),
        ("UNDELIVERED", 2, "05"),
    ]
    assert view == {
        "messageId": str(public_id),
        "merchantId": "gym-a",
        "channel": "SMS",
        "type": "OTP",
        "to": "+18135551234",
        "recipients": ["+18135551234"],
        "from": "+18005550100",
        "status": "UNDELIVERED",
        "units": 1,
        "billedUnits": 1,
        "price": None,
        "attempts": 2,
        "errorCode": "UNREACHABLE",
        "providerCode": "30005",
        "provider": "simulator",
        "metadata": {"orderId": "A-1"},
        "acceptedAt": "2026-04-16T12:00:00.000Z",
        "sendAt": None,
        "expiresAt": None,
        "sentAt": "2026-04-16T12:00:04.000Z",
        "completedAt": "2026-04-16T12:00:06.000Z",
    }


async def test_an_end_that_no_provider_reported_is_in_the_history(
    integrator: Integrator, database: Database
) -> None:
    merchant = await make_merchant(database, integrator.tenant_id)
    message = await make_message(
        database,
        integrator.tenant_id,
        merchant,
        accepted_at=NOON,
        due_at=NOON + timedelta(hours=1),
        status=MessageStatus.FAILED,
        error_code=ErrorCode.EXPIRED,
        completed_at=NOON + timedelta(hours=2),
    )
    public_id = await shown(database, "message", message)
    view = (await integrator.get(f"/messages/{public_id}")).json()
    assert view["sendAt"] == "2026-04-16T13:00:00.000Z"
    assert [(e["status"], e["detail"]) for e in view["events"]] == [
        ("QUEUED", "Accepted."),
        ("SCHEDULED", "Waits until 2026-04-16T13:00:00.000Z."),
        ("FAILED", "EXPIRED"),
    ]


_HELD_BACK = (
    "Held back because the merchant is inactive. Waits until it is active again, at most 30 days "
    "past due."
)


@pytest.mark.parametrize(
    ("due_in", "ended", "told"),
    [
        (0, {}, [("QUEUED", "Accepted."), ("QUEUED", _HELD_BACK)]),
        (
            1,
            {},
            [
                ("QUEUED", "Accepted."),
                ("SCHEDULED", "Waits until 2026-04-16T13:00:00.000Z."),
                ("SCHEDULED", _HELD_BACK),
            ],
        ),
        (
            0,
            {"status": "FAILED", "error_code": "MERCHANT_INACTIVE"},
            [("QUEUED", "Accepted."), ("QUEUED", _HELD_BACK), ("FAILED", "MERCHANT_INACTIVE")],
        ),
        (
            0,
            {"status": "CANCELED"},
            [
                ("QUEUED", "Accepted."),
                ("QUEUED", _HELD_BACK),
                ("CANCELED", "Canceled before it was sent."),
            ],
        ),
    ],
)
async def test_the_story_tells_that_a_message_waits_for_its_merchant(
    integrator: Integrator,
    database: Database,
    due_in: int,
    ended: dict[str, str],
    told: list[tuple[str, str]],
) -> None:
    due_at = NOON + timedelta(hours=due_in)
    message = await make_message(
        database,
        integrator.tenant_id,
        await make_merchant(database, integrator.tenant_id),
        accepted_at=NOON,
        due_at=due_at,
        held_back_at=due_at + timedelta(seconds=1),
        completed_at=NOON + timedelta(days=30) if ended else None,
        **ended,
    )
    public_id = await shown(database, "message", message)
    events = (await integrator.get(f"/messages/{public_id}")).json()["events"]
    assert [(event["status"], event["detail"]) for event in events] == told


async def test_filters_narrow_the_list(integrator: Integrator, database: Database) -> None:
    merchant = await make_merchant(database, integrator.tenant_id)
    tenant = integrator.tenant_id
    for day in (14, 15, 16):
        await make_message(database, tenant, merchant, accepted_at=NOON.replace(day=day))
    await make_message(
        database,
        tenant,
        merchant,
        accepted_at=NOON,
        status="DELIVERED",
        contact_key=key_of("+18135559001"),
    )
    for query, count in (
        ({}, 4),
        ({"merchantId": "gym-a"}, 4),
        ({"channel": "VOICE"}, 0),
        ({"status": "DELIVERED"}, 1),
        ({"to": "+1 813 555 9001"}, 1),
        ({"from": "2026-04-15"}, 3),
        ({"until": "2026-04-15"}, 2),
        ({"from": "2026-04-15", "until": "2026-04-15"}, 1),
        ({"from": "2026-04-15T12:00:00Z", "until": "2026-04-15T12:00:00Z"}, 1),
        ({"from": "2026-04-15T14:00:01+02:00"}, 2),
        ({"until": "9999-12-31"}, 4),
        ({"from": "9999-12-31"}, 0),
        ({"from": "9999-12-31", "until": "9999-12-31"}, 0),
        ({"until": "9999-12-31T23:59:59.999999Z"}, 4),
        ({"until": "9999-12-31T23:59:59Z"}, 4),
        ({"from": "0001-01-01"}, 4),
        ({"from": "0001-01-01T00:00:00Z", "until": "9999-12-31"}, 4),
        ({"until": "0001-01-01"}, 0),
    ):
        assert len((await integrator.get("/messages", **query)).json()) == count, query


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-04-16", "until": "2026-04-15"},
        {"from": "yesterday"},
        {"from": "2026-04-31"},
        {"until": "2026-04-16T12:00:00"},
        {"until": "10000-01-01"},
        {"until": "9999-12-32"},
        {"until": "9999-12-31T23:59:59-05:00"},
        {"from": "9999-12-31", "until": "9999-12-30"},
        {"from": "0000-01-01"},
        {"from": "0001-01-01T00:00:00+14:00"},
        {"from": "2026-W16-4"},
    ],
)
async def test_a_senseless_range_is_400(integrator: Integrator, query: dict[str, str]) -> None:
    response = await integrator.get("/messages", **query)
    assert (response.status_code, response.json()["code"]) == (400, "INVALID_DATE_RANGE")


async def test_a_merchants_key_sees_only_its_own(
    integrator: Integrator, database: Database, merchant_key: MerchantKey
) -> None:
    own = await make_merchant(database, integrator.tenant_id, "own")
    other = await make_merchant(database, integrator.tenant_id, "other")
    mine, theirs = [
        await shown(database, "message", await make_message(database, integrator.tenant_id, of))
        for of in (own, other)
    ]
    key = await merchant_key(integrator.tenant_id, own)
    assert [m["messageId"] for m in (await key.get("/messages")).json()] == [str(mine)]
    assert (await key.get(f"/messages/{theirs}")).status_code == 404
