"""A batch comes to what the same sends one after another come to, whatever decides about them."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from models.enums import Channel, ConsentStatus, MessageType
from models.session import Database
from tests.api.doubles import Clock
from tests.batches.accepting.harness import Batches, Line, number, sms
from tests.batches.accepting.twins import (
    World,
    make_twin,
    send_as_batch,
    send_singly,
    soon,
    state_of,
)

NOON = datetime(2026, 4, 16, 16, tzinfo=UTC)
"""Noon in New York."""

CONTACTS = [number(1001), number(1002), number(1003), number(2001)]
LIMITS = st.dictionaries(
    st.sampled_from(["otps_per_10_minutes", "otps_per_day", "new_recipients_per_hour"]),
    st.integers(1, 3),
)
WORLDS = st.builds(
    World,
    allowance=st.integers(0, 12),
    credits=st.integers(0, 8),
    active=st.sampled_from([True] * 9 + [False]),
    consents=st.dictionaries(
        st.sampled_from(CONTACTS), st.sampled_from(ConsentStatus), max_size=4
    ).map(lambda said: tuple(sorted(said.items()))),
    suppressed=st.frozensets(st.sampled_from(CONTACTS), max_size=1),
    limits=LIMITS,
    senders=st.sampled_from([True] * 9 + [False]),
)

TEXTS = ["Hello", "x" * 161, "ж" * 71, "y" * 400, "", "z" * 2000]
OPTIONAL = st.fixed_dictionaries(
    {},
    optional={
        "key": st.sampled_from(["k-1", "k-2", "k-3", "earlier", "b/2"]),
        "sendAt": st.sampled_from(
            [soon(NOON, 2), soon(NOON, 14), soon(NOON, -1), soon(NOON, 24 * 31), "tomorrow"]
        ),
        "validForSeconds": st.sampled_from([60, 60, 5, 3600.5]),
        "metadata": st.sampled_from(
            [{"order": "9"}, {"order": "9", "n": "8"}, {"": "1"}, {"n": 8}, None]
        ),
        "unknown": st.just(1),
    },
)
LINES: st.SearchStrategy[Line] = st.builds(
    lambda to, type, message, facts: {"to": to, "type": type, "message": message, **facts},
    st.sampled_from([*CONTACTS, *CONTACTS, "+1 (813) 555-1001", "5551001"]),
    st.sampled_from([*MessageType, MessageType.OTP, MessageType.TRANSACTIONAL]),
    st.sampled_from([*TEXTS, "Hello", "Hello", "x" * 161]),
    st.one_of(st.just({}), OPTIONAL),
)
EARLIER = {"to": number(1001), "type": "TRANSACTIONAL", "message": "Hello", "key": "earlier"}


async def compare(
    batches: Batches, client: httpx.AsyncClient, world: World, lines: list[Line], page: int
) -> None:
    """Send the lines in both ways, and compare all that they left behind."""
    database = batches.database
    one, other = [await make_twin(database, client, world) for _ in range(2)]
    for twin in (one, other):
        await send_singly(twin, [EARLIER], world.channel)
    expected = await send_singly(one, lines, world.channel)
    told = await send_as_batch(batches, other, lines, world.channel, page=page)
    assert told == expected
    assert await state_of(database, other) == await state_of(database, one)


@pytest.mark.timeout(400)
@seed(1)
@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(
    world=WORLDS,
    lines=st.lists(LINES, min_size=1, max_size=16),
    page=st.sampled_from([1, 3, 100]),
)
async def test_any_texts(
    harness: None,
    batches: Batches,
    client: httpx.AsyncClient,
    clock: Clock,
    world: World,
    lines: list[Line],
    page: int,
) -> None:
    clock.now = NOON
    await compare(batches, client, world, lines, page)


WRONG: list[dict[str, Any]] = [
    {"to": 5},
    {"to": None},
    {"type": "SPAM"},
    {"type": None, "message": 7},
    {"message": "a" * 20_000},
    {"merchant": "gym-b"},
    {"metadata": {f"n{place}": "1" for place in range(51)}},
    {"metadata": {f"n{place}": "1" for place in range(201)}},
    {"metadata": {"n": {"deep": "1"}}},
    {"validForSeconds": 3600.5},
    {"sendAt": 1_776_000_000},
    {"to": "+1 813 555 1001 ext 4"},
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: str(wrong)[:40])
async def test_a_body_that_a_single_send_refuses_is_refused_with_the_same_words(
    harness: None, batches: Batches, client: httpx.AsyncClient, wrong: dict[str, Any]
) -> None:
    lines = [sms(number(1)), {**sms(number(2)), **wrong}, sms(number(3))]
    await compare(batches, client, World(), lines, 100)


CALLS: list[Line] = [
    {"to": number(1), "text": "Ten!", "type": "REMINDER"},
    {"to": number(1), "text": "Ten!", "type": "OTP", "maxDurationSeconds": 600, "record": True},
    {"to": number(1), "text": "Ten!", "type": "OTP", "language": "en-US", "voice": "alice"},
    {"to": number(2), "text": "Ten!", "type": "MARKETING"},
    {"to": number(2), "text": "Ten\n", "type": "REMINDER"},
    {"to": number(3), "text": "Ten!", "type": "REMINDER", "key": "k", "metadata": {"a": "b"}},
    {"to": number(3), "text": "Ten!", "type": "REMINDER", "key": "k", "metadata": {"a": "b"}},
    {"to": number(3), "text": "Ten?", "type": "REMINDER", "key": "k"},
    {"to": number(4), "text": "Ten!", "type": "REMINDER", "maxDurationSeconds": 3600},
]

MAILS: list[Line] = [
    {"to": "a@example.com", "subject": "Hi", "body": "<p>Hi</p>", "type": "TRANSACTIONAL"},
    {"to": "A@EXAMPLE.com", "subject": "Hi", "body": "<p>Hi</p>", "type": "MARKETING"},
    {"to": "b@example.com", "subject": "Hi", "body": "<p>Hi</p>", "type": "MARKETING"},
    {"to": "c@example.com", "subject": "Hi", "body": "<p>Hi</p>", "type": "REMINDER"},
    {"to": "nobody", "subject": "Hi", "body": "<p>Hi</p>", "type": "REMINDER"},
    {"to": "d@example.com", "subject": "a\nb", "body": "<p>Hi</p>", "type": "REMINDER"},
    {"to": "d@example.com", "subject": "Hi", "body": "x" * (512 * 1024 + 1), "type": "OTP"},
    {"to": "d@example.com", "subject": "Hi", "body": "<p/>x", "type": "OTP", "replyTo": "x"},
    {"to": "d@example.com", "subject": "Hi", "body": "x" * (512 * 1024), "type": "OTP"},
]


@pytest.mark.parametrize("page", [1, 4, 100])
@pytest.mark.parametrize("limits", [{}, {"otps_per_day": 1, "new_recipients_per_hour": 2}], ids=str)
async def test_calls(
    harness: None,
    batches: Batches,
    client: httpx.AsyncClient,
    limits: dict[str, int],
    page: int,
) -> None:
    world = World(channel=Channel.VOICE, allowance=60, credits=7, limits=limits)
    lines = [line for line in CALLS if line.get("key") != "earlier"]
    database = batches.database
    one, other = [await make_twin(database, client, world) for _ in range(2)]
    expected = await send_singly(one, lines, world.channel)
    assert await send_as_batch(batches, other, lines, world.channel, page=page) == expected
    assert await state_of(database, other) == await state_of(database, one)


@pytest.mark.parametrize("page", [1, 4, 100])
async def test_mails(harness: None, batches: Batches, client: httpx.AsyncClient, page: int) -> None:
    world = World(
        channel=Channel.EMAIL,
        allowance=3,
        consents=(
            ("a@example.com", ConsentStatus.OPT_IN),
            ("c@example.com", ConsentStatus.OPT_OUT),
        ),
    )
    database = batches.database
    one, other = [await make_twin(database, client, world) for _ in range(2)]
    expected = await send_singly(one, MAILS, world.channel)
    assert await send_as_batch(batches, other, MAILS, world.channel, page=page) == expected
    assert await state_of(database, other) == await state_of(database, one)
    links = [row.details.get("unsubscribeUrl") for row in await batches.messages(other.tenant_id)]
    assert [link is not None for link in links] == [
        row.type == "MARKETING" for row in await batches.messages(other.tenant_id)
    ]


async def test_a_key_of_a_batch_and_of_a_single_send_are_one_action(
    harness: None, batches: Batches, client: httpx.AsyncClient, database: Database
) -> None:
    gym = await make_twin(database, client, World())
    before = await gym.post("/messages/sms", {**sms(number(1)), "merchantId": "gym-a"}, key="b/1")
    lines = [sms(number(1)), sms(number(2)), sms(number(3), key="own")]
    batch = await batches.store(gym.tenant_id, lines)
    await batches.accept_all(batch)
    known, second, third = await batches.decided(batch)
    assert {known.code, second.code, third.code} == {None}
    after = [
        await gym.post("/messages/sms", {**line, "merchantId": "gym-a"}, key=key)
        for line, key in [(sms(number(2)), "b/2"), (sms(number(3)), "own")]
    ]
    assert [answer.headers.get("Idempotency-Replayed") for answer in after] == ["true", "true"]
    shown = [answer.json()["messageId"] for answer in (before, *after)]
    stored = await batches.messages(gym.tenant_id)
    assert shown == [str(message.public_id) for message in stored]
    assert [m.id for m in stored] == [known.message_id, second.message_id, third.message_id]
    other = await gym.post("/messages/sms", {**sms(number(9)), "merchantId": "gym-a"}, key="own")
    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
