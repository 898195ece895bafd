"""Looking up SMS at Twilio: by id, or by recipient, sender, text and time in its list."""

import time
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from models.enums import Channel, ErrorCode, ReportStatus
from providers.ports.messages import Found, Listed, LookUp, LookUpRequest, Report, Unanswered
from providers.twilio.messages import CLOCK_SKEW
from tests.vendors.sms_fixtures import (
    FROM,
    MESSAGES,
    NOW,
    REFERENCE,
    TO,
    adapter,
    asked,
    listed,
    new_sid,
    stamp,
)

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


class Pages(httpx.AsyncBaseTransport):
    """Responds with one page after the other."""

    def __init__(self, *pages: Any) -> None:
        self.pages = list(pages)
        self.asked: list[httpx.URL] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        number = len(self.asked)
        self.asked.append(request.url)
        page = self.pages[number]
        if isinstance(page, httpx.Response):
            return page
        following = None
        if number + 1 < len(self.pages):
            following = f"{MESSAGES}.json?To=x&PageSize=500&Page={number + 1}&PageToken=PA{number}"
        return httpx.Response(200, json={"messages": page, "next_page_uri": following})


async def look_up(*pages: Any, **changes: Any) -> LookUp:
    return await adapter(Pages(*pages)).look_up(asked(**changes))


def ids(answer: LookUp) -> Sequence[str]:
    assert isinstance(answer, Listed)
    return [found.provider_message_id for found in answer.candidates]


async def test_the_list_is_asked_by_recipient_and_sender_and_never_by_time() -> None:
    pages = Pages([])
    assert await adapter(pages).look_up(asked()) == Listed()
    [url] = pages.asked
    assert url.path == f"{MESSAGES}.json"
    assert dict(url.params) == {"To": TO, "From": FROM, "PageSize": "500"}


async def test_all_messages_that_fit_are_candidates_oldest_first() -> None:
    # Twilio's list is newest first; by date of sending the order may be another one.
    shown = [listed(created=NOW + n * SECOND) for n in (2, 1, 1, 3, 0)]
    expected = [shown[n]["sid"] for n in (4, 2, 1, 0, 3)]
    assert ids(await look_up(shown)) == expected
    assert ids(await look_up(shown[:2], shown[2:])) == expected


@pytest.mark.parametrize(
    "other",
    [
        {"body": "Your code is 123456 & ä € "},
        {"body": " Your code is 123456 & ä €"},
        {"body": "your code is 123456 & ä €"},
        {"body": "Your code is 123456 & a €"},
        {"body": "Your code is 123456 & a\N{COMBINING DIAERESIS} €"},
        {"body": "Your code is 123457 & ä €"},
        {"body": ""},
        {"body": None},
        {"direction": "inbound"},
        {"direction": "outbound-reply"},
        {"direction": "outbound-call"},
        {"created": NOW - CLOCK_SKEW - SECOND},
        {"created": NOW + 10 * SECOND + CLOCK_SKEW + SECOND},
        {"created": NOW - DAY},
    ],
    ids=repr,
)
async def test_a_message_of_another_text_direction_or_time_is_none(other: dict[str, Any]) -> None:
    own = listed()
    assert ids(await look_up([listed(**other), own])) == [own["sid"]]


@pytest.mark.parametrize(
    "created", [NOW - CLOCK_SKEW, NOW, NOW + 10 * SECOND, NOW + 10 * SECOND + CLOCK_SKEW]
)
async def test_a_message_that_was_created_within_the_window_is_one(created: Any) -> None:
    own = listed(created=created)
    assert ids(await look_up([own])) == [own["sid"]]


async def test_a_message_that_waited_in_twilios_queue_is_one() -> None:
    own = listed(sent=NOW + 5 * 3600 * SECOND)
    assert ids(await look_up([own])) == [own["sid"]]


async def test_pages_are_read_until_all_that_follow_are_older() -> None:
    past = listed(created=NOW - DAY, sent=NOW - DAY)
    own = listed()
    pages = Pages([listed()], [own, past], [past])
    answer = await adapter(pages).look_up(asked())
    assert len(ids(answer)) == 2
    assert len(pages.asked) == 2
    assert pages.asked[1].params["PageToken"] == "PA0"


@pytest.mark.parametrize(
    "last",
    [
        listed(created=NOW - DAY),  # not sent yet: where it is in the list is not documented
        listed(created=NOW - DAY, sent=NOW + SECOND),  # sent after the message that is looked for
    ],
)
async def test_an_older_message_that_was_sent_later_ends_no_list(last: Any) -> None:
    own = listed()
    assert ids(await look_up([last], [own])) == [own["sid"]]


