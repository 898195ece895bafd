"""Classification of Twilio's responses, and the exact requests."""

import logging
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import httpx
import pytest

from models.rules.registration.vocabulary import NumberType, RegistryStatus
from providers.ports.messages import Ambiguous, NotProcessed, Unanswered
from providers.ports.registration import NumberOffers, OperationStatus, Reason
from providers.twilio.client import (
    AmbiguousError,
    Form,
    NotProcessedError,
    RequestRejected,
    Twilio,
    TwilioError,
)
from tests.vendors import registry_fixtures
from tests.vendors.twilio_double import ACCOUNT, TOKEN

URL = "https://api.twilio.com/2010-04-01/Accounts/" + ACCOUNT
NEVER_TOO_LATE = datetime(2100, 1, 1, tzinfo=UTC)
Handler = Callable[[httpx.Request], httpx.Response]


class Wire(httpx.AsyncBaseTransport):
    """Responds as configured, once the request is written."""

    def __init__(self, answer: httpx.Response | Exception, *, wrote: bool = True) -> None:
        self.answer = answer
        self.wrote = wrote
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.wrote:
            await request.extensions["trace"]("http11.send_request_headers.started", {})
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def twilio(answer: httpx.Response | Exception, *, wrote: bool = True) -> tuple[Twilio, Wire]:
    wire = Wire(answer, wrote=wrote)
    return registry_fixtures.client(wire), wire


def error(status: int, code: int = 20001) -> httpx.Response:
    return httpx.Response(status, json={"code": code, "message": "no", "status": status})


async def stopped(answer: httpx.Response | Exception, *, wrote: bool = True) -> TwilioError:
    client, _ = twilio(answer, wrote=wrote)
    with pytest.raises(TwilioError) as caught:
        await client.create(client.api("Addresses"), {"Street": "1"}, not_after=NEVER_TOO_LATE)
    return caught.value


async def test_a_request_is_a_form_signed_with_account_and_token() -> None:
    client, wire = twilio(httpx.Response(201, json={"sid": "x"}))
    form: Form = {"Flag": True, "Off": False, "List": ["a, b", "c"], "Number": 5, "Text": "ä&="}
    await client.create(client.messaging("Services"), form, not_after=NEVER_TOO_LATE)
    [request] = wire.asked
    assert (request.method, str(request.url)) == (
        "POST",
        "https://messaging.twilio.com/v1/Services",
    )
    signed = b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert request.headers["Authorization"] == f"Basic {signed}"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.content.decode()) == {
        "Flag": ["true"],
        "Off": ["false"],
        "List": ["a, b", "c"],
        "Number": ["5"],
        "Text": ["ä&="],
    }


def test_each_api_has_its_own_address() -> None:
    client, _ = twilio(httpx.Response(200, json={}))
    assert client.api("SIP/Domains") == f"{URL}/SIP/Domains.json"
    assert client.trusthub("EndUsers") == "https://trusthub.twilio.com/v1/EndUsers"


async def test_a_purchase_asks_for_this_number_under_our_name() -> None:
    client, wire = twilio(httpx.Response(201, json={"sid": "PN" + "0" * 32}))
    await registry_fixtures.registry(client).submit(registry_fixtures.purchase(reference="hx-1"))
    [request] = wire.asked
    assert str(request.url) == f"{URL}/IncomingPhoneNumbers.json"
    assert parse_qs(request.content.decode()) == {
        "PhoneNumber": [registry_fixtures.NUMBER],
        "FriendlyName": ["hx-1"],
        "SmsUrl": [registry_fixtures.INBOUND_URL],
        "SmsMethod": ["POST"],
        "SmsFallbackUrl": [registry_fixtures.INBOUND_URL],
        "SmsFallbackMethod": ["POST"],
    }


async def test_a_search_names_area_and_abilities() -> None:
    client, wire = twilio(httpx.Response(200, json={"available_phone_numbers": []}))
    desk = registry_fixtures.registry(client)
    await desk.search_numbers(area_code="213", type=NumberType.LOCAL, limit=10)
    [request] = wire.asked
    assert request.url.path.endswith("/AvailablePhoneNumbers/US/Local.json")
    assert dict(request.url.params) == {
        "AreaCode": "213",
        "SmsEnabled": "true",
        "VoiceEnabled": "true",
        "PageSize": "10",
    }


@pytest.mark.parametrize(
    ("area_code", "country"),
    [
        (None, "US"),
        ("787", "PR"),
        ("939", "PR"),
        ("340", "VI"),
        ("671", "GU"),
        ("684", "AS"),
        ("670", "MP"),
        ("416", "US"),
        ("999", "US"),
    ],
)
async def test_a_search_in_a_territory_asks_for_it_as_a_country(
    area_code: str | None, country: str
) -> None:
    client, wire = twilio(httpx.Response(200, json={"available_phone_numbers": []}))
    desk = registry_fixtures.registry(client)
    await desk.search_numbers(area_code=area_code, type=NumberType.LOCAL, limit=10)
    [request] = wire.asked
    assert request.url.path.endswith(f"/AvailablePhoneNumbers/{country}/Local.json")


