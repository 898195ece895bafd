"""The simulator's own API: deliveries, inbound messages, faults."""

import asyncio
import hashlib
import hmac
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.simulator.harness import SECRET, Client, Listener, number


@pytest.fixture
async def faults(client: Client) -> AsyncIterator[Client]:
    """A client whose faults are cleared afterwards."""
    yield client
    assert (await client.http.delete("/faults")).json() == {
        "latencyMs": 0,
        "errorRate": 0,
        "down": False,
    }


async def test_it_is_alive(client: Client) -> None:
    assert (await client.http.get("/healthz")).status_code == 200


async def test_deliveries_are_listed_newest_last(client: Client) -> None:
    to = number()
    for word in ("one", "two", "three"):
        await client.accepted(client.order(to=to, body=word))
        await asyncio.sleep(0.07)
    copies = await client.delivered(to)
    assert [copy["content"] for copy in copies] == ["one", "two", "three"]


async def test_deliveries_understand_a_plus_sign_typed_as_it_is(client: Client) -> None:
    order = client.order()
    await client.accepted(order)
    await asyncio.sleep(0.1)
    assert (await client.http.get(f"/deliveries?to={order['to']}")).json()["count"] == 1


async def test_deliveries_without_a_recipient_list_everybody(client: Client) -> None:
    id = await client.accepted(client.order())
    await asyncio.sleep(0.1)
    listing = (await client.http.get("/deliveries")).json()
    assert id in [copy["id"] for copy in listing["items"]]
    assert listing["count"] == len(listing["items"])


async def test_deliveries_can_be_counted_without_listing_them(client: Client) -> None:
    to = number()
    for word in ("one", "two", "three"):
        await client.accepted(client.order(to=to, body=word))
    await client.delivered(to)
    for limit, shown in ((0, 0), (2, 2), (9, 3)):
        listing = (await client.http.get("/deliveries", params={"to": to, "limit": limit})).json()
        assert (listing["count"], len(listing["items"])) == (3, shown)
    assert (await client.http.get("/deliveries?limit=-1")).status_code == 400


async def test_an_inbound_message_is_passed_on_signed_and_repeated(
    client: Client, listener: Listener
) -> None:
    listener.answers = deque([503])
    message = {"from": number(), "to": "+18005550100", "body": "STOP"}
    url = f"{listener.url}/inbound?x=1"
    answer = await client.http.post("/inbound", json=message | {"callbackUrl": url})
    assert answer.status_code == 202

    first, again = await listener.webhooks(2)
    assert first.raw == again.raw
    assert first.path == "/inbound?x=1"
    assert first.body == message | {
        "eventId": answer.json()["eventId"],
        "type": "inbound",
        "at": first.body["at"],
    }
    t = first.headers["x-simulator-signature"].split(",")[0].removeprefix("t=").encode()
    digest = hmac.new(SECRET.encode(), t + b"." + first.raw, hashlib.sha256).hexdigest()
    assert first.headers["x-simulator-signature"].endswith(f",v1={digest}")


async def test_the_url_for_inbound_messages_can_be_set(client: Client, listener: Listener) -> None:
    message = {"from": number(), "to": "+18005550100", "body": ""}
    assert (await client.http.post("/inbound", json=message)).status_code == 400
    url = f"{listener.url}/configured"
    assert (await client.http.post("/inbound-url", json={"url": url})).json() == {"url": url}

    assert (await client.http.post("/inbound", json=message)).status_code == 202
    [posted] = await listener.webhooks(1)
    assert posted.path == "/configured"


@pytest.mark.parametrize("body", [{}, {"from": "+1", "to": "+2"}, {"from": 1}, []], ids=str)
async def test_a_malformed_inbound_message_is_refused(client: Client, body: Any) -> None:
    assert (await client.http.post("/inbound", json=body)).status_code == 400


@pytest.mark.parametrize("fault", [{"down": True}, {"errorRate": 1}], ids=str)
async def test_a_vendor_in_trouble_accepts_nothing(faults: Client, fault: dict[str, Any]) -> None:
    order = faults.order()
    assert (await faults.http.post("/faults", json=fault)).status_code == 200

    assert (await faults.submit(order)).status_code == 503
    assert (await faults.http.get("/messages?reference=x")).status_code == 503
    assert await faults.delivered(order["to"]) == []
    await faults.http.delete("/faults")
    assert await faults.taken(order["reference"]) == []
    await faults.accepted(order)


async def test_an_error_rate_hits_its_share(faults: Client) -> None:
    await faults.http.post("/faults", json={"errorRate": 0.5})
    answers = [(await faults.http.get("/messages/x")).status_code for _ in range(200)]
    assert 60 < answers.count(503) < 140
    assert set(answers) == {404, 503}


async def test_latency_delays_the_vendor_but_not_the_console(faults: Client) -> None:
    await faults.http.post("/faults", json={"latencyMs": 300})
    vendor = await faults.submit(faults.order())
    console = await faults.http.get("/deliveries?to=%2B12")

    assert vendor.status_code == 202
    assert 0.3 <= vendor.elapsed.total_seconds() < 1.0
    assert console.elapsed.total_seconds() < 0.3


async def test_faults_add_up_until_they_are_cleared(faults: Client) -> None:
    await faults.http.post("/faults", json={"latencyMs": 1.5})
    await faults.http.post("/faults", json={"down": True})
    shown = (await faults.http.get("/faults")).json()
    assert shown == {"latencyMs": 1.5, "errorRate": 0, "down": True}


@pytest.mark.parametrize(
    "fault",
    [
        {"latencyMs": -1},
        {"latencyMs": "1"},
        {"latencyMs": None},
        {"errorRate": 1.01},
        {"errorRate": True},
        {"down": 1},
        {"up": True},
        [],
    ],
    ids=str,
)
async def test_a_fault_that_makes_no_sense_changes_nothing(client: Client, fault: Any) -> None:
    answer = await client.http.post("/faults", json=fault)
    assert (answer.status_code, answer.json()["code"]) == (400, 20001)
    assert (await client.http.get("/faults")).json()["down"] is False


async def test_not_a_number_is_no_fault(client: Client) -> None:
    answer = await client.http.post("/faults", content=b'{"errorRate": NaN}')
    assert answer.status_code == 400
