"""An integrator creates an endpoint by the API, sends, and gets signed events."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.harness import Integrator, number, until
from tests.webhooks.receiver import Receiver, receiving

pytestmark = pytest.mark.xdist_group("stack")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


async def created(integrator: Integrator, url: str, events: list[str]) -> dict[str, Any]:
    answer = await integrator.post("/webhooks", {"url": url, "events": events})
    assert answer.status_code == 200, answer.text
    view: dict[str, Any] = answer.json()
    return view


async def arrived(receiver: Receiver, count: int) -> None:
    async def all_arrived() -> bool:
        return len(receiver.requests) >= count

    await until(all_arrived)


async def deliveries(integrator: Integrator, webhook_id: str) -> list[dict[str, Any]]:
    answer = await integrator.get(f"/webhooks/{webhook_id}/deliveries")
    views: list[dict[str, Any]] = answer.json()
    return views


async def test_the_way_of_a_message_is_told_signed_and_in_order(
    integrator: Integrator, receiver: Receiver
) -> None:
    types = [f"message.{status}" for status in ("accepted", "sent", "delivered")]
    webhook = await created(integrator, receiver.url, [*types, "webhook.test"])
    message = await integrator.accepted(number())
    view = await integrator.ended(message)
    await arrived(receiver, 3)
    for request in receiver.requests:
        request.verify(webhook["secret"])
    events = [request.event for request in receiver.requests]
    assert [event["type"] for event in events] == types
    assert {event["data"]["messageId"] for event in events} == {message}
    assert events[-1]["data"]["status"] == view["status"] == "DELIVERED"

    async def stored() -> bool:
        found = await deliveries(integrator, webhook["webhookId"])
        return [d["status"] for d in found] == ["SUCCEEDED"] * 3

    await until(stored)
    newest, *_ = await deliveries(integrator, webhook["webhookId"])
    assert (newest["lastStatusCode"], newest["lastResponse"], newest["attempts"]) == (200, "ok", 1)
    assert newest["eventId"] == events[-1]["id"] == receiver.requests[-1].webhook_id

    path = f"/webhooks/{webhook['webhookId']}/deliveries/{newest['deliveryId']}/redeliver"
    assert (await integrator.post(path, {})).status_code == 200
    await arrived(receiver, 4)
    assert receiver.requests[3].webhook_id == newest["eventId"]
    assert receiver.requests[3].body == receiver.requests[2].body

    tested = await integrator.post(f"/webhooks/{webhook['webhookId']}/test", {})
    assert tested.status_code == 200
    await arrived(receiver, 5)
    assert receiver.requests[4].event["type"] == "webhook.test"
