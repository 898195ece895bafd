"""Turns of an endpoint: what is due is delivered, signed, in order, and its end is stored."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import WebhookVerificationError

from models.enums import WebhookDeliveryStatus, WebhookEventType
from models.rules.webhooks.secrets import derive_secret
from models.session import Database
from tests.factories import Owner
from tests.webhook_key import WEBHOOK_KEY
from tests.webhooks.endpoints import set_status
from tests.webhooks.harness import SECOND, EndpointHarness, make_harness
from tests.webhooks.receiver import Receiver, Reply, receiving
from workflows.webhooks.types import DeliverResult

PENDING, SUCCEEDED, FAILED = WebhookDeliveryStatus
PATH = "/hook"
ONLY_ACCEPTED = [WebhookEventType.MESSAGE_ACCEPTED]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


@pytest.fixture
async def harness(database: Database, owner: Owner, receiver: Receiver) -> EndpointHarness:
    return await make_harness(database, owner, receiver.url + PATH)


def secret(harness: EndpointHarness, version: int) -> str:
    name = f"{harness.owner.tenant_public_id}/{harness.endpoint.public_id}"
    return derive_secret(WEBHOOK_KEY, name, version)


async def test_events_of_a_message_are_delivered_in_order(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    message = await harness.message("SENDING", "SENT", "DELIVERED")
    assert await harness.turn() == DeliverResult(succeeded=3, failed=0, next_in=None)
    assert [(r.event["type"], r.event["data"]["subject"]) for r in receiver.requests] == [
        ("message.accepted", message),
        ("message.sent", message),
        ("message.delivered", message),
    ]
    deliveries = await harness.deliveries()
    assert receiver.ids == [str(d.event_id) for d in deliveries]
    assert [
        (d.status, d.attempts, d.due_at, d.last_status_code, d.last_error, d.last_response)
        for d in deliveries
    ] == [(SUCCEEDED, 1, None, 200, None, "ok")] * 3
    assert all(d.last_duration_ms is not None and d.last_attempt_at for d in deliveries)
    assert await harness.turn() == DeliverResult()
    assert len(receiver.requests) == 3


async def test_a_later_event_waits_until_the_earlier_one_has_ended(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    receiver.reply = lambda request: Reply(
        status=500 if request.event["type"] == "message.accepted" else 200
    )
    await harness.message("SENDING", "SENT")
    other = await harness.message()
    result = await harness.turn()
    assert result.next_in is not None
    assert timedelta(seconds=4) < result.next_in <= 5 * SECOND
    assert [r.event["type"] for r in receiver.requests] == ["message.accepted"] * 2
    receiver.reply = lambda _: Reply()
    await harness.until_idle(hours=1)
    in_order = [r.event["type"] for r in receiver.requests if r.event["data"]["subject"] != other]
    assert in_order == ["message.accepted", "message.accepted", "message.sent"]


async def test_a_request_is_signed_with_the_secret_of_the_endpoint(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    await harness.message()
    await harness.turn(after=timedelta(days=2))
    (request,) = receiver.requests
    request.verify(secret(harness, 1))
    with pytest.raises(WebhookVerificationError):
        request.verify(secret(harness, 2))
    assert request.headers["content-type"] == "application/json"


async def test_both_secrets_sign_while_one_is_rotated(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    until = datetime.now(UTC) + timedelta(hours=24)
    await harness.set(secret_version=2, previous_secret_until=until)
    await harness.message()
    await harness.turn()
    await harness.message()
    await harness.turn(after=timedelta(hours=25))
    during, after = receiver.requests
    assert [len(r.headers["webhook-signature"].split(" ")) for r in (during, after)] == [2, 1]
    for version in (1, 2):
        during.verify(secret(harness, version))
    after.verify(secret(harness, 2))
    with pytest.raises(WebhookVerificationError):
        after.verify(secret(harness, 1))


async def test_a_retried_event_keeps_its_id_and_body(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    receiver.reply = lambda _: Reply(status=503 if len(receiver.requests) == 1 else 204, body=b"")
    await harness.message()
    await harness.until_idle(hours=1)
    first, second = receiver.requests
    assert (first.webhook_id, first.body) == (second.webhook_id, second.body)
    assert (await harness.only()).attempts == 2


async def test_a_delivery_that_was_requested_again_is_delivered_in_order(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    await harness.message("SENDING", "SENT", "DELIVERED")
    await harness.turn()
    now = datetime.now(UTC)
    await harness.write(
        "UPDATE webhook_delivery SET status = 'PENDING', attempts = 0, due_at = :now"
        " WHERE tenant_id = :tenant AND endpoint_id = :endpoint",
        now=now,
    )
    await harness.set(concurrency=8)
    receiver.requests.clear()
    receiver.most.clear()
    receiver.reply = lambda _: Reply(after=0.1)
    assert (await harness.turn()).succeeded == 3
    assert receiver.most[PATH] == 1
    assert [r.event["data"]["number"] for r in receiver.requests] == [1, 2, 3]


async def test_an_event_that_can_not_be_rendered_ends_and_blocks_no_other(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    await harness.set(concurrency=8)
    await harness.message("SENDING", "SENT")
    await harness.message("SENDING", "SENT")
    accepted_1, sent_1, accepted_2, sent_2 = await harness.deliveries()
    harness.bodies.gone = {accepted_1.event_id, sent_2.event_id}
    assert (await harness.turn()).next_in is None
    assert receiver.ids == [str(accepted_2.event_id), str(sent_1.event_id)]
    assert [(d.status, d.attempts, d.last_error) for d in await harness.deliveries()] == [
        (FAILED, 0, "NOT_RENDERABLE"),
        (SUCCEEDED, 1, None),
        (SUCCEEDED, 1, None),
        (FAILED, 0, "NOT_RENDERABLE"),
    ]


async def test_a_healthy_endpoint_is_sent_more_at_once_and_a_failing_one_less(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    receiver.reply = lambda _: Reply(after=0.05)
    for _ in range(40):
        await harness.message()
    await harness.turn()
    assert receiver.most[PATH] == 8
    assert (await harness.reload()).concurrency == 8
    receiver.reply = lambda _: Reply(status=500, after=0.05)
    await harness.message()
    await harness.turn()
    assert (await harness.reload()).concurrency == 1
    receiver.reply = lambda _: Reply(after=0.05)
    receiver.most.clear()
    for _ in range(3):
        await harness.message()
    await harness.turn()
    assert receiver.most[PATH] == 2


async def test_a_turn_of_a_hanging_endpoint_has_one_request_open_and_ends(
    database: Database, owner: Owner, receiver: Receiver
) -> None:
    harness = await make_harness(database, owner, receiver.url + PATH, deadline=0.3)
    await harness.set(concurrency=8)
    for _ in range(30):
        await harness.message()
    receiver.reply = lambda _: Reply(hang=True)
    first = await harness.turn()
    assert first.failed == 8
    assert first.pausing
    receiver.most.clear()
    for _ in range(4):
        result = await harness.turn(after=30 * SECOND)
        assert (result.failed, result.pausing) == (1, True)
    assert receiver.most[PATH] == 1
    assert {d.last_error for d in await harness.deliveries() if d.attempts} == {"TIMEOUT"}
    receiver.reply = lambda _: Reply()
    await harness.until_idle(hours=1)
    assert {d.status for d in await harness.deliveries()} == {SUCCEEDED}


async def test_what_is_recorded_during_a_turn_is_delivered_by_it(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    await harness.message()
    recorded: list[int] = []

    async def post_and_record(url, headers, body, *, owner):  # type: ignore[no-untyped-def]
        if not recorded:
            recorded.append(await harness.message())
        return await plain(url, headers, body, owner=owner)

    plain, harness.post = harness.post, post_and_record
    assert await harness.turn() == DeliverResult(succeeded=2)
    assert len(receiver.requests) == 2


async def test_a_turn_waits_a_moment_for_the_next_event(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    harness.looks = 5
    message = await harness.message("SENDING")
    turn = asyncio.create_task(harness.turn())
    await asyncio.sleep(0.5)
    assert len(receiver.requests) == 1
    await set_status(harness.database, harness.owner.tenant_id, message, "SENT")
    assert await turn == DeliverResult(succeeded=2)
