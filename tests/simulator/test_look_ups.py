"""Look-ups of messages."""

from tests.simulator.harness import Client, Listener


async def test_a_look_up_shows_what_has_happened_so_far(
    slow_client: Client, listener: Listener
) -> None:
    order = slow_client.order(body="a" * 161)
    id = await slow_client.accepted(order)
    early = await slow_client.view(id)
    reports = await listener.reports(id, 2)
    late = await slow_client.view(id)

    assert (early["status"], early["price"], early["events"]) == ("accepted", None, [])
    assert late == {
        "id": id,
        "reference": order["reference"],
        "channel": "SMS",
        "to": order["to"],
        "from": order["from"],
        "status": "delivered",
        "errorCode": None,
        "durationSeconds": None,
        "price": "0.0166",
        "segments": 2,
        "acceptedAt": early["acceptedAt"],
        "events": [
            {
                name: report[name]
                for name in ("eventId", "status", "at", "errorCode", "durationSeconds", "price")
            }
            for report in reports
        ],
    }


async def test_an_unknown_id_is_not_found_and_an_unknown_reference_is_empty(
    client: Client,
) -> None:
    assert (await client.http.get("/messages/sim_unknown")).status_code == 404
    assert await client.taken("never heard of") == []


async def test_a_search_needs_a_reference(client: Client) -> None:
    assert (await client.http.get("/messages")).status_code == 400