async def test_a_list_that_is_too_long_is_not_answered() -> None:
    pages = Pages(*[[listed()] for _ in range(12)])
    assert await adapter(pages).look_up(asked()) == Unanswered(reason="a list without end")
    assert len(pages.asked) == 10


async def test_a_candidate_has_its_report() -> None:
    own = listed(sent=NOW + SECOND, status="delivered", price="-0.00830", price_unit="USD")
    assert await look_up([own]) == Listed(
        candidates=(
            Found(
                provider_message_id=own["sid"],
                reports=(
                    Report(
                        event_id=f"{own['sid']}:delivered",
                        reference=REFERENCE,
                        provider_message_id=own["sid"],
                        status=ReportStatus.DELIVERED,
                        phase="delivered",
                        reported_at=NOW + SECOND,
                        channel=Channel.SMS,
                        recipient=TO,
                        price=Decimal("0.00830"),
                        price_settled=True,
                    ),
                ),
            ),
        )
    )


@pytest.mark.parametrize("status", ["accepted", "scheduled", "queued", "sending", "new-in-2027"])
async def test_a_message_under_way_is_found_without_a_report(status: str) -> None:
    own = listed(status=status)
    expected = Found(provider_message_id=own["sid"])
    assert await look_up([own]) == Listed(candidates=(expected,))
    assert await by_id(own) == expected


async def by_id(shown: Any) -> LookUp:
    sid = shown["sid"] if isinstance(shown, dict) and "sid" in shown else new_sid()
    answer = shown if isinstance(shown, httpx.Response) else httpx.Response(200, json=shown)
    pages = Pages(answer)
    found = await adapter(pages).look_up(asked(provider_message_id=sid))
    assert [url.path for url in pages.asked] == [f"{MESSAGES}/{sid}.json"]
    return found


@pytest.mark.parametrize(
    ("status", "code", "ours", "error_code"),
    [
        ("sent", None, ReportStatus.SENT, None),
        ("delivered", None, ReportStatus.DELIVERED, None),
        ("undelivered", 30003, ReportStatus.UNDELIVERED, ErrorCode.UNREACHABLE),
        ("failed", 30036, ReportStatus.FAILED, ErrorCode.EXPIRED),
        ("failed", None, ReportStatus.FAILED, ErrorCode.DELIVERY_FAILED),
    ],
)
async def test_a_known_message_is_asked_for_by_its_id_whatever_it_says(
    status: str, code: int | None, ours: ReportStatus, error_code: ErrorCode | None
) -> None:
    # Not compared with the text or the time: the id is the proof.
    shown = listed(status=status, error_code=code, created=NOW - DAY, body="redacted")
    found = await by_id(shown)
    assert isinstance(found, Found)
    [report] = found.reports
    assert (report.status, report.error_code) == (ours, error_code)
    assert report.provider_code == (None if code is None else str(code))


@pytest.mark.parametrize(
    ("price", "unit", "expected", "settled"),
    [
        ("-0.00750", "USD", Decimal("0.00750"), True),
        ("-0.00750", "usd", Decimal("0.00750"), True),
        ("0.00750", "USD", Decimal("0.00750"), True),
        ("0", "USD", Decimal(0), True),
        (None, "USD", None, False),
        (None, None, None, False),
        ("-0.05", "EUR", None, True),
        (None, "EUR", None, True),
        ("-0.05", None, None, True),
    ],
)
async def test_a_price_is_read_in_dollars_only_and_another_is_not_awaited(
    price: str | None, unit: str | None, expected: Decimal | None, settled: bool
) -> None:
    found = await by_id(listed(status="sent", price=price, price_unit=unit))
    assert isinstance(found, Found)
    assert (found.reports[0].price, found.reports[0].price_settled) == (expected, settled)


@pytest.mark.parametrize(
    ("price", "unit", "settled"),
    [
        ("-0.05", "EUR", True),
        (None, "eur", True),
        (None, "USD", False),
        ("-0.05", "usd", True),
        (None, None, False),
    ],
)
async def test_no_price_is_awaited_once_it_is_known_or_in_another_currency(
    price: str | None, unit: str | None, settled: bool
) -> None:
    found = await by_id(listed(status="sent", price=price, price_unit=unit))
    assert isinstance(found, Found)
    assert found.reports[0].price_settled is settled


