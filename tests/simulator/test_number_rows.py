"""SIMULATOR.md, first table: the rows that SMS and voice share."""

import asyncio
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from providers.simulator.calls import signed
from tests.simulator.harness import SECRET, Client, Listener, Running, number

SMS = ["sent", "delivered"]
CALL = ["ringing", "answered", "completed"]


@pytest.fixture(params=["SMS", "VOICE"])
def channel(request: pytest.FixtureRequest) -> str:
    """Each test runs for both."""
    return str(request.param)


def compose(client: Client, channel: str, ending: str) -> dict[str, Any]:
    """Return a message or call to a new number with this ending."""
    make = client.order if channel == "SMS" else client.call
    return make(to=number(ending))


def delivery(channel: str) -> list[str]:
    """Return the statuses of a successful message or call."""
    return SMS if channel == "SMS" else CALL


def statuses(reports: list[dict[str, Any]]) -> list[str]:
    """Return the statuses."""
    return [report["status"] for report in reports]


async def test_an_ordinary_number_is_reached(
    client: Client, listener: Listener, channel: str
) -> None:
    order = compose(client, channel, "0000")
    id = await client.accepted(order)

    reports = await listener.reports(id, len(delivery(channel)))
    assert statuses(reports) == delivery(channel)
    assert len({report["eventId"] for report in reports}) == len(reports)
    [copy] = await client.delivered(order["to"])
    assert copy == {
        "id": id,
        "channel": channel,
        "to": order["to"],
        "from": order["from"],
        "reference": order["reference"],
        "content": order["body"],
        "at": copy["at"],
    }
    assert datetime.fromisoformat(copy["at"]).utcoffset() == timedelta(0)


async def test_9001_is_accepted_and_then_undelivered(
    client: Client, listener: Listener, channel: str
) -> None:
    order = compose(client, channel, "9001")
    id = await client.accepted(order)

    [report] = await listener.reports(id, 1)
    assert (report["status"], report["errorCode"]) == ("undelivered", 30005)
    view = await client.view(id)
    assert (view["status"], view["errorCode"]) == ("undelivered", 30005)
    assert await client.delivered(order["to"]) == []


@pytest.mark.parametrize(("ending", "code"), [("9002", 21211), ("9014", 21610)])
async def test_9002_and_9014_are_refused_every_time(
    client: Client, channel: str, ending: str, code: int
) -> None:
    order = compose(client, channel, ending)
    for _ in range(2):
        answer = await client.submit(order)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await client.taken(order["reference"]) == []
    assert await client.delivered(order["to"]) == []


