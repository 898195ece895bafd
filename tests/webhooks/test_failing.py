"""Endpoints that fail: retries, alerts, and endpoints that are disabled."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from models.enums import WebhookDeliveryStatus, WebhookDisabledReason, WebhookEventType
from models.queries.webhooks.deliveries_due import EndpointKey, find_endpoint
from models.queries.webhooks.delivery_outcomes import fail_pending
from models.session import Database
from tests.factories import Owner
from tests.webhooks.endpoints import deliveries_of, make_endpoint
from tests.webhooks.harness import SECOND, EndpointHarness, make_harness
from tests.webhooks.receiver import Receiver, Reply, receiving
from workflows.webhooks.types import DeliverResult

PENDING, SUCCEEDED, FAILED = WebhookDeliveryStatus
MESSAGES = [kind for kind in WebhookEventType if kind.startswith("message.")]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        started.reply = lambda _: Reply(status=500, body=b"no")
        yield started


@pytest.fixture
async def harness(database: Database, owner: Owner, receiver: Receiver) -> EndpointHarness:
    return await make_harness(database, owner, receiver.url, events=MESSAGES)


async def fail(harness: EndpointHarness, times: int) -> None:
    """Run turns, each when the next one is due."""
    for _ in range(times):
        result = await harness.turn()
        assert result.failed == 1
        await skip(harness, result)


async def skip(harness: EndpointHarness, result: DeliverResult) -> None:
    """Skip to when the only delivery is due, and over the pause."""
    due = (await harness.only()).due_at
    harness.skipped += result.next_in or timedelta(0)
    if due is not None:
        harness.skipped = max(harness.skipped, due - datetime.now(UTC))


async def test_a_delivery_fails_after_eight_attempts_over_a_day(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    await harness.message()
    began = datetime.now(UTC)
    await fail(harness, 7)
    waiting = await harness.only()
    assert (waiting.status, waiting.attempts, waiting.last_error) == (PENDING, 7, "HTTP_STATUS")
    assert (waiting.last_status_code, waiting.last_response) == (500, "no")
    result = await harness.turn()
    assert (result.failed, result.next_in, result.pausing) == (1, 30 * SECOND, True)
    ended = await harness.only()
    assert (ended.status, ended.attempts, ended.due_at) == (FAILED, 8, None)
    assert ended.last_attempt_at is not None
    assert timedelta(hours=27) < ended.last_attempt_at - began < timedelta(hours=29)
    assert await harness.turn() == DeliverResult()
    assert len(set(receiver.ids)) == 1
    assert len(receiver.ids) == 8


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_lengthens_the_gap(
    harness: EndpointHarness, receiver: Receiver, status: int
) -> None:
    receiver.reply = lambda _: Reply(status=status, headers={"Retry-After": "120"})
    await harness.message()
    result = await harness.turn()
    assert result.next_in is not None
    assert timedelta(seconds=119) < result.next_in <= timedelta(seconds=120)


@pytest.mark.parametrize("status", [301, 400, 404, 500])
async def test_any_other_status_is_a_failed_attempt(
    harness: EndpointHarness, receiver: Receiver, status: int
) -> None:
    headers = {"Retry-After": "120", "Location": receiver.url}
    receiver.reply = lambda _: Reply(status=status, headers=headers)
    await harness.message()
    result = await harness.turn()
    assert result.next_in is not None
    assert result.next_in <= 5 * SECOND
    delivery = await harness.only()
    expected = "REDIRECT" if status == 301 else "HTTP_STATUS"
    assert (delivery.status, delivery.last_status_code, delivery.last_error) == (
        PENDING,
        status,
        expected,
    )


async def test_an_alert_is_raised_at_the_third_failed_attempt_and_resolved_by_a_success(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    await harness.message()
    await fail(harness, 2)
    assert await harness.alerts() == []
    await fail(harness, 2)
    message = f"Deliveries to webhook endpoint {harness.endpoint.public_id} fail: HTTP_STATUS 500."
    assert await harness.alerts() == [("WARNING", 2, f"{message} They are retried.", True)]
    failing = await harness.reload()
    assert (failing.failures, failing.failing_since is None) == (4, False)
    receiver.reply = lambda _: Reply()
    await harness.turn()
    assert [(count, is_open) for _, count, _, is_open in await harness.alerts()] == [(2, False)]
    healthy = await harness.reload()
    assert (healthy.failures, healthy.failing_since) == (0, None)


async def test_an_alert_is_raised_when_many_deliveries_fail_once(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    for _ in range(30):
        await harness.message()
    await harness.turn()
    assert await harness.alerts() == []
    for _ in range(8):
        await harness.turn(after=timedelta(seconds=45))
    assert len(await harness.alerts()) == 1
    assert {d.attempts for d in await harness.deliveries()} <= {0, 1, 2}


async def test_the_alert_is_of_the_merchant_of_the_endpoint_and_is_told_to_others(
    database: Database, owner: Owner, receiver: Receiver
) -> None:
    harness = await make_harness(
        database, owner, receiver.url, events=MESSAGES, merchant_id=owner.merchant_id
    )
    other = await make_endpoint(database, owner, events=[WebhookEventType.ALERT_RAISED])
    await harness.message()
    await fail(harness, 3)
    assert [d.type for d in await deliveries_of(database, other)] == ["alert.raised"]
    async with database.read() as db:
        rows = await db.execute(
            text("SELECT merchant_id, channel, threshold FROM alert WHERE tenant_id = :tenant"),
            {"tenant": owner.tenant_id},
        )
        assert [tuple(row) for row in rows] == [(owner.merchant_id, "", 0)]


async def test_an_endpoint_that_answers_gone_is_disabled_and_its_deliveries_fail(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    receiver.reply = lambda _: Reply(status=410)
    await harness.message("SENDING", "SENT")
    await harness.message()
    assert await harness.turn() == DeliverResult(failed=1)
    disabled = await harness.reload()
    assert (disabled.active, disabled.disabled_reason) == (False, WebhookDisabledReason.GONE)
    assert disabled.disabled_at is not None
    assert [(d.status, d.attempts, d.last_error, d.due_at) for d in await harness.deliveries()] == [
        (FAILED, 1, "HTTP_STATUS", None),
        (FAILED, 0, "ENDPOINT_NOT_ACTIVE", None),
        (FAILED, 0, "ENDPOINT_NOT_ACTIVE", None),
    ]
    assert len(receiver.requests) == 1
    ((severity, _, message, is_open),) = await harness.alerts()
    assert (severity, is_open) == ("CRITICAL", True)
    assert message.endswith("answered 410 Gone and was disabled.")
    assert await harness.turn() == DeliverResult()
    assert len(receiver.requests) == 1


async def test_an_answer_of_the_previous_url_says_nothing_about_the_new_one(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    async def post_while_it_moves(url, headers, body, *, owner):  # type: ignore[no-untyped-def]
        await harness.set(url=f"{receiver.url}?new")
        return await plain(url, headers, body, owner=owner)

    receiver.reply = lambda _: Reply(status=410)
    plain, harness.post = harness.post, post_while_it_moves
    await harness.message()
    await harness.turn()
    endpoint = await harness.reload()
    assert (endpoint.active, endpoint.failures) == (True, 0)
    assert (await harness.only()).status == PENDING
    harness.post = plain
    receiver.reply = lambda _: Reply()
    await harness.until_idle(hours=1)
    assert (await harness.only()).status == SUCCEEDED


async def test_an_endpoint_that_fails_for_five_days_is_disabled(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    await harness.message()
    await fail(harness, 3)
    await harness.message()
    await harness.turn(after=timedelta(days=5) - timedelta(hours=1))
    assert (await harness.reload()).active
    await harness.message()
    await harness.turn(after=timedelta(hours=1))
    disabled = await harness.reload()
    assert (disabled.active, disabled.disabled_reason) == (False, WebhookDisabledReason.FAILING)
    await harness.turn()
    assert {d.status for d in await harness.deliveries()} == {FAILED}
    ((severity, _, message, is_open),) = await harness.alerts()
    assert (severity, is_open) == ("CRITICAL", True)
    assert message.endswith("no delivery has succeeded for 5 days. Last error: HTTP_STATUS 500.")


async def test_a_success_after_it_was_activated_again_resolves_the_alert(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    await harness.message()
    await fail(harness, 3)
    await harness.set(failing_since=None, failures=0)
    receiver.reply = lambda _: Reply()
    await harness.turn()
    assert [is_open for *_, is_open in await harness.alerts()] == [False]


async def test_while_an_endpoint_fails_one_request_follows_a_pause(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    for _ in range(40):
        await harness.message()
    pauses = []
    for _ in range(40):
        result = await harness.turn()
        pauses.append(result.next_in)
        harness.skipped += result.next_in or timedelta(0)
        if harness.skipped > timedelta(minutes=4):
            break
    assert all(pause is not None and pause >= SECOND for pause in pauses)
    assert max(pause for pause in pauses if pause) == 30 * SECOND
    assert len(receiver.requests) <= len(pauses) + 3
    receiver.reply = lambda _: Reply()
    assert (await harness.turn(after=timedelta(minutes=1))).next_in != 30 * SECOND
    await harness.until_idle(hours=1)
    assert {d.status for d in await harness.deliveries()} == {SUCCEEDED}


async def test_deliveries_of_an_inactive_or_deleted_endpoint_fail(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    for _ in range(3):
        await harness.message("SENDING", "SENT")
    await harness.set(active=False)
    assert await harness.turn() == DeliverResult()
    await harness.set(deleted_at=datetime.now(UTC))
    await harness.write(
        "UPDATE webhook_delivery SET status = 'PENDING', due_at = now(), last_error = NULL"
        " WHERE tenant_id = :tenant AND endpoint_id = :endpoint"
    )
    assert await harness.turn() == DeliverResult()
    assert {(d.status, d.last_error) for d in await harness.deliveries()} == {
        (FAILED, "ENDPOINT_NOT_ACTIVE")
    }
    assert receiver.requests == []


async def give_up(harness: EndpointHarness, *, most: int) -> int:
    """Fail a batch of deliveries as a turn does that has found the endpoint inactive."""
    stored = harness.endpoint
    assert stored.id is not None
    key = EndpointKey(tenant_id=stored.tenant_id, endpoint_id=stored.id, public_id=stored.public_id)
    async with harness.database.read() as db:
        found = await find_endpoint(db, key)
    assert found is not None
    async with harness.database.statement() as db:
        return await fail_pending(db, found, most=most)


async def test_no_event_stays_behind_if_the_endpoint_is_activated_between_two_batches(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    receiver.reply = lambda _: Reply()
    for _ in range(3):
        await harness.message("SENDING", "SENT")
    await harness.set(active=False)
    assert await give_up(harness, most=1) == 1
    await harness.set(active=True)
    await harness.until_idle()
    assert sorted(d.status for d in await harness.deliveries()) == [FAILED] + 5 * [SUCCEEDED]


async def test_nothing_fails_once_the_endpoint_is_active_again(
    harness: EndpointHarness, receiver: Receiver
) -> None:
    receiver.reply = lambda _: Reply()
    await harness.message()
    assert await give_up(harness, most=10) == 0
    await harness.until_idle()
    assert (await harness.only()).status == SUCCEEDED


async def test_a_row_that_is_locked_to_record_a_later_event_is_failed_with_that_one(
    harness: EndpointHarness, database: Database
) -> None:
    message = await harness.message("SENDING")
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE message SET status = 'SENT' WHERE tenant_id = :tenant AND id = :id"),
            {"tenant": harness.owner.tenant_id, "id": message},
        )
        await harness.set(active=False)
        meanwhile = await asyncio.wait_for(harness.turn(), 5)
        assert (meanwhile.next_in, meanwhile.pausing) == (SECOND, True)
    assert await harness.turn() == DeliverResult()
    assert [d.status for d in await harness.deliveries()] == [FAILED, FAILED]


async def test_a_locked_row_that_is_not_due_keeps_the_turns_going(
    harness: EndpointHarness, database: Database
) -> None:
    await harness.message("SENDING", "SENT")
    _, waiting = await harness.deliveries()
    async with database.transaction() as db:
        await db.execute(
            text("SELECT 1 FROM webhook_delivery WHERE tenant_id = :t AND id = :id FOR SHARE"),
            {"t": harness.owner.tenant_id, "id": waiting.id},
        )
        await harness.set(active=False)
        assert (await harness.turn()).next_in == SECOND
    assert await harness.turn() == DeliverResult()
    assert [d.status for d in await harness.deliveries()] == [FAILED, FAILED]


async def test_a_healthy_endpoint_is_not_written_for_each_delivery(
    harness: EndpointHarness, receiver: Receiver, database: Database
) -> None:
    async def version() -> int:
        async with database.read() as db:
            found = await db.scalar(
                text("SELECT xmin FROM webhook_endpoint WHERE tenant_id = :t AND id = :e"),
                {"t": harness.endpoint.tenant_id, "e": harness.endpoint.id},
            )
        return int(found)

    receiver.reply = lambda _: Reply()
    await harness.set(concurrency=8, awake_since=datetime.now(UTC))
    before = await version()
    for _ in range(5):
        await harness.message()

    async def post_and_compare(url, headers, body, *, owner):  # type: ignore[no-untyped-def]
        assert await version() == before
        return await plain(url, headers, body, owner=owner)

    plain, harness.post = harness.post, post_and_compare
    assert (await harness.turn()).succeeded == 5