async def test_a_price_that_comes_later_comes_with_the_same_event() -> None:
    shown = listed(status="delivered")
    before = await by_id(shown)
    after = await by_id({**shown, "price": "-0.0083"})
    assert isinstance(before, Found)
    assert isinstance(after, Found)
    assert before.reports[0].event_id == after.reports[0].event_id
    assert (before.reports[0].price, after.reports[0].price) == (None, Decimal("0.0083"))


UNREADABLE: list[Any] = [
    {"sid": None},
    {"sid": "CA" + "0" * 32},
    {"status": None},
    {"status": 5},
    {"date_updated": None},
    {"date_updated": "soon"},
    {"date_updated": "Fri, 27 Nov 2026 12:00:00 -0000"},
    {"price": "free"},
    {"price": 5, "price_unit": None},
    {"price": "NaN"},
    {"price": "1e9"},
    {"price": -0.5},
    {"price": "9" * 30},
]


@pytest.mark.parametrize("wrong", UNREADABLE, ids=repr)
async def test_a_message_that_cannot_be_read_is_no_answer(wrong: dict[str, Any]) -> None:
    shown = {**listed(status="sent"), **wrong}
    assert isinstance(await look_up([listed(), shown]), Unanswered)
    pages = Pages(httpx.Response(200, json=shown))
    assert isinstance(
        await adapter(pages).look_up(asked(provider_message_id=new_sid())), Unanswered
    )


@pytest.mark.parametrize("missing", ["sid", "body", "direction", "date_created", "status", "price"])
async def test_a_message_without_a_needed_field_makes_a_page_unreadable(missing: str) -> None:
    shown = listed(status="sent")
    del shown[missing]
    assert isinstance(await look_up([shown]), Unanswered)


@pytest.mark.parametrize(
    "page",
    [
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, content=b"[" * 100_000),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={}),
        httpx.Response(200, json={"messages": None}),
        httpx.Response(200, json={"messages": [None]}),
        httpx.Response(200, json={"messages": ["SM"]}),
        httpx.Response(200, json={"messages": [[]]}),
        httpx.Response(401, json={"code": 20003, "message": "no", "status": 401}),
        httpx.Response(404, json={"code": 20404, "message": "no", "status": 404}),
        httpx.Response(429),
        httpx.Response(500),
        httpx.Response(503, content=b"later"),
    ],
    ids=repr,
)
async def test_a_page_that_cannot_be_read_is_no_answer(page: httpx.Response) -> None:
    assert isinstance(await look_up(page), Unanswered)
    assert isinstance(await look_up([listed()], page), Unanswered)


@pytest.mark.parametrize("answer", [httpx.Response(404), httpx.Response(500), httpx.Response(401)])
async def test_a_message_that_was_deleted_proves_no_absence(answer: httpx.Response) -> None:
    assert isinstance(await by_id(answer), Unanswered)


@pytest.mark.parametrize("sid", ["", "SM1", "../Calls", "SM" + "0" * 32 + "/Media"])
async def test_no_other_address_is_asked_than_that_of_a_message(sid: str) -> None:
    pages = Pages()
    answer = await adapter(pages).look_up(asked(provider_message_id=sid))
    assert isinstance(answer, Unanswered)
    assert pages.asked == []


async def test_full_pages_do_not_block_the_event_loop() -> None:
    same = [listed(created=NOW - DAY, sent=NOW - DAY) for _ in range(499)]
    pages = Pages([*same, listed()], [*same, listed()], [listed()])
    began = time.process_time()
    answer = await adapter(pages).look_up(asked())
    assert len(ids(answer)) == 3
    # Two pages of 500 take about 30 ms with their encoding here; a page is one callback.
    assert time.process_time() - began < 1


def test_a_look_up_shows_no_contact_and_no_text() -> None:
    request: LookUpRequest = asked()
    shown = repr((request, listed_found()))
    for secret in (TO, FROM, "123456"):
        assert secret not in shown


def listed_found() -> Listed:
    report = Report(
        event_id="e",
        reference=REFERENCE,
        provider_message_id="m",
        status=ReportStatus.SENT,
        reported_at=NOW,
        recipient=TO,
    )
    return Listed(candidates=(Found(provider_message_id="m", reports=(report,)),))


def test_the_stamp_is_that_of_twilio() -> None:
    assert stamp(NOW) == "Fri, 27 Nov 2026 12:00:00 +0000"
