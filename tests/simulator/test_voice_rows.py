"""SIMULATOR.md, first table: the rows of calls only."""

import io
import wave

import pytest

from tests.simulator.harness import Client, Listener, number


@pytest.mark.parametrize(
    ("ending", "delivery"),
    [("9101", ["busy"]), ("9102", ["ringing", "no-answer"]), ("9103", ["failed"])],
)
async def test_an_unanswered_call_is_not_delivered(
    client: Client, listener: Listener, ending: str, delivery: list[str]
) -> None:
    order = client.call(to=number(ending))
    id = await client.accepted(order)

    reports = await listener.reports(id, len(delivery))
    assert [report["status"] for report in reports] == delivery
    assert reports[-1]["durationSeconds"] == 0
    assert await client.delivered(order["to"]) == []
    view = await client.view(id)
    assert (view["status"], view["durationSeconds"], view["price"]) == (delivery[-1], 0, "0.0000")


@pytest.mark.parametrize("ending", ["9101", "9207"])
async def test_to_an_sms_these_numbers_are_ordinary(client: Client, ending: str) -> None:
    order = client.order(to=number(ending))
    id = await client.accepted(order)
    assert len(await client.delivered(order["to"])) == 1
    assert (await client.view(id))["status"] == "delivered"


@pytest.mark.parametrize(
    ("ending", "longest", "lasts", "price"),
    [
        ("0000", 600, 30, "0.0140"),
        ("9207", 600, 70, "0.0280"),
        ("9299", 3600, 990, "0.2380"),
        ("9207", 45, 45, "0.0140"),
        ("9200", 600, 0, "0.0000"),
    ],
)
async def test_a_call_lasts_as_configured_up_to_its_maximum(
    client: Client, listener: Listener, ending: str, longest: int, lasts: int, price: str
) -> None:
    id = await client.accepted(client.call(to=number(ending), maxDurationSeconds=longest))

    reports = await listener.reports(id, 3)
    assert [report["durationSeconds"] for report in reports] == [None, None, lasts]
    view = await client.view(id)
    assert (view["durationSeconds"], view["price"]) == (lasts, price)


async def test_a_recorded_call_can_be_played_back_once_it_is_over(
    slow_client: Client, listener: Listener
) -> None:
    id = await slow_client.accepted(slow_client.call(record=True))
    early = await slow_client.http.get(f"/messages/{id}/recording")
    await listener.reports(id, 3)
    late = await slow_client.http.get(f"/messages/{id}/recording")

    assert (early.status_code, late.status_code) == (404, 200)
    assert late.headers["content-type"] == "audio/wav"
    with wave.open(io.BytesIO(late.content)) as sound:
        assert sound.getnframes() == sound.getframerate()


async def test_a_call_that_was_not_recorded_or_not_taken_has_no_recording(
    client: Client, listener: Listener
) -> None:
    plain = await client.accepted(client.call())
    busy = await client.accepted(client.call(to=number("9101"), record=True))
    await listener.reports(plain, 3)
    for id in (plain, busy, "sim_unknown"):
        assert (await client.http.get(f"/messages/{id}/recording")).status_code == 404
