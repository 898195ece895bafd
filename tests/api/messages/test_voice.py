"""Calls: limits, event history, and recordings for their owner only."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from models.enums import Channel, MessageStatus
from models.session import Database
from providers.ports.messages import Unanswered
from tests.api.calls import make_call
from tests.api.doubles import FakeRecordingProvider, FakeSending, FakeStarter
from tests.api.integrator import EMAIL, GYM, VOICE, Integrator, make_merchant, make_message

MerchantKey = Callable[[int, int], Awaitable[Integrator]]
LABELS = {"tenantId": "north", "sourceSystem": "scheduler", "useCase": "reminder"}


async def test_without_credentials_everything_is_401(client: httpx.AsyncClient) -> None:
    answers = [
        await client.post("/api/v1/messages/voice", json=VOICE),
        await client.post("/api/v1/voice/tts-calls", json=VOICE),
        await client.get("/api/v1/voice/tts-calls"),
        await client.get("/api/v1/messages/1/recording"),
    ]
    assert [answer.status_code for answer in answers] == [401] * 4


async def test_another_tenants_call_is_404_and_in_no_list(
    gym: Integrator,
    stranger: Integrator,
    database: Database,
    recording_provider: FakeRecordingProvider,
) -> None:
    call = await make_call(database, gym)
    answer = await stranger.get(f"/messages/{call}/recording")
    assert (answer.status_code, answer.json()["code"]) == (404, "MESSAGE_NOT_FOUND")
    assert (await stranger.get("/voice/tts-calls")).json() == []
    assert (await stranger.post("/messages/voice", VOICE)).status_code == 404
    assert recording_provider.asked == []


async def test_another_merchants_recording_is_404(
    gym: Integrator, database: Database, merchant_key: MerchantKey
) -> None:
    own = await make_merchant(database, gym.tenant_id, "own")
    call = await make_call(database, gym)
    key = await merchant_key(gym.tenant_id, own)
    assert (await key.get(f"/messages/{call}/recording")).status_code == 404
    assert (await key.get("/voice/tts-calls")).json() == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"timeoutSeconds": 4}, 400),
        ({"timeoutSeconds": 5}, 200),
        ({"timeoutSeconds": 120}, 200),
        ({"timeoutSeconds": 121}, 400),
        ({"timeoutSeconds": "30"}, 400),
        ({"maxDurationSeconds": 59}, 400),
        ({"maxDurationSeconds": 60}, 200),
        ({"maxDurationSeconds": 3600}, 200),
        ({"maxDurationSeconds": 3601}, 400),
        ({"text": ""}, 400),
        ({"text": "x" * 3000}, 200),
        ({"text": "x" * 3001}, 400),
        ({"record": "yes"}, 400),
        ({"language": "en US"}, 400),
        ({"voice": "alice"}, 200),
        ({"to": "8135551234"}, 400),
        ({"sendAt": "2026-04-16T15:00:00"}, 400),
        ({"validForSeconds": 29}, 400),
        ({"message": "x"}, 400),
        ({"tenantId": "north"}, 400),
    ],
)
async def test_limits(gym: Integrator, change: dict[str, Any], status: int) -> None:
    answer = await gym.post("/messages/voice", {**VOICE, **change})
    assert answer.status_code == status, answer.text


@pytest.mark.parametrize("path", ["/messages/voice", "/voice/tts-calls"])
async def test_marketing_is_not_allowed_by_voice(
    gym: Integrator, starter: FakeStarter, path: str
) -> None:
    answer = await gym.post(path, {**VOICE, "type": "MARKETING"})
    assert (answer.status_code, answer.json()["code"]) == (403, "CHANNEL_NOT_ALLOWED")
    assert starter.started == []


async def test_the_minutes_of_the_longest_call_are_held(gym: Integrator) -> None:
    sent = await gym.post("/messages/voice", {**VOICE, "maxDurationSeconds": 61})
    view = (await gym.get(f"/messages/{sent.json()['messageId']}")).json()
    assert (view["units"], view["billedUnits"]) == (2, 0)


@pytest.mark.parametrize(
    ("status", "billed", "completed", "units"),
    [
        ("DELIVERED", 2, True, 2),
        ("DELIVERED", 0, True, 2),
        ("UNDELIVERED", 0, True, 0),
        ("FAILED", 0, True, 0),
        ("CANCELED", 0, True, 0),
        ("UNKNOWN", 0, True, 0),
        ("SENT", 0, False, 5),
    ],
)
async def test_the_units_of_an_ended_call_are_what_it_came_to(
    gym: Integrator,
    database: Database,
    status: str,
    billed: int,
    completed: bool,
    units: int,
) -> None:
    call = await make_call(
        database,
        gym,
        status=MessageStatus(status),
        units=5,
        held_allowance=5,
        billed_units=billed,
        completed_at=datetime(2026, 4, 16, 12, 5, tzinfo=UTC) if completed else None,
    )
    views = [
        (await gym.get(f"/messages/{call}")).json(),
        (await gym.get("/messages", channel="VOICE")).json()[0],
        (await gym.get("/voice/tts-calls")).json()[0],
    ]
    assert [(view["units"], view["billedUnits"]) for view in views] == [(units, billed)] * 3
    async with database.read() as db:
        held = await db.scalar(
            text("SELECT units FROM message WHERE public_id = :id"), {"id": call}
        )
    assert held == 5


async def test_calls_beyond_the_allowance_are_402(gym: Integrator) -> None:
    await gym.post("/merchants", {**GYM, "voiceMinutesLimit": 4})
    answer = await gym.post("/messages/voice", VOICE)  # five minutes by default
    assert (answer.status_code, answer.json()["code"]) == (402, "INSUFFICIENT_CREDITS")


async def test_a_labelled_call_is_answered_as_a_view_and_replayed(
    gym: Integrator, starter: FakeStarter
) -> None:
    first = await gym.post("/voice/tts-calls", {**VOICE, **LABELS}, key="k")
    assert first.status_code == 200
    assert {name: first.json()[name] for name in LABELS} == LABELS
    assert (first.json()["channel"], first.json()["status"]) == ("VOICE", "QUEUED")
    again = await gym.post("/voice/tts-calls", {**VOICE, **LABELS}, key="k")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first.json(), "true")
    other = await gym.post("/voice/tts-calls", {**VOICE, **LABELS, "useCase": "x"}, key="k")
    assert other.status_code == 422
    assert {start.public_id for start in starter.started} == {int(first.json()["messageId"])}


async def test_every_call_is_listed_and_labels_narrow(gym: Integrator) -> None:
    await gym.post("/messages/email", EMAIL)
    plain = (await gym.post("/messages/voice", VOICE)).json()["messageId"]
    labelled = (await gym.post("/voice/tts-calls", {**VOICE, **LABELS})).json()["messageId"]
    listed = (await gym.get("/voice/tts-calls")).json()
    assert [(call["messageId"], call["useCase"]) for call in listed] == [
        (labelled, "reminder"),
        (plain, None),
    ]
    for query, found in (
        ({"merchantId": "gym-a"}, [labelled, plain]),
        ({"tenantId": "north"}, [labelled]),
        ({"sourceSystem": "scheduler", "useCase": "reminder"}, [labelled]),
        ({"useCase": "other"}, []),
    ):
        calls = (await gym.get("/voice/tts-calls", **query)).json()
        assert [call["messageId"] for call in calls] == found, query
    assert (await gym.get("/voice/tts-calls", merchantId="nobody")).status_code == 404
    assert (await gym.get("/voice/tts-calls", status="SENT")).status_code == 400


async def test_calls_are_listed_fifty_at_a_time(gym: Integrator, database: Database) -> None:
    merchant = await make_merchant(database, gym.tenant_id, "many")
    for _ in range(51):
        await make_message(database, gym.tenant_id, merchant, channel=Channel.VOICE)
    first = await gym.get("/voice/tts-calls")
    assert len(first.json()) == 50
    rest = await gym.client.get(first.links["next"]["url"], headers=gym.headers)
    assert len(rest.json()) == 1


async def test_the_history_has_the_states_of_a_call(gym: Integrator, database: Database) -> None:
    call = await make_call(database, gym)
    events = (await gym.get(f"/messages/{call}")).json()["events"]
    assert [(e["status"], e["phase"], e["durationSeconds"]) for e in events] == [
        ("QUEUED", None, None),
        ("SENDING", None, None),
        ("SENT", "ringing", None),
        ("SENT", "answered", None),
        ("DELIVERED", "completed", 70),
    ]


async def test_a_recorded_call_is_played_back(
    gym: Integrator, database: Database, recording_provider: FakeRecordingProvider
) -> None:
    call = await make_call(database, gym)
    answer = await gym.get(f"/messages/{call}/recording")
    assert (answer.status_code, answer.content) == (200, recording_provider.content)
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["content-length"] == str(len(recording_provider.content))
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/octet-stream", "application/octet-stream"),
        ("Application/Octet-Stream", "application/octet-stream"),
        ("audio/wav", "audio/wav"),
        ("*/*", "audio/wav"),
        ("audio/*, application/octet-stream", "audio/wav"),
        ("text/html", "audio/wav"),
        ("", "audio/wav"),
    ],
)
async def test_a_recording_is_bytes_to_who_accepts_nothing_else(
    gym: Integrator,
    database: Database,
    recording_provider: FakeRecordingProvider,
    accept: str,
    kind: str,
) -> None:
    call = await make_call(database, gym)
    answer = await gym.client.get(
        f"/api/v1/messages/{call}/recording", headers={**gym.headers, "Accept": accept}
    )
    assert (answer.headers["content-type"], answer.content) == (kind, recording_provider.content)


async def test_a_call_whose_answer_was_lost_is_found_by_its_reference(
    gym: Integrator, database: Database, recording_provider: FakeRecordingProvider
) -> None:
    call = await make_call(database, gym, provider_id=None)
    recording_provider.reference = f"hx-{gym.tenant_public_id}-{call}-1"
    assert (await gym.get(f"/messages/{call}/recording")).content == recording_provider.content


@pytest.mark.parametrize(
    "facts",
    [
        {"record": False},
        {"status": MessageStatus.UNDELIVERED},
        {"status": MessageStatus.SENT},
        {"provider_id": "lost"},
        {"provider_id": None},
    ],
)
async def test_a_missing_recording_is_404(
    gym: Integrator, database: Database, facts: dict[str, Any]
) -> None:
    call = await make_call(database, gym, **facts)
    answer = await gym.get(f"/messages/{call}/recording")
    assert (answer.status_code, answer.json()["code"]) == (404, "RECORDING_NOT_FOUND")


async def test_a_mail_has_no_recording(gym: Integrator) -> None:
    mail = (await gym.post("/messages/email", EMAIL)).json()["messageId"]
    answer = await gym.get(f"/messages/{mail}/recording")
    assert (answer.status_code, answer.json()["code"]) == (404, "RECORDING_NOT_FOUND")


async def test_while_the_provider_is_away_it_is_503(
    gym: Integrator, database: Database, recording_provider: FakeRecordingProvider
) -> None:
    recording_provider.answer = Unanswered(reason="ConnectError")
    call = await make_call(database, gym)
    answer = await gym.get(f"/messages/{call}/recording")
    assert (answer.status_code, answer.json()["code"]) == (503, "TEMPORARILY_UNAVAILABLE")


async def test_reading_calls_is_no_send(
    gym: Integrator, client: httpx.AsyncClient, sending: FakeSending
) -> None:
    def counted() -> float:
        labels = {"channel": "VOICE", "outcome": "accepted"}
        return REGISTRY.get_sample_value("hexavox_sends_total", labels) or 0.0

    before = counted()
    await gym.get("/voice/tts-calls")
    assert counted() == before
    await gym.post("/messages/voice", VOICE)
    assert counted() == before + 1
