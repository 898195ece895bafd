"""Lists of messages by type, Idempotency-Key and metadata give what a naive search gives."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.enums import Channel, MessageType
from models.queries.messages.acceptance import AcceptedMessage
from models.rules.messages.operations import (
    ANSWER_INBOUND,
    SEND_DIRECT_EMAIL,
    SEND_EMAIL,
    SEND_SMS,
    SEND_VOICE,
)
from models.session import Database
from tests.api.http.references import resolved
from tests.api.integrator import Integrator, make_merchant
from tests.contacts import key_of
from tests.factories import Owner, make_owner, new_message, try_accept

MerchantKey = Callable[[int, int], Awaitable[Integrator]]

NAMES = ["orderId", "a.b", "größe", "x y&=%", "n" * 40]
VALUES = ["", "1", "A-1001", "größe 🙂", "a+b/c d?#", "v" * 500]
KEYS = ["k1", "k/2", 'quo"te', "k" * 255]
NOON = datetime(2026, 4, 16, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Made:
    """A message as the naive search sees it."""

    message_id: str
    channel: str
    type: str
    key: str | None
    metadata: Mapping[str, str]
    day: str
    to: str
    mine: bool


@dataclass(frozen=True)
class World:
    """Messages of one tenant, the newest first, and the callers who read them."""

    messages: list[Made]
    tenant: Integrator
    merchant: Integrator
    merchant_name: str


KINDS = {
    SEND_SMS: Channel.SMS,
    SEND_VOICE: Channel.VOICE,
    SEND_EMAIL: Channel.EMAIL,
    SEND_DIRECT_EMAIL: Channel.EMAIL,
}


async def accept(database: Database, owner: Owner, number: int, scope: str) -> Made:
    """Accept a message; its values are chosen by its number."""
    operation = [*KINDS][number % 4]
    direct = operation == SEND_DIRECT_EMAIL
    key = None if number % 5 == 0 else KEYS[number // 5 % len(KEYS)]
    used = [(name, VALUES[(number // 3 + n) % len(VALUES)]) for n, name in enumerate(NAMES)]
    to = "a@b.example" if direct else f"+1813555123{number % 2}"
    at = NOON + timedelta(days=number % 3)
    message = replace(
        new_message(owner, key=key, accepted_at=at, type=[*MessageType][number % 5]),
        channel=KINDS[operation],
        operation=operation,
        scope=scope,
        merchant_id=None if direct else owner.merchant_id,
        funded=not direct,
        contact_key=key_of(to),
        attributes=dict(used[: number % 6]),
    )
    outcome = await try_accept(database, message)
    if not isinstance(outcome, AcceptedMessage):  # its key is taken: without one
        outcome = await try_accept(database, replace(message, idempotency_key=None))
        key = None
    assert isinstance(outcome, AcceptedMessage)
    return Made(
        message_id=str(outcome.public_id),
        channel=message.channel,
        type=message.type,
        key=key,
        metadata=message.attributes,
        day=at.date().isoformat(),
        to=to,
        mine=not direct,
    )


@pytest.fixture
async def world(database: Database, owner: Owner, merchant_key: MerchantKey, client: Any) -> World:
    stranger = await make_owner(database)
    made = []
    for number in range(60):
        await accept(database, stranger, number, "")
        made.append(await accept(database, owner, number, "7" if number % 7 == 0 else ""))
    return World(
        messages=made[::-1],
        tenant=Integrator(client, owner.tenant_id, owner.tenant_public_id, 0, owner.headers),
        merchant=await merchant_key(owner.tenant_id, owner.merchant_id),
        merchant_name=owner.merchant,
    )


def matches(made: Made, query: Mapping[str, str]) -> bool:
    """Search as naively as possible."""
    wanted = {name[9:]: value for name, value in query.items() if name.startswith("metadata.")}
    return (
        query.get("channel", made.channel) == made.channel
        and query.get("type", made.type) == made.type
        and query.get("to", made.to) == made.to
        and query.get("status", "QUEUED") == "QUEUED"
        and ("idempotencyKey" not in query or query["idempotencyKey"] == made.key)
        and ("merchantId" not in query or made.mine)
        and query.get("from", made.day) <= made.day <= query.get("until", made.day)
        and all(made.metadata.get(name) == value for name, value in wanted.items())
    )


async def walk(integrator: Integrator, query: Mapping[str, str]) -> list[str]:
    """Return the ids of every page."""
    pairs = "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in query)
    following: str | None = f"/api/v1/messages?{pairs}"
    found: list[str] = []
    while following:
        answer = await integrator.client.get(following, headers=integrator.headers)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()) <= int(query["limit"])
        found += [message["messageId"] for message in answer.json()]
        following = answer.links.get("next", {}).get("url")
    return found


def query_of(
    limit: int, pairs: Mapping[int, int], key: int | None, fixed: Mapping[str, str]
) -> dict[str, str]:
    """Return a query; names, values and keys are given by number, the last is used nowhere."""
    names, values, keys = ([*some, "absent"] for some in (NAMES, VALUES, KEYS))
    return {
        **{f"metadata.{names[name]}": values[value] for name, value in pairs.items()},
        **({} if key is None else {"idempotencyKey": keys[key]}),
        **fixed,
        "limit": str(limit),
    }


QUERIES = st.builds(
    query_of,
    st.integers(2, 12),
    st.dictionaries(st.integers(0, len(NAMES)), st.integers(0, len(VALUES)), max_size=3),
    st.none() | st.integers(0, len(KEYS)),
    st.fixed_dictionaries(
        {},
        optional={
            "channel": st.sampled_from([*Channel]),
            "type": st.sampled_from([*MessageType]),
            "merchantId": st.just(""),
            "to": st.sampled_from(["+18135551230", "+18135551231", "a@b.example"]),
            "status": st.sampled_from(["QUEUED", "QUEUED", "QUEUED", "DELIVERED"]),
            "from": st.sampled_from(["2026-04-16", "2026-04-17"]),
            "until": st.sampled_from(["2026-04-17", "2026-04-18"]),
        },
    ),
)


@settings(
    max_examples=80,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(query=QUERIES, of_merchant=st.booleans())
async def test_every_combination_gives_what_a_naive_search_gives(
    world: World, query: dict[str, str], of_merchant: bool
) -> None:
    if "merchantId" in query:
        query["merchantId"] = world.merchant_name
    expected = [
        made.message_id
        for made in world.messages
        if matches(made, query) and (made.mine or not of_merchant)
    ]
    caller = world.merchant if of_merchant else world.tenant
    assert await walk(caller, query) == expected


async def test_each_filter_alone_finds_something(world: World) -> None:
    """The combinations above are worth nothing if none of them matches."""
    for key in KEYS:
        assert await walk(world.tenant, {"idempotencyKey": key, "limit": "9"})
        assert await walk(world.merchant, {"idempotencyKey": key, "limit": "9"})
    used = {pair for made in world.messages for pair in made.metadata.items()}
    assert {name for name, _ in used} == {*NAMES}
    assert {value for _, value in used} == {*VALUES}
    for name, value in used:
        assert await walk(world.tenant, {f"metadata.{name}": value, "limit": "9"})


async def test_a_quoted_key_is_the_same_key(world: World) -> None:
    for key in KEYS:
        plain = await walk(world.tenant, {"idempotencyKey": key, "limit": "9"})
        quoted = await walk(world.tenant, {"idempotencyKey": f'"{key}"', "limit": "9"})
        assert plain == quoted


async def test_the_key_of_an_answer_to_an_inbound_text_is_not_the_integrators(
    world: World, database: Database, owner: Owner
) -> None:
    answer = replace(new_message(owner, key="inbound-1"), operation=ANSWER_INBOUND)
    assert isinstance(await try_accept(database, answer), AcceptedMessage)
    assert await walk(world.tenant, {"idempotencyKey": "inbound-1", "limit": "9"}) == []


async def test_a_message_that_is_sent_is_found_by_all_three(
    gym: Integrator, database: Database
) -> None:
    await make_merchant(database, gym.tenant_id, "gym-b")
    body = {
        "merchantId": "gym-a",
        "to": "+18135551234",
        "message": "Hello",
        "type": "OTP",
        "metadata": {"orderId": "A-1001", "shop": "north"},
    }
    sent = await gym.post("/messages/sms", body, key='"order-1"')
    assert sent.status_code == 200, sent.text
    for query in (
        {"idempotencyKey": "order-1"},
        {"type": "OTP"},
        {"metadata.orderId": "A-1001"},
        {"metadata.orderId": "A-1001", "metadata.shop": "north", "merchantId": "gym-a"},
    ):
        (found,) = (await gym.get("/messages", **query)).json()
        assert found["messageId"] == sent.json()["messageId"]
    for query in (
        {"idempotencyKey": "ORDER-1"},
        {"type": "MARKETING"},
        {"metadata.orderId": "a-1001"},
        {"metadata.orderid": "A-1001"},
        {"metadata.orderId": "A-1001", "metadata.shop": "south"},
        {"metadata.orderId": "A-1001", "merchantId": "gym-b"},
    ):
        assert (await gym.get("/messages", **query)).json() == []
    # A replay adds nothing.
    again = await gym.post("/messages/sms", body, key="order-1")
    assert again.json() == sent.json()
    assert len((await gym.get("/messages", **{"metadata.shop": "north"})).json()) == 1


@pytest.mark.parametrize(
    "query",
    [
        "metadata=x",
        "metadata.=x",
        "metadata.",
        "Metadata.a=x",
        "metadata[a]=x",
        f"metadata.{'n' * 41}=x",
        f"metadata.a={'v' * 501}",
        "metadata.a=1&metadata.a=1",
        "metadata.a=1&metadata.a=2",
        "metadata.a=1&metadata.%61=1",
        "metadata.a%00=1",
        "metadata.a=%00",
        "&".join(f"metadata.n{n}=x" for n in range(51)),
        "type=otp",
        "type=",
        "type=OTP&type=OTP",
        "idempotencyKey=",
        "idempotencyKey=%22%22",
        "idempotencyKey=a%20b",
        "idempotencyKey=a+b",
        "idempotencyKey=%C3%A9",
        f"idempotencyKey={'k' * 256}",
        "idempotencyKey=a&idempotencyKey=a",
        "idempotencykey=a",
    ],
)
async def test_an_invalid_filter_is_400(integrator: Integrator, query: str) -> None:
    answer = await integrator.client.get(f"/api/v1/messages?{query}", headers=integrator.headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")
    assert answer.json()["errors"][0]["field"]


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"metadata.n{n}=x" for n in range(50)),
        f"metadata.{'n' * 40}={'v' * 500}",
        f"metadata.{quote('🙂' * 40)}={quote('🙂' * 500)}",
        "metadata.a=",
        "metadata.a",
        "metadata..=1",
        "metadata.metadata.a=1",
        f"idempotencyKey=%22{'k' * 255}%22",
    ],
)
async def test_a_filter_at_its_bounds_is_accepted(integrator: Integrator, query: str) -> None:
    answer = await integrator.client.get(f"/api/v1/messages?{query}", headers=integrator.headers)
    assert (answer.status_code, answer.json()) == (200, [])


@pytest.mark.parametrize("path", ["/messages/inbound", "/voice/tts-calls", "/alerts"])
async def test_other_lists_have_no_metadata_filter(integrator: Integrator, path: str) -> None:
    answer = await integrator.get(path, **{"metadata.a": "1"})
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_the_specification_describes_the_filters(integrator: Integrator) -> None:
    document = json.loads((await integrator.client.get("/v3/api-docs")).text)
    operation = document["paths"]["/api/v1/messages"]["get"]
    parameters = [resolved(document, each) for each in operation["parameters"]]
    described = {one["name"]: one for one in parameters}
    assert {"type", "idempotencyKey", "metadata"} <= set(described)
    assert described["metadata"]["schema"]["type"] == "object"
