"""Reports: signed, in order, repeated under one event id until answered."""

import asyncio
import hashlib
import hmac
import itertools
import time
from collections import deque
from datetime import datetime

import pytest

from simulator.signing import signature
from tests.simulator.harness import SECRET, Client, Listener, Posted, Running


def signed_at(posted: Posted) -> int:
    """Check the signature as a receiver would and return its time."""
    stamp, _, digest = posted.headers["x-simulator-signature"].partition(",")
    t = stamp.removeprefix("t=")
    signed = t.encode() + b"." + posted.raw
    assert digest == "v1=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    return int(t)


async def test_a_report_is_signed_and_says_everything(client: Client, listener: Listener) -> None:
    order = client.order()
    id = await client.accepted(order)
    await listener.reports(id, 2)

    posted = listener.posted[-1]
    assert abs(signed_at(posted) - time.time()) < 5
    assert posted.path == "/callbacks"
    assert posted.headers["content-type"] == "application/json"
    assert posted.body == {
        "eventId": posted.body["eventId"],
        "messageId": id,
        "reference": order["reference"],
        "channel": "SMS",
        "status": "delivered",
        "at": posted.body["at"],
        "errorCode": None,
        "durationSeconds": None,
        "recipient": None,
        "bounceType": None,
        "price": "0.0083",
    }
    assert datetime.fromisoformat(posted.body["at"]).tzinfo is not None


def test_another_secret_makes_another_signature() -> None:
    assert signature("one", b"{}", 1) == signature("one", b"{}", 1)
    assert signature("one", b"{}", 1) != signature("two", b"{}", 1)
    assert signature("one", b"{}", 1) != signature("one", b"{}", 2)


@pytest.mark.parametrize("refusal", [500, 302])
async def test_an_unanswered_report_is_repeated_with_its_event_id(
    client: Client, listener: Listener, refusal: int
) -> None:
    listener.answers = deque([200, refusal])
    id = await client.accepted(client.order())

    sent, delivered, again = await listener.reports(id, 3)
    assert (sent["status"], delivered["status"]) == ("sent", "delivered")
    assert again == delivered
    assert all(signed_at(posted) for posted in listener.posted)
    assert 0.4 < listener.posted[2].at - listener.posted[1].at < 1.5


async def test_the_pauses_grow(client: Client, listener: Listener) -> None:
    listener.answers = deque([200, 500, 500])
    id = await client.accepted(client.order())
    await listener.reports(id, 4)

    came = [posted.at for posted in listener.posted[1:]]
    pauses = [after - before for before, after in itertools.pairwise(came)]
    early = 0.001  # the resolution of an event loop's clock
    assert 0.5 - early <= pauses[0] < 0.9
    assert 1.0 - early <= pauses[1] < 1.8


async def test_the_next_report_does_not_wait_for_a_failed_one(
    client: Client, listener: Listener
) -> None:
    listener.answers = deque([500])
    id = await client.accepted(client.order())

    reports = await listener.reports(id, 3)
    assert [report["status"] for report in reports] == ["sent", "delivered", "sent"]


async def test_a_callback_url_that_listens_late_still_hears_everything(
    client: Client, listener: Listener
) -> None:
    order = client.order(callbackUrl=f"{listener.url}/callbacks")
    await listener.__aexit__(None, None, None)
    await client.accepted(order)
    await asyncio.sleep(0.15)

    port = int(listener.url.rpartition(":")[2])
    async with Listener(port=port) as late:
        reports = await late.reports(order["reference"], 2)
    assert sorted(report["status"] for report in reports) == ["delivered", "sent"]


async def test_reports_come_after_100_to_300_ms_by_default(listener: Listener) -> None:
    with Running(report_delay=(0.1, 0.3)) as running:
        client = Client(running.url, listener)
        async with client.http:
            accepted = time.monotonic()
            ids = [await client.accepted(client.order()) for _ in range(5)]
            for id in ids:
                await listener.reports(id, 2)
    ends = [p.at - accepted for p in listener.posted if p.body["status"] == "delivered"]
    assert len(ends) == 5
    assert all(0.1 <= end < 1.0 for end in ends)
