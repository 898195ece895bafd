"""Sending SMS at Twilio: the exact request, and what each response means."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from models.enums import ErrorCode
from providers.ports.messages import Accepted, Ambiguous, NotProcessed, Refused
from providers.twilio.message_codes import (
    ACCOUNT_FAULTS,
    OVERLOADS,
    REFUSALS,
    SENDER_FAULTS,
)
from tests.vendors.sms_fixtures import CALLBACK, FROM, MESSAGES, NOW, TO, adapter, new_sid, sms
from tests.vendors.test_client import Wire, error

OK = httpx.Response(201, json={"sid": "SM" + "0a" * 16, "status": "queued"})


async def sent_form(**changes: Any) -> dict[str, list[str]]:
    wire = Wire(OK)
    assert await adapter(wire).send(sms(**changes)) == Accepted(
        provider_message_id="SM" + "0a" * 16
    )
    [request] = wire.asked
    assert (request.method, request.url.path) == ("POST", f"{MESSAGES}.json")
    return parse_qs(request.content.decode())


async def test_a_request_has_our_reference_in_its_callback_and_nothing_changes_its_text() -> None:
    assert await sent_form() == {
        "To": [TO],
        "From": [FROM],
        "Body": ["Your code is 123456 & ä €"],
        "StatusCallback": [CALLBACK],
        "SmartEncoded": ["false"],
        "ValidityPeriod": ["36000"],
    }


@pytest.mark.parametrize(
    ("left", "period"),
    [
        (timedelta(minutes=10), "600"),
        (timedelta(seconds=1), "1"),
        (timedelta(seconds=59.99), "59"),
        (timedelta(hours=10), "36000"),
        (timedelta(hours=10, seconds=1), "36000"),
        (timedelta(days=20), "36000"),
    ],
)
async def test_twilio_may_queue_a_message_until_it_expires(left: timedelta, period: str) -> None:
    assert (await sent_form(valid_until=NOW + left))["ValidityPeriod"] == [period]


@pytest.mark.parametrize("left", [timedelta(seconds=0.99), timedelta(0), timedelta(days=-1)])
async def test_an_expired_message_is_not_sent(left: timedelta) -> None:
    wire = Wire(OK)
    answer = await adapter(wire).send(sms(valid_until=NOW + left))
    assert answer == NotProcessed(reason="it has expired")
    assert wire.asked == []


@pytest.mark.parametrize(
    ("code", "error_code", "everywhere"),
    [
        (21211, ErrorCode.BAD_DESTINATION, True),
        (21217, ErrorCode.BAD_DESTINATION, True),
        (21265, ErrorCode.BAD_DESTINATION, True),
        (21266, ErrorCode.BAD_DESTINATION, False),
        (21408, ErrorCode.PROVIDER_REFUSED, False),
        (21610, ErrorCode.OPTED_OUT, True),
        (21612, ErrorCode.PROVIDER_REFUSED, False),
        (21614, ErrorCode.BAD_DESTINATION, True),
        (21617, ErrorCode.PROVIDER_REFUSED, False),
        (21635, ErrorCode.BAD_DESTINATION, True),
        (21608, ErrorCode.PROVIDER_REFUSED, False),  # a trial account, an unverified recipient
        (20001, ErrorCode.PROVIDER_REFUSED, False),
        (99999, ErrorCode.PROVIDER_REFUSED, False),
    ],
)
@pytest.mark.parametrize("status", [400, 404, 409, 422])
async def test_a_refusal_is_definite(
    status: int, code: int, error_code: ErrorCode, everywhere: bool
) -> None:
    answer = await adapter(Wire(error(status, code))).send(sms())
    assert answer == Refused(error_code=error_code, provider_code=str(code), everywhere=everywhere)


async def test_a_refusal_of_the_message_is_one_with_any_status() -> None:
    for status in (401, 403, 429):
        answer = await adapter(Wire(error(status, 21610))).send(sms())
        assert isinstance(answer, Refused)
        assert answer.error_code is ErrorCode.OPTED_OUT


FAULTS = [10001, 20003, 20005, 20006, 20008, 20403, 20404, 21609, 30002, 63038, 90010]
OF_SENDERS = [21212, 21601, 21606, 21659, 21660, 21661, 30032, 30034]


@pytest.mark.parametrize("code", FAULTS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
async def test_a_fault_of_the_account_fails_no_message(status: int, code: int) -> None:
    answer = await adapter(Wire(error(status, code))).send(sms())
    assert answer == NotProcessed(
        reason=f"{status} {code}", provider_code=str(code), account_fault=True
    )


@pytest.mark.parametrize("code", OF_SENDERS)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
async def test_a_fault_of_the_sender_is_not_the_accounts(status: int, code: int) -> None:
    answer = await adapter(Wire(error(status, code))).send(sms())
    assert answer == NotProcessed(
        reason=f"{status} {code}", provider_code=str(code), sender_fault=True
    )


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"code": "x"}', b'{"code": true}'])
async def test_without_access_it_is_the_accounts_fault(status: int, body: bytes) -> None:
    answer = await adapter(Wire(httpx.Response(status, content=body))).send(sms())
    assert answer == NotProcessed(reason=str(status), provider_code=str(status), account_fault=True)


async def test_an_unknown_code_without_access_is_the_accounts_fault() -> None:
    answer = await adapter(Wire(error(403, 29999))).send(sms())
    assert isinstance(answer, NotProcessed)
    assert (answer.account_fault, answer.provider_code) == (True, "29999")


@pytest.mark.parametrize("code", [14107, 20429, 21611, 30001, 30022, 63017])
@pytest.mark.parametrize("status", [400, 429])
async def test_an_overload_passes(status: int, code: int) -> None:
    answer = error(status, code)
    answer.headers["Retry-After"] = "7"
    assert await adapter(Wire(answer)).send(sms()) == NotProcessed(
        reason=f"{status} {code}", provider_code=str(code), retry_after=timedelta(seconds=7)
    )


@pytest.mark.parametrize(
    ("answer", "reason", "wait"),
    [
        (httpx.Response(429), "429 429", None),
        (httpx.Response(429, headers={"Retry-After": "3"}), "429 429", timedelta(seconds=3)),
        (error(429, 29999), "429 29999", None),
    ],
)
async def test_too_many_requests_pass(
    answer: httpx.Response, reason: str, wait: timedelta | None
) -> None:
    told = await adapter(Wire(answer)).send(sms())
    assert isinstance(told, NotProcessed)
    assert (told.reason, told.retry_after, told.account_fault) == (reason, wait, False)


def test_the_tables_hold_the_codes_above_and_no_code_twice() -> None:
    tables = [set(REFUSALS), set(ACCOUNT_FAULTS), set(SENDER_FAULTS), set(OVERLOADS)]
    assert sum(map(len, tables)) == len(set().union(*tables)) == 10 + 11 + 8 + 6
    assert set(FAULTS) == ACCOUNT_FAULTS
    assert set(OF_SENDERS) == SENDER_FAULTS


@pytest.mark.parametrize("status", [*range(500, 512), 100, 200, 202, 204, 301, 307, 405, 408, 425])
@pytest.mark.parametrize("code", [20003, 21211, 20429])
async def test_any_other_status_is_ambiguous_whatever_its_code(status: int, code: int) -> None:
    answer = await adapter(Wire(error(status, code))).send(sms())
    assert answer == Ambiguous(reason=str(status), provider_code=str(status))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"SM"',
        b"{}",
        b'{"sid": null}',
        b'{"sid": ""}',
        b'{"sid": "SM1"}',
        b'{"sid": 5}',
        json.dumps({"sid": "CA" + "0" * 32}).encode(),
        json.dumps({"sid": "SM" + "0" * 32 + "\n"}).encode(),
        json.dumps({"sid": "SM" + "٠" * 32}).encode(),
        b"[" * 100_000,
    ],
)
async def test_a_success_without_a_valid_id_is_ambiguous(body: bytes) -> None:
    answer = await adapter(Wire(httpx.Response(201, content=body))).send(sms())
    assert answer == Ambiguous(reason="no id", provider_code="201")


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"code": "21211"}', b'{"code": -1}', b'{"code": 1e9}']
)
@pytest.mark.parametrize("status", [400, 404, 409, 422])
async def test_an_error_without_twilios_code_is_ambiguous(status: int, body: bytes) -> None:
    answer = await adapter(Wire(httpx.Response(status, content=body))).send(sms())
    assert answer == Ambiguous(reason=str(status), provider_code=str(status))


async def test_an_id_of_a_message_with_media_is_an_id_too() -> None:
    sid = "MM" + new_sid()[2:]
    answer = await adapter(Wire(httpx.Response(201, json={"sid": sid}))).send(sms())
    assert answer == Accepted(provider_message_id=sid)


@pytest.mark.parametrize("failure", [httpx.ReadTimeout("x"), httpx.ReadError("x")])
async def test_a_failure_after_the_write_is_ambiguous_and_before_it_not_processed(
    failure: httpx.HTTPError,
) -> None:
    name = type(failure).__name__
    assert await adapter(Wire(failure)).send(sms()) == Ambiguous(reason=name)
    assert await adapter(Wire(failure, wrote=False)).send(sms()) == NotProcessed(reason=name)


async def test_after_the_deadline_nothing_is_written() -> None:
    wire = Wire(OK)
    answer = await adapter(wire).send(sms(not_after=datetime.now(UTC)))
    assert answer == NotProcessed(reason="DeadlinePassed")
    assert wire.asked == []


def test_what_the_adapter_can_do() -> None:
    twilio = adapter(Wire(OK))
    assert (twilio.name, twilio.account) == ("twilio", "twilio-us")
    assert twilio.absence_window >= timedelta(minutes=1)
