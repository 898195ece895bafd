"""SIMULATOR.md, second table: outcomes by the local part of an e-mail address."""

from typing import Any

import httpx
import pytest

from tests.simulator.harness import Client, Listener, unique


def address(local: str) -> str:
    """Return a new address with this local part."""
    return f"{local}@{unique('mail')}.test"


def told(reports: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    """Return status and bounce type of each."""
    return [(report["status"], report["bounceType"]) for report in reports]


@pytest.mark.parametrize(
    ("local", "delivery", "copies"),
    [
        ("ann", [("delivered", None)], 1),
        ("bounce", [("bounced", "permanent")], 0),
        ("soft-bounce", [("bounced", "transient"), ("delivered", None)], 1),
        ("complaint", [("delivered", None), ("complained", None)], 1),
    ],
)
async def test_an_accepted_email_takes_the_course_of_its_address(
    client: Client,
    listener: Listener,
    local: str,
    delivery: list[tuple[str, str | None]],
    copies: int,
) -> None:
    order = client.email(to=address(local))
    id = await client.accepted(order)

    reports = await listener.reports(id, len(delivery))
    assert told(reports) == delivery
    assert {report["recipient"] for report in reports} == {order["to"]}
    view = await client.view(id)
    assert (view["status"], view["bounceType"]) == delivery[-1]
    assert told(view["events"]) == delivery
    assert len(await client.delivered(order["to"])) == copies


async def test_the_copy_shows_subject_and_body(client: Client) -> None:
    order = client.email(subject="Receipt 7", body="Thank you")
    await client.accepted(order)
    [copy] = await client.delivered(order["to"][0])
    assert copy["content"] == "Receipt 7\n\nThank you"


async def test_each_recipient_has_a_course_of_its_own(client: Client, listener: Listener) -> None:
    people = [address("ann"), address("bounce"), address("soft-bounce"), address("bob")]
    order = client.email(to=people)
    id = await client.accepted(order)

    reports = await listener.reports(id, 5)
    assert len({report["eventId"] for report in reports}) == 5
    by_person = {
        person: [report["status"] for report in reports if report["recipient"] == person]
        for person in people
    }
    assert list(by_person.values()) == [
        ["delivered"],
        ["bounced"],
        ["bounced", "delivered"],
        ["delivered"],
    ]
    assert [len(await client.delivered(person)) for person in people] == [1, 0, 1, 1]
    view = await client.view(id)
    assert (view["status"], view["bounceType"], view["to"]) == ("bounced", "permanent", people)


async def test_one_refused_recipient_refuses_the_whole_submission(client: Client) -> None:
    ann = address("ann")
    order = client.email(to=[ann, address("refused")])
    answer = await client.submit(order)

    assert (answer.status_code, answer.json()["code"]) == (422, 21211)
    assert await client.taken(order["reference"]) == []
    assert await client.delivered(ann) == []


async def test_timeout_sent_is_sent_to_all_but_never_answered(client: Client) -> None:
    ann = address("ann")
    order = client.email(to=[ann, address("timeout-sent")])
    with pytest.raises(httpx.ReadTimeout):
        await client.submit(order, timeout=0.15)

    assert len(await client.taken(order["reference"])) == 1
    for person in order["to"]:
        assert len(await client.delivered(person)) == 1


async def test_timeout_lost_sends_nothing_at_first(client: Client) -> None:
    ann = address("ann")
    order = client.email(to=[ann, address("timeout-lost")])
    with pytest.raises(httpx.ReadTimeout):
        await client.submit(order, timeout=0.15)
    assert await client.taken(order["reference"]) == []

    await client.accepted(order)
    with pytest.raises(httpx.ReadTimeout):
        await client.submit(order, timeout=0.15)
    for person in order["to"]:
        assert len(await client.delivered(person)) == 1


async def test_a_failed_submission_uses_up_no_other_recipients_turn(client: Client) -> None:
    first, second = address("timeout-lost"), address("timeout-lost")
    for to in ([first], [first, second]):
        with pytest.raises(httpx.ReadTimeout):
            await client.submit(client.email(to=to), timeout=0.15)
    await client.accepted(client.email(to=[first, second]))
