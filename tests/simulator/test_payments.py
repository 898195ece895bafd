"""The payment gateway: every row of the table, idempotency keys, refunds, webhooks."""

import asyncio
import hashlib
import hmac
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.simulator.harness import SECRET, Client, Listener, Running, unique


def order(client: Client, method: str = "pm_123", **changed: Any) -> dict[str, Any]:
    """Return a valid charge with changes."""
    return {
        "reference": unique("pay"),
        "amountCents": 4900,
        "currency": "USD",
        "paymentMethodId": method,
        "callbackUrl": f"{client.listener.url}/payments",
    } | changed


async def charge(client: Client, wanted: dict[str, Any], key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key or wanted["reference"]}
    return await client.http.post("/charges", json=wanted, headers=headers)


async def refund(client: Client, id: str, key: str) -> httpx.Response:
    return await client.http.post(
        "/refunds", json={"chargeId": id}, headers={"Idempotency-Key": key}
    )


async def found(client: Client, reference: str) -> list[dict[str, Any]]:
    answer = await client.http.get("/charges", params={"reference": reference})
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def listed(client: Client, reference: str, kind: str = "payments") -> list[dict[str, Any]]:
    """Return the tester's lists for a reference."""
    listing = (await client.http.get(f"/{kind}")).json()
    assert listing["count"] == len(listing["items"])
    return [item for item in listing["items"] if item["reference"] == reference]


@pytest.mark.parametrize(
    ("method", "http", "first", "last", "told"),
    [
        ("pm_123", 200, "succeeded", "succeeded", ["succeeded"]),
        ("pm_slow", 200, "processing", "succeeded", ["succeeded"]),
        ("pm_declined", 402, "declined", "declined", ["declined"]),
        ("pm_action", 200, "requires_action", "succeeded", ["requires_action", "succeeded"]),
        ("pm_action_abandoned", 200, "requires_action", "requires_action", ["requires_action"]),
        ("pm_fails_later", 200, "processing", "failed", ["failed"]),
    ],
)
async def test_a_payment_method_does_what_its_row_says(
    client: Client, method: str, http: int, first: str, last: str, told: list[str]
) -> None:
    wanted = order(client, method)
    answer = await charge(client, wanted)
    assert (answer.status_code, answer.json()["status"]) == (http, first)
    events = await client.listener.reports(wanted["reference"], len(told))
    assert [event["status"] for event in events] == told
    [shown] = await listed(client, wanted["reference"])
    assert shown == {
        "id": answer.json()["id"],
        "reference": wanted["reference"],
        "amountCents": 4900,
        "currency": "USD",
        "status": last,
        "at": answer.json()["at"],
    }


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("pm_refunded_later", [("refunded", 4900)]),
        ("pm_partly_refunded_later", [("refunded", 2450)]),
        ("pm_disputed", [("disputed", 0)]),
        ("pm_dispute_won", [("disputed", 0), ("dispute_won", 0)]),
        ("pm_dispute_lost", [("disputed", 0), ("dispute_lost", 0)]),
    ],
)
async def test_reversals_of_a_charge_are_reported_after_it_succeeded(
    client: Client, method: str, told: list[tuple[str, int]]
) -> None:
    wanted = order(client, method)
    assert (await charge(client, wanted)).json()["status"] == "succeeded"
    events = await client.listener.reports(wanted["reference"], 1 + len(told))
    first, *later = events
    assert (first["type"], first["status"]) == ("charge", "succeeded")
    assert [(event["status"], event["refundedCents"]) for event in later] == told
    assert {event["type"] for event in later} == {"reversal"}
    [shown] = await listed(client, wanted["reference"])
    assert shown["status"] == "succeeded"


async def test_another_amount_than_was_asked_for_is_charged_and_refunded(client: Client) -> None:
    wanted = order(client, "pm_other_amount")
    answer = (await charge(client, wanted)).json()
    assert (answer["amountCents"], answer["status"]) == (4901, "succeeded")
    back = await refund(client, answer["id"], "k-other")
    assert (back.status_code, back.json()["amountCents"]) == (200, 4901)


@pytest.mark.parametrize("method", ["pm_refund_refused", "pm_other_amount_kept"])
async def test_a_refund_is_refused_for_ever(client: Client, method: str) -> None:
    id = (await charge(client, order(client, method))).json()["id"]
    for _ in range(2):
        answer = await refund(client, id, f"k-{id}")
        assert (answer.status_code, answer.json()["code"]) == (409, 50411)


@pytest.mark.parametrize(
    ("method", "status"), [("pm_refunded_later", 409), ("pm_partly_refunded_later", 200)]
)
async def test_the_rest_of_a_charge_is_refunded(client: Client, method: str, status: int) -> None:
    wanted = order(client, method)
    id = (await charge(client, wanted)).json()["id"]
    await client.listener.reports(wanted["reference"], 2)
    answer = await refund(client, id, f"k-{id}")
    assert answer.status_code == status
    assert answer.json().get("amountCents" if status == 200 else "code") in (2450, 50410)


async def test_a_charge_that_needs_action_says_where(client: Client) -> None:
    wanted = order(client, "pm_action")
    answer = (await charge(client, wanted)).json()
    assert answer["nextActionUrl"].startswith("https://")
    first, last = await client.listener.reports(wanted["reference"], 2)
    assert (first["nextActionUrl"], last["nextActionUrl"]) == (answer["nextActionUrl"], None)


