"""The simulator's adapter: classification of responses, and accepted webhooks."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from models.enums import Channel, ErrorCode, ReportStatus
from providers.ports.messages import (
    Accepted,
    Ambiguous,
    Answer,
    Found,
    LookUp,
    NotFound,
    NotProcessed,
    Refused,
    SmsRequest,
    Unanswered,
    VoiceRequest,
)
from providers.simulator.messages import Simulator
from tests.unit.providers.simulated_report import BODY, EVENT, LOOK_UP, REPORT, read_one, signed

NEVER_TOO_LATE = datetime(2100, 1, 1, tzinfo=UTC)
SMS = SmsRequest(
    to="+18135551234",
    sender="+15005550006",
    body="Hello",
    reference="hx-1-2-3",
    callback_url="http://us/webhooks/simulator/hx-1-2-3",
    not_after=NEVER_TOO_LATE,
)


def simulator(answer: httpx.Response, asked: list[httpx.Request] | None = None) -> Simulator:
    def handle(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        return answer

    return Simulator(
        httpx.AsyncClient(transport=httpx.MockTransport(handle)),
        "http://simulator/",
        timeout=timedelta(seconds=2),
        absence_window=timedelta(seconds=3),
    )


def refused(word: ErrorCode, code: int, *, everywhere: bool = False) -> Refused:
    return Refused(error_code=word, provider_code=str(code), everywhere=everywhere)


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (httpx.Response(202, json={"id": "m1"}), Accepted(provider_message_id="m1")),
        (
            httpx.Response(422, json={"code": 21211}),
            refused(ErrorCode.BAD_DESTINATION, 21211, everywhere=True),
        ),
        (
            httpx.Response(400, json={"code": 21610}),
            refused(ErrorCode.OPTED_OUT, 21610, everywhere=True),
        ),
        (httpx.Response(422, json={"code": 30036}), refused(ErrorCode.EXPIRED, 30036)),
        (httpx.Response(400, json={"code": 1}), refused(ErrorCode.PROVIDER_REFUSED, 1)),
        (httpx.Response(429), NotProcessed(reason="429", provider_code="429")),
        (
            httpx.Response(429, headers={"Retry-After": "7"}),
            NotProcessed(reason="429", provider_code="429", retry_after=timedelta(seconds=7)),
        ),
        (httpx.Response(503), NotProcessed(reason="503", provider_code="503")),
        (httpx.Response(500), Ambiguous(reason="500", provider_code="500")),
        (httpx.Response(502), Ambiguous(reason="502", provider_code="502")),
        (httpx.Response(504), Ambiguous(reason="504", provider_code="504")),
        (httpx.Response(202, text="not json"), Ambiguous(reason="202", provider_code="202")),
        (httpx.Response(202, json=["id"]), Ambiguous(reason="202", provider_code="202")),
        (httpx.Response(202, json={}), Ambiguous(reason="202", provider_code="202")),
        (httpx.Response(422, json={"code": None}), Ambiguous(reason="422", provider_code="422")),
        (
            httpx.Response(422, text='{"code": Infinity}'),
            Ambiguous(reason="422", provider_code="422"),
        ),
        (
            httpx.Response(302, headers={"Location": "/"}),
            Ambiguous(reason="302", provider_code="302"),
        ),
        (
            httpx.Response(401),
            NotProcessed(reason="401", provider_code="401", account_fault=True),
        ),
        (httpx.Response(421), NotProcessed(reason="421", provider_code="421")),
        (httpx.Response(403), Ambiguous(reason="403", provider_code="403")),
    ],
)
async def test_an_answer_means_what_the_table_says(
    response: httpx.Response, answer: Answer
) -> None:
    assert await simulator(response).send(SMS) == answer


@pytest.mark.parametrize("status", [200, 201, 204, 301, 403, 404, 408, 409, 410, 499, 500, 599])
async def test_no_unknown_answer_says_that_nothing_was_sent(status: int) -> None:
    answer = await simulator(httpx.Response(status, json={"code": 21211, "id": "m1"})).send(SMS)
    assert answer == Ambiguous(reason=str(status), provider_code=str(status))


async def test_a_request_carries_the_reference_and_the_deadline() -> None:
    asked: list[httpx.Request] = []
    await simulator(httpx.Response(202, json={"id": "m1"}), asked).send(SMS)
    assert json.loads(asked[0].content) == {
        "channel": Channel.SMS,
        "to": "+18135551234",
        "from": "+15005550006",
        "body": "Hello",
        "reference": "hx-1-2-3",
        "callbackUrl": "http://us/webhooks/simulator/hx-1-2-3",
        "notAfter": SMS.not_after.isoformat(),
    }


def test_a_request_shows_no_number_and_no_text() -> None:
    assert not any(private in repr(SMS) for private in ("+1813", "+1500", "Hello"))


@pytest.mark.parametrize(
    ("response", "truth"),
    [
        (httpx.Response(200, json={"items": []}), NotFound()),
        (
            httpx.Response(200, json={"items": [{"id": "m1", "events": []}]}),
            Found(provider_message_id="m1"),
        ),
        (
            httpx.Response(200, json={"items": [{"id": "m1", "events": [EVENT]}]}),
            Found(provider_message_id="m1", reports=(REPORT,)),
        ),
        (
            httpx.Response(
                200, json={"items": [{"id": "m1", "events": [EVENT | {"status": "queued"}]}]}
            ),
            Found(provider_message_id="m1"),
        ),
        (httpx.Response(500), Unanswered(reason="HTTPStatusError")),
        (httpx.Response(404, json={"items": []}), Unanswered(reason="HTTPStatusError")),
        (httpx.Response(200, text="not json"), Unanswered(reason="JSONDecodeError")),
        (httpx.Response(200, json={}), Unanswered(reason="KeyError")),
        (httpx.Response(200, json=[]), Unanswered(reason="TypeError")),
        (httpx.Response(200, json={"items": None}), Unanswered(reason="TypeError")),
        (httpx.Response(200, json={"items": {}}), Unanswered(reason="TypeError")),
        (httpx.Response(200, json={"items": [{}]}), Unanswered(reason="KeyError")),
        (
            httpx.Response(200, json={"items": [{"id": "m1", "events": [{"at": "?"}]}]}),
            Unanswered(reason="KeyError"),
        ),
    ],
)
async def test_a_look_up_finds_does_not_find_or_learns_nothing(
    response: httpx.Response, truth: LookUp
) -> None:
    assert await simulator(response).look_up(LOOK_UP) == truth


async def test_a_valid_signature_is_accepted() -> None:
    assert await read_one(signed(BODY), BODY) == REPORT


@pytest.mark.parametrize(
    ("change", "status", "error_code", "provider_code"),
    [
        ({"status": "sent"}, ReportStatus.SENT, None, None),
        (
            {"status": "undelivered", "errorCode": 30005},
            ReportStatus.UNDELIVERED,
            ErrorCode.UNREACHABLE,
            "30005",
        ),
        (
            {"status": "failed", "errorCode": 1},
            ReportStatus.FAILED,
            ErrorCode.DELIVERY_FAILED,
            "1",
        ),
    ],
)
async def test_a_report_is_converted_to_our_statuses(
    change: dict[str, Any],
    status: ReportStatus,
    error_code: ErrorCode | None,
    provider_code: str | None,
) -> None:
    body = json.dumps(EVENT | change).encode()
    told = await read_one(signed(body), body)
    assert told is not None
    assert (told.status, told.error_code, told.provider_code) == (status, error_code, provider_code)


UNREADABLE: list[dict[str, Any]] = [
    {"at": "2026-11-23T12:00:00"},
    {"at": "0001-01-01T00:00:00+23:59"},
    {"eventId": "e" * 129},
    {"eventId": ""},
    {"eventId": "a\0b"},
    {"bounceType": "a\0b"},
    {"errorCode": "a\0b"},
    {"recipient": "a" * 321},
    {"recipient": "a\0b"},
    {"durationSeconds": -1},
    {"durationSeconds": 2**31},
    {"durationSeconds": "7"},
]


@pytest.mark.parametrize("wrong", [*UNREADABLE, {"messageId": "m" * 129}, {"messageId": "a\0b"}])
async def test_a_report_that_cannot_be_stored_is_unreadable(wrong: dict[str, Any]) -> None:
    body = json.dumps(EVENT | wrong).encode()
    with pytest.raises(ValueError):
        await read_one(signed(body), body)


@pytest.mark.parametrize("wrong", UNREADABLE)
async def test_a_look_up_that_finds_one_learns_nothing(wrong: dict[str, Any]) -> None:
    found = {"items": [{"id": "m1", "events": [EVENT | wrong]}]}
    assert await simulator(httpx.Response(200, json=found)).look_up(LOOK_UP) == Unanswered(
        reason="ValueError"
    )


async def test_informational_fields_of_a_report_are_truncated() -> None:
    body = json.dumps(EVENT | {"bounceType": "b" * 99, "errorCode": "7" * 99}).encode()
    told = await read_one(signed(body), body)
    assert told is not None
    assert (len(told.phase), told.provider_code) == (32, "7" * 64)


async def test_an_id_that_cannot_be_stored_is_no_answer() -> None:
    answer = httpx.Response(202, json={"id": "m" * 129})
    assert await simulator(answer).send(SMS) == Ambiguous(reason="202", provider_code="202")


async def test_a_call_carries_its_language_and_voice() -> None:
    asked: list[httpx.Request] = []
    call = VoiceRequest(
        to=SMS.to,
        sender=SMS.sender,
        text="Hola",
        record=False,
        ring_seconds=30,
        longest_seconds=60,
        language="es-MX",
        voice="lupe",
        reference=SMS.reference,
        callback_url=SMS.callback_url,
        not_after=SMS.not_after,
    )
    await simulator(httpx.Response(202, json={"id": "m1"}), asked).send(call)
    document = json.loads(asked[0].content)
    assert (document["language"], document["voice"]) == ("es-MX", "lupe")


async def test_a_status_of_no_interest_is_nothing() -> None:
    body = json.dumps(EVENT | {"status": "read"}).encode()
    assert await read_one(signed(body), body) is None


@pytest.mark.parametrize(
    ("told", "channel"),
    [
        ({}, None),
        ({"channel": "SMS"}, Channel.SMS),
        ({"status": "bounced"}, Channel.EMAIL),
        ({"status": "complained", "channel": "EMAIL"}, Channel.EMAIL),
        ({"status": "busy"}, Channel.VOICE),
    ],
)
async def test_the_channel_of_a_report_is_a_field_or_implied_by_its_status(
    told: dict[str, Any], channel: Channel | None
) -> None:
    body = json.dumps(EVENT | told).encode()
    report = await read_one(signed(body), body)
    assert report is not None
    assert report.channel is channel


@pytest.mark.parametrize(
    "told",
    [
        {"status": "bounced", "channel": "SMS"},
        {"status": "ringing", "channel": "EMAIL"},
        {"channel": "FAX"},
        {"channel": []},
    ],
    ids=repr,
)
async def test_a_status_that_its_channel_does_not_have_cannot_be_read(told: dict[str, Any]) -> None:
    body = json.dumps(EVENT | told).encode()
    with pytest.raises((ValueError, TypeError)):
        await read_one(signed(body), body)


async def test_a_look_up_with_another_reference_is_unanswered() -> None:
    item = {"id": "m1", "reference": "hx-1-2-4", "events": [EVENT]}
    truth = await simulator(httpx.Response(200, json={"items": [item]})).look_up(LOOK_UP)
    assert isinstance(truth, Unanswered)