async def test_9003_is_throttled_first(client: Client, channel: str) -> None:
    order = compose(client, channel, "9003")
    answers = [await client.submit(order) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [429, 202, 429, 202]
    assert answers[0].headers["Retry-After"] == "1"
    assert answers[0].json()["code"] == 20429
    assert len(await client.delivered(order["to"])) == 2


async def test_9004_is_sent_but_never_answered(
    client: Client, listener: Listener, channel: str
) -> None:
    order = compose(client, channel, "9004")
    for _ in range(2):
        with pytest.raises(httpx.ReadTimeout):
            await client.submit(order, timeout=0.15)

    assert len(await client.taken(order["reference"])) == 2
    assert len(await client.delivered(order["to"])) == 2
    reports = await listener.reports(order["reference"], 2 * len(delivery(channel)))
    assert sorted(statuses(reports)) == sorted(2 * delivery(channel))


async def test_9005_is_neither_sent_nor_answered_first(client: Client, channel: str) -> None:
    order = compose(client, channel, "9005")
    for sent_before in range(2):
        with pytest.raises(httpx.ReadTimeout):
            await client.submit(order, timeout=0.15)
        assert len(await client.taken(order["reference"])) == sent_before
        await client.accepted(order)

    assert len(await client.taken(order["reference"])) == 2
    assert len(await client.delivered(order["to"])) == 2


async def test_9006_is_sent_although_the_answer_is_an_error(
    client: Client, listener: Listener, channel: str
) -> None:
    order = compose(client, channel, "9006")
    answer = await client.submit(order)

    assert answer.status_code == 500
    [taken] = await client.taken(order["reference"])
    reports = await listener.reports(taken["id"], len(delivery(channel)))
    assert statuses(reports) == delivery(channel)
    assert len(await client.delivered(order["to"])) == 1


async def test_9007_is_not_sent_first_and_the_answer_is_an_error(
    client: Client, channel: str
) -> None:
    order = compose(client, channel, "9007")

    assert (await client.submit(order)).status_code == 500
    assert await client.taken(order["reference"]) == []
    await client.accepted(order)
    assert (await client.submit(order)).status_code == 500
    assert len(await client.delivered(order["to"])) == 1


async def test_9008_reports_everything_twice_under_the_same_event_id(
    client: Client, listener: Listener, channel: str
) -> None:
    id = await client.accepted(compose(client, channel, "9008"))

    reports = await listener.reports(id, 2 * len(delivery(channel)))
    assert statuses(reports) == [status for status in delivery(channel) for _ in range(2)]
    assert reports[0::2] == reports[1::2]


async def test_9009_reports_the_end_before_the_rest(
    client: Client, listener: Listener, channel: str
) -> None:
    id = await client.accepted(compose(client, channel, "9009"))

    *before, end = delivery(channel)
    reports = await listener.reports(id, len(delivery(channel)))
    assert statuses(reports) == [end, *before]
    came = [posted.at for posted in listener.posted]
    assert 0.15 < came[1] - came[0] < 1.0
    assert statuses((await client.view(id))["events"]) == delivery(channel)


async def test_9010_never_reports_but_answers_look_ups(
    client: Client, listener: Listener, channel: str
) -> None:
    order = compose(client, channel, "9010")
    id = await client.accepted(order)

    assert len(await client.delivered(order["to"])) == 1
    view = await client.view(id)
    assert view["status"] == delivery(channel)[-1]
    assert statuses(view["events"]) == delivery(channel)
    assert listener.posted == []


async def test_9011_never_shows_a_final_status(
    client: Client, listener: Listener, channel: str
) -> None:
    order = compose(client, channel, "9011")
    id = await client.accepted(order)

    assert len(await client.delivered(order["to"])) == 1
    view = await client.view(id)
    assert view["status"] == delivery(channel)[0]
    assert view["price"] is None
    assert [taken["status"] for taken in await client.taken(order["reference"])] == [view["status"]]
    assert listener.posted == []


async def test_9012_is_accepted_slowly_unless_its_deadline_passes(client: Client) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    orders = [
        compose(client, "SMS", "9012"),
        compose(client, "VOICE", "9012"),
        compose(client, "SMS", "9012") | {"notAfter": soon},
    ]
    *accepted, expired = await asyncio.gather(*(client.submit(order) for order in orders))

    for order, answer in zip(orders, accepted, strict=False):
        assert answer.status_code == 202
        assert 1.4 < answer.elapsed.total_seconds() < 2.5
        assert len(await client.delivered(order["to"])) == 1
    assert (expired.status_code, expired.json()["code"]) == (422, 30036)
    assert await client.taken(orders[2]["reference"]) == []


async def test_9013_is_sent_and_the_connection_reset(
    client: Client, running: Running, channel: str
) -> None:
    order = compose(client, channel, "9013")
    request = signed(client.http.build_request("POST", "/messages", json=order), SECRET)
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())

    def exchange() -> bytes:
        with socket.create_connection(("127.0.0.1", running.port)) as connection:
            connection.settimeout(2)
            connection.sendall(f"POST /messages HTTP/1.1\r\n{head}\r\n".encode() + request.content)
            return connection.recv(1)

    with pytest.raises(ConnectionResetError):
        await asyncio.to_thread(exchange)
    assert len(await client.delivered(order["to"])) == 1


async def test_what_is_posted_twice_arrives_twice_even_under_one_reference(
    client: Client, channel: str
) -> None:
    order = compose(client, channel, "0000")
    ids = {await client.accepted(order), await client.accepted(order)}

    assert {copy["id"] for copy in await client.delivered(order["to"])} == ids
    assert {taken["id"] for taken in await client.taken(order["reference"])} == ids
    assert len(ids) == 2