async def test_a_charge_whose_answer_never_comes_was_made(client: Client) -> None:
    wanted = order(client, "pm_timeout_charged")
    for _ in range(2):
        with pytest.raises(httpx.ReadTimeout):
            await client.http.post(
                "/charges", json=wanted, headers={"Idempotency-Key": "k-silent"}, timeout=0.3
            )
    assert [item["status"] for item in await found(client, wanted["reference"])] == ["succeeded"]
    assert len(await listed(client, wanted["reference"])) == 1
    [event] = await client.listener.reports(wanted["reference"], 1)
    assert (event["type"], event["amountCents"]) == ("charge", 4900)


async def test_the_same_key_is_charged_once_however_often_it_comes(client: Client) -> None:
    wanted = order(client)
    answers = await asyncio.gather(*(charge(client, wanted) for _ in range(20)))
    assert {answer.json()["id"] for answer in answers} == {answers[0].json()["id"]}
    assert len(await listed(client, wanted["reference"])) == 1


async def test_a_key_of_another_order_is_refused(client: Client) -> None:
    wanted = order(client)
    await charge(client, wanted)
    assert (await charge(client, wanted | {"amountCents": 5000})).status_code == 409
    assert len(await listed(client, wanted["reference"])) == 1


async def test_an_open_charge_can_be_canceled_and_then_takes_no_money(client: Client) -> None:
    wanted = order(client, "pm_slow")
    id = (await charge(client, wanted)).json()["id"]
    for _ in range(2):
        canceled = await client.http.post(f"/charges/{id}/cancel")
        assert (canceled.status_code, canceled.json()["status"]) == (200, "canceled")
    await asyncio.sleep(0.5)
    assert [item["status"] for item in await listed(client, wanted["reference"])] == ["canceled"]
    events = client.listener.about(wanted["reference"])
    assert [event["status"] for event in events] == ["canceled"]


async def test_a_charge_that_is_over_cannot_be_canceled(client: Client) -> None:
    id = (await charge(client, order(client))).json()["id"]
    answer = await client.http.post(f"/charges/{id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (409, "succeeded")
    assert (await client.http.post("/charges/ch_none/cancel")).status_code == 404


async def test_a_charge_is_refunded_once(client: Client) -> None:
    wanted = order(client)
    id = (await charge(client, wanted)).json()["id"]

    async def refund(key: str) -> httpx.Response:
        return await client.http.post(
            "/refunds", json={"chargeId": id}, headers={"Idempotency-Key": key}
        )

    key = unique("refund")
    answers = await asyncio.gather(*(refund(key) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert (await refund(unique("another"))).json()["code"] == 50410
    [shown] = await listed(client, wanted["reference"], "refunds")
    assert shown == answers[0].json()
    assert (shown["amountCents"], shown["status"]) == (4900, "succeeded")


async def test_an_unsuccessful_charge_is_not_refunded(client: Client) -> None:
    wanted = order(client, "pm_declined")
    id = (await charge(client, wanted)).json()["id"]
    answer = await client.http.post(
        "/refunds", json={"chargeId": id}, headers={"Idempotency-Key": unique("refund")}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, 50409)
    assert await listed(client, wanted["reference"], "refunds") == []


@pytest.mark.parametrize(
    "changed",
    [
        {"amountCents": 0},
        {"amountCents": True},
        {"amountCents": "4900"},
        {"currency": ""},
        {"paymentMethodId": None},
        {"callbackUrl": "nowhere"},
    ],
)
async def test_a_malformed_charge_is_refused(client: Client, changed: dict[str, Any]) -> None:
    assert (await charge(client, order(client) | changed)).status_code == 400


async def test_a_charge_needs_a_key(client: Client) -> None:
    assert (await client.http.post("/charges", json=order(client))).status_code == 400


async def test_a_webhook_is_signed_and_repeated_with_its_event_id(client: Client) -> None:
    client.listener.answers.append(500)
    wanted = order(client)
    await charge(client, wanted)
    first, again = await client.listener.webhooks(2)
    assert first.raw == again.raw
    assert first.path == "/payments"
    fields = dict(part.split("=") for part in again.headers["x-simulator-signature"].split(","))
    signed = fields["t"].encode() + b"." + again.raw
    assert fields["v1"] == hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


async def test_faults_affect_the_gateway_but_not_the_lists(client: Client) -> None:
    await client.http.post("/faults", json={"down": True})
    try:
        wanted = order(client)
        assert (await charge(client, wanted)).status_code == 503
        assert await listed(client, wanted["reference"]) == []
        assert (await client.http.get("/refunds")).status_code == 200
    finally:
        await client.http.delete("/faults")


async def test_a_restart_keeps_charges_and_refunds(tmp_path: Path, listener: Listener) -> None:
    with Running(tmp_path) as running:
        client = Client(running.url, listener)
        async with client.http:
            paid, slow, left = order(client), order(client, "pm_slow"), order(client, "pm_action")
            ids = [(await charge(client, wanted)).json()["id"] for wanted in (paid, slow, left)]
            await client.http.post(
                "/refunds", json={"chargeId": ids[0]}, headers={"Idempotency-Key": "refund-once"}
            )
            await client.http.post(f"/charges/{ids[2]}/cancel")
            await listener.reports(paid["reference"], 1)
    with Running(tmp_path) as running:
        client = Client(running.url, listener)
        async with client.http:
            assert (await charge(client, paid)).json()["id"] == ids[0]
            assert len(await listed(client, paid["reference"], "refunds")) == 1
            [event] = await listener.reports(slow["reference"], 1)
            assert event["status"] == "succeeded"
            [shown] = await listed(client, left["reference"])
            assert shown["status"] == "canceled"
            assert len(listener.about(paid["reference"])) == 1