async def test_a_territory_in_which_twilio_sells_no_numbers_offers_none() -> None:
    client, _ = twilio(error(404, 20404))
    desk = registry_fixtures.registry(client)
    found = await desk.search_numbers(area_code="684", type=NumberType.LOCAL, limit=10)
    assert found == NumberOffers(numbers=())
    in_us = await desk.search_numbers(area_code="213", type=NumberType.LOCAL, limit=10)
    assert not isinstance(in_us, NumberOffers)


@pytest.mark.parametrize("status", [400, 404, 409, 422])
async def test_what_is_wrong_is_refused_with_twilios_code(status: int) -> None:
    refusal = await stopped(error(status, 21422))
    assert isinstance(refusal, RequestRejected)
    assert (refusal.status, refusal.code, refusal.message) == (status, "21422", "no")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"code": null}', b'{"code": "a b"}'])
async def test_a_refusal_that_says_nothing_is_known_by_its_status(body: bytes) -> None:
    refusal = await stopped(httpx.Response(400, content=body))
    assert isinstance(refusal, RequestRejected)
    assert refusal.code == "400"


@pytest.mark.parametrize("status", [401, 403])
async def test_an_error_of_our_account_rejects_nothing(status: int) -> None:
    answer = await stopped(error(status, 20003))
    assert isinstance(answer, NotProcessedError)
    assert answer.reason == f"{status} 20003"


async def test_429_is_retried_later() -> None:
    answer = await stopped(httpx.Response(429, headers={"Retry-After": "7"}))
    assert isinstance(answer, NotProcessedError)
    assert answer.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("status", [301, 408, 500, 502, 503, 504])
async def test_other_statuses_leave_it_open(status: int) -> None:
    assert isinstance(await stopped(httpx.Response(status)), AmbiguousError)


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"[" * 100_000])
async def test_a_success_that_cannot_be_read_leaves_it_open(body: bytes) -> None:
    assert isinstance(await stopped(httpx.Response(201, content=body)), AmbiguousError)


async def test_before_the_first_byte_nothing_happened_after_it_anything_may_have() -> None:
    assert isinstance(await stopped(httpx.ConnectError("no"), wrote=False), NotProcessedError)
    assert isinstance(await stopped(httpx.ReadTimeout("no")), AmbiguousError)


async def test_a_question_that_is_not_answered_changed_nothing() -> None:
    client, _ = twilio(httpx.ReadTimeout("no"))
    with pytest.raises(NotProcessedError):
        await client.find(client.messaging("Services/MG1"))


async def test_what_is_not_there_is_not_found_and_is_gone_already() -> None:
    client, _ = twilio(error(404, 20404))
    assert await client.find(client.messaging("Services/MG1")) is None
    await client.remove(client.messaging("Services/MG1"), not_after=NEVER_TOO_LATE)


async def test_the_next_page_is_requested_from_the_same_host() -> None:
    pages = [
        {
            "services": [{"sid": "1"}],
            "meta": {"next_page_url": "https://evil/x?Page=1&PageToken=t"},
        },
        {"services": [{"sid": "2"}], "meta": {"next_page_url": None}},
    ]
    asked: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json=pages[len(asked) - 1])

    client = registry_fixtures.client(httpx.MockTransport(answer))
    found = [
        item["sid"] async for item in client.list_items(client.messaging("Services"), "services")
    ]
    assert found == ["1", "2"]
    assert {url.host for url in asked} == {"messaging.twilio.com"}
    assert asked[1].params["PageToken"] == "t"


async def test_a_list_without_end_is_not_read_for_ever() -> None:
    page = {"services": [], "meta": {"next_page_url": "https://x/?Page=1"}}
    client = registry_fixtures.client(httpx.MockTransport(lambda _: httpx.Response(200, json=page)))
    with pytest.raises(NotProcessedError):
        async for _ in client.list_items(client.messaging("Services"), "services"):
            pass


@pytest.mark.parametrize("page", [{}, {"services": None}, {"services": {}}])
async def test_a_page_without_its_list_is_an_error(page: dict[str, object]) -> None:
    client, _ = twilio(httpx.Response(200, json=page))
    with pytest.raises(NotProcessedError):
        async for _ in client.list_items(client.messaging("Services"), "services"):
            pass


async def test_at_the_edge_every_stop_is_a_closed_answer() -> None:
    async def submit(answer: httpx.Response | Exception) -> object:
        client, _ = twilio(answer)
        return await registry_fixtures.registry(client).submit(registry_fixtures.brand())

    assert await submit(error(400, 70002)) == OperationStatus(
        status=RegistryStatus.REJECTED, reasons=(Reason(code="70002", field=None, message="no"),)
    )
    assert await submit(error(401, 20003)) == NotProcessed(reason="401 20003")
    assert await submit(httpx.Response(500)) == Ambiguous(reason="500")
    assert await submit(httpx.ReadTimeout("")) == Ambiguous(reason="ReadTimeout")
    client, _ = twilio(error(400))
    assert await registry_fixtures.registry(client).look_up(
        registry_fixtures.purchase()
    ) == Unanswered(reason="20001")


async def test_the_token_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        client, wire = twilio(error(401))
        await registry_fixtures.registry(client).submit(registry_fixtures.brand())
    shown = f"{caplog.text}{wire.asked[0]!r}{client!r}{vars(client)!r}"
    assert TOKEN not in shown.replace(repr(client._auth), "")
