"""Usage reports: exact, FINAL or with the reason why not, and scoped to the caller."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.services.billing.usage_reports import Reports
from models.enums import Channel, UnpricedReason
from models.session import Database
from tests.api.container import put_in, restored
from tests.api.doubles import Clock
from tests.api.integrator import Integrator, make_merchant
from tests.factories import Owner
from tests.reports.usage_fixtures import Use, book, born, close, try_message

MerchantKey = Callable[[int, int], Awaitable[Integrator]]

D14, D15, D16 = (date(2026, 4, day) for day in (14, 15, 16))
NOW = datetime(2026, 4, 16, 9, tzinfo=UTC)
APRIL = {"from": "2026-04-01", "to": "2026-04-15"}
MAIL = partial(Use, channel=Channel.EMAIL, provider="ses", country="")


@pytest.fixture
async def reader(app: FastAPI, client: httpx.AsyncClient, database: Database, owner: Owner) -> Any:
    """A tenant whose first day is the 14th (it was created on the 15th), reading on the 16th."""
    await born(database, owner, datetime(2026, 4, 15, 8, tzinfo=UTC))
    with restored(app):
        put_in(app, "billing", reports=Reports(database, Clock(NOW)))
        yield Integrator(client, owner.tenant_id, owner.tenant_public_id, 0, owner.headers)


async def test_without_credentials_both_are_401(client: httpx.AsyncClient) -> None:
    for path in ("usage", "usage.csv"):
        answer = await client.get(f"/api/v1/reports/{path}", params=APRIL)
        assert (answer.status_code, answer.json()["code"]) == (401, "INVALID_CREDENTIALS")


async def test_a_report_is_answered_as_the_guide_writes_it(
    reader: Integrator, database: Database, owner: Owner
) -> None:
    text = Use(
        day=D14, cost=Decimal("0.0079"), carrier_fee=Decimal("0.003"), markup=Decimal("0.005")
    )
    for _ in range(3):
        await book(database, owner, text)
    await book(database, owner, Use(day=D14, channel=Channel.VOICE, cost=Decimal("0.2")))
    await book(database, owner, MAIL(day=D15, cost=Decimal("0.1"), tenants_own=True))
    await try_message(database, owner, datetime(2026, 4, 15, 12, tzinfo=UTC))
    answer = await reader.get("/reports/usage", **APRIL)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == (
        '{"from":"2026-04-01","to":"2026-04-15","totalSmsCount":3,"totalEmailCount":1,'
        '"awsCost":0.10,"hqMarkup":0.02,"finalCharges":0.35,"freshnessState":"PROVISIONAL",'
        '"freshnessReason":"Provider finalization still pending for one or more messages."}'
    )


async def test_an_empty_past_is_final_and_an_unfinished_day_is_not(reader: Integrator) -> None:
    past = await reader.get("/reports/usage", **{"from": "2025-04-14", "to": "2026-04-13"})
    assert past.json() == {
        "from": "2025-04-14",
        "to": "2026-04-13",
        "totalSmsCount": 0,
        "totalEmailCount": 0,
        "awsCost": 0.0,
        "hqMarkup": 0.0,
        "finalCharges": 0.0,
        "freshnessState": "FINAL",
        "freshnessReason": None,
    }
    assert '"awsCost":0.00,"hqMarkup":0.00,"finalCharges":0.00' in past.text


@pytest.mark.parametrize(
    ("first", "last", "why"),
    [
        (
            "2026-04-01",
            "2026-04-16",
            "The last day of the range, 2026-04-16, is not over yet (UTC).",
        ),
        (
            "2027-01-01",
            "2027-01-31",
            "The last day of the range, 2027-01-31, is not over yet (UTC).",
        ),
        ("2026-04-01", "2026-04-14", "2026-04-14 is over, but not closed yet."),
        ("2026-04-01", "2026-04-15", "2026-04-14 and later days are over, but not all closed yet."),
    ],
)
async def test_a_day_that_is_not_closed_is_named(
    reader: Integrator, first: str, last: str, why: str
) -> None:
    report = (await reader.get("/reports/usage", **{"from": first, "to": last})).json()
    assert (report["freshnessState"], report["freshnessReason"]) == ("PROVISIONAL", why)


async def test_every_price_that_is_missing_is_named(
    reader: Integrator, database: Database, owner: Owner
) -> None:
    unrated = UnpricedReason.RATE_MISSING
    for country in ("DE", "US", "US", "FR"):
        await book(database, owner, Use(day=D14, provider="twilio", country=country, gap=unrated))
    await book(database, owner, MAIL(day=D15, gap=unrated))
    await book(database, owner, Use(day=D15, provider="twilio", gap=UnpricedReason.VENDOR_PRICE))
    assert await close(database, owner, NOW) == (0, 2)
    report = (await reader.get("/reports/usage", **APRIL)).json()
    assert report["freshnessReason"] == (
        "No rate covers EMAIL by ses, SMS by twilio to DE, SMS by twilio to FR and 1 more."
        " Prices are still awaited from twilio."
    )


async def test_a_final_report_says_so_and_stays_as_it_is(
    reader: Integrator, database: Database, owner: Owner
) -> None:
    await book(database, owner, Use(day=D14, cost=Decimal("1.5")))
    await close(database, owner, NOW)
    before = await reader.get("/reports/usage", **APRIL)
    assert before.json()["freshnessState"] == "FINAL"
    assert before.text.endswith('"freshnessReason":null}')
    await book(database, owner, Use(day=D16, cost=Decimal("1.5")))
    assert (await reader.get("/reports/usage", **APRIL)).content == before.content


@pytest.mark.parametrize("path", ["/reports/usage", "/reports/usage.csv"])
@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-04-16", "2026-04-15"),
        ("2026-02-29", "2026-03-01"),
        ("2026-4-1", "2026-04-15"),
        ("2026-04-01T00:00:00Z", "2026-04-15"),
        ("", "2026-04-15"),
        ("0000-01-01", "2026-04-15"),
        ("yesterday", "today"),
        ("２０２６-04-01", "2026-04-15"),
        ("2025-04-15", "2026-04-16"),
    ],
)
async def test_an_invalid_range_is_400(
    reader: Integrator, path: str, first: str, last: str
) -> None:
    answer = await reader.get(path, **{"from": first, "to": last})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_DATE_RANGE")


@pytest.mark.parametrize("path", ["/reports/usage", "/reports/usage.csv"])
@pytest.mark.parametrize(
    "query", [{}, {"from": "2026-04-01"}, {**APRIL, "channel": "SMS"}, {**APRIL, "merchantId": "!"}]
)
async def test_missing_or_unknown_parameters_are_400(
    reader: Integrator, path: str, query: dict[str, str]
) -> None:
    answer = await reader.get(path, **query)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")


@pytest.mark.parametrize(
    ("first", "last"),
    [("2025-04-16", "2026-04-16"), ("9999-12-31", "9999-12-31"), ("0001-01-01", "0001-12-31")],
)
async def test_a_leap_year_and_the_ends_of_time_are_ranges(
    reader: Integrator, first: str, last: str
) -> None:
    for path in ("/reports/usage", "/reports/usage.csv"):
        assert (await reader.get(path, **{"from": first, "to": last})).status_code == 200


async def test_one_merchant_is_reported_alone(
    reader: Integrator, database: Database, owner: Owner, merchant_key: MerchantKey
) -> None:
    other = await make_merchant(database, owner.tenant_id, "other")
    await book(database, owner, Use(day=D14, cost=Decimal("1.25")))
    await book(database, owner, Use(day=D14, gap=UnpricedReason.RATE_MISSING, tenants_own=True))
    mine = await reader.get("/reports/usage", **APRIL, merchantId=owner.merchant)
    assert mine.text.endswith(f'not all closed yet.","merchantId":"{owner.merchant}"}}')
    assert (mine.json()["totalSmsCount"], mine.json()["finalCharges"]) == (1, 1.25)
    theirs = await reader.get("/reports/usage", **APRIL, merchantId="other")
    assert (theirs.json()["totalSmsCount"], theirs.json()["merchantId"]) == (0, "other")
    key = await merchant_key(owner.tenant_id, owner.merchant_id)
    assert (await key.get("/reports/usage", **APRIL)).json() == {
        name: value for name, value in mine.json().items() if name != "merchantId"
    }
    assert (await key.get("/reports/usage", **APRIL, merchantId=owner.merchant)).text == mine.text
    stranger = await merchant_key(owner.tenant_id, other)
    for path in ("/reports/usage", "/reports/usage.csv"):
        refused = await stranger.get(path, **APRIL, merchantId=owner.merchant)
        assert (refused.status_code, refused.json()["code"]) == (404, "MERCHANT_NOT_FOUND")
    assert owner.merchant not in (await stranger.get("/reports/usage.csv", **APRIL)).text


async def test_another_tenant_sees_nothing_of_it(
    stranger: Integrator, database: Database, owner: Owner
) -> None:
    await book(database, owner, Use(day=D14, cost=Decimal("1.25")))
    report = (await stranger.get("/reports/usage", **APRIL)).json()
    assert (report["totalSmsCount"], report["finalCharges"]) == (0, 0)
    assert len((await stranger.get("/reports/usage.csv", **APRIL)).text.splitlines()) == 1
    refused = await stranger.get("/reports/usage", **APRIL, merchantId=owner.merchant)
    assert refused.status_code == 404


async def test_the_csv_has_a_line_for_each_day_merchant_and_channel(
    reader: Integrator, database: Database, owner: Owner
) -> None:
    await book(
        database,
        owner,
        Use(
            day=D14,
            units=2,
            cost=Decimal("0.0079"),
            carrier_fee=Decimal("0.0071"),
            markup=Decimal("0.005"),
        ),
    )
    await book(database, owner, MAIL(day=D14, cost=Decimal("0.0001"), tenants_own=True))
    await close(database, owner, NOW)
    await book(database, owner, MAIL(day=D16, cost=Decimal("1.005"), markup=Decimal("1.015")))
    answer = await reader.get("/reports/usage.csv", **{"from": "2026-04-14", "to": "2026-04-16"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == (
        'attachment; filename="usage_2026-04-14_2026-04-16.csv"'
    )
    assert answer.text.split("\r\n") == [
        "day,merchantId,channel,messages,units,awsCost,providerCost,carrierFees,markup,charge,state",
        "2026-04-14,,EMAIL,1,1,0.00,0.00,0.00,0.00,0.00,FINAL",
        f"2026-04-14,{owner.merchant},SMS,1,2,0.00,0.02,0.01,0.00,0.02,FINAL",
        f"2026-04-16,{owner.merchant},EMAIL,1,1,1.00,0.00,0.00,1.02,2.02,PROVISIONAL",
        "",
    ]


async def test_amounts_never_pass_through_binary_fractions(
    reader: Integrator, database: Database, owner: Owner
) -> None:
    for day, cost in ((D14, "0.1"), (D15, "0.2"), (D16, "99999999999.93")):
        await book(database, owner, Use(day=day, cost=Decimal(cost)))
    answer = await reader.get("/reports/usage", **{"from": "2026-04-14", "to": "2026-04-16"})
    report = json.loads(answer.text, parse_float=Decimal)
    assert report["finalCharges"] == Decimal("100000000000.23")
    assert '"finalCharges":100000000000.23,' in answer.text
