"""Daily usage of a merchant: per day and channel, with late outcomes on the day they came."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.services.billing.usage_reports import Reports
from models.enums import AttemptState, Channel, ErrorCode, ReportStatus
from models.queries.messages import settlement, settlement_facts
from models.rules.messages.settlement import end_refused, end_sent
from models.session import Database
from tests.api.container import put_in, restored
from tests.api.doubles import Clock
from tests.api.integrator import Integrator, make_merchant
from tests.factories import Owner
from tests.reports.usage_fixtures import (
    Use,
    book,
    born,
    close,
    correct,
    delivered,
    give_up,
    settle,
    try_message,
)

MerchantKey = Callable[[int, int], Awaitable[Integrator]]

D14, D15, D16 = (date(2026, 4, day) for day in (14, 15, 16))
NOW = datetime(2026, 4, 16, 9, tzinfo=UTC)
NOON_OF_THE_14TH = datetime(2026, 4, 14, 12, tzinfo=UTC)
MAIL = partial(Use, channel=Channel.EMAIL, provider="ses", country="")


@pytest.fixture
async def reader(
    app: FastAPI, client: httpx.AsyncClient, database: Database, owner: Owner
) -> AsyncIterator[Integrator]:
    """A tenant whose first day is the 14th (it was created on the 15th), reading on the 16th."""
    await born(database, owner, datetime(2026, 4, 15, 8, tzinfo=UTC))
    with restored(app):
        put_in(app, "billing", reports=Reports(database, Clock(NOW)))
        yield Integrator(client, owner.tenant_id, owner.tenant_public_id, 0, owner.headers)


async def read(reader: Integrator, owner: Owner, **days: str) -> httpx.Response:
    return await reader.get(f"/merchants/{owner.merchant}/usage/daily", **days)


async def outcomes(reader: Integrator, owner: Owner) -> dict[str, tuple[int, int, int]]:
    """Return messages, delivered and failed by day."""
    answer = await read(reader, owner)
    assert answer.status_code == 200
    lines = answer.json()
    return {one["day"]: (one["messages"], one["delivered"], one["failed"]) for one in lines}


async def end(database: Database, owner: Owner, message_id: int, *, sent: bool) -> None:
    """End a message as SENT at an account without reports, or as one that no provider took."""
    async with database.transaction() as db:
        message = await settlement_facts.lock_for_settlement(
            db, tenant_id=owner.tenant_id, message_id=message_id
        )
        assert message is not None
        found = end_sent(message.facts, {"simulator"})
        if not sent:
            found = end_refused(message.facts, ErrorCode.PROVIDER_REFUSED)
        assert found is not None
        await settlement.end_message(db, message, found, NOON_OF_THE_14TH)


async def test_a_line_for_each_day_and_channel_the_oldest_first(
    reader: Integrator, database: Database, owner: Owner
) -> None:
    text = Use(day=D15, units=2, cost=Decimal("0.0079"), markup=Decimal("0.005"))
    for _ in range(3):
        await book(database, owner, text)
    await book(database, owner, MAIL(day=D15, cost=Decimal("0.1")))
    await book(database, owner, MAIL(day=D15, cost=Decimal("5"), tenants_own=True))
    await book(database, owner, Use(day=D14, channel=Channel.VOICE, cost=Decimal("0.2")))
    assert await close(database, owner, NOW) == (2, 0)
    await book(database, owner, Use(day=D16, cost=Decimal("7")))
    answer = await read(reader, owner)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.text == (
        '[{"day":"2026-04-14","channel":"VOICE","messages":1,"units":1,"delivered":1,"failed":0,'
        '"charge":0.20,"state":"FINAL"},'
        '{"day":"2026-04-15","channel":"EMAIL","messages":1,"units":1,"delivered":1,"failed":0,'
        '"charge":0.10,"state":"FINAL"},'
        '{"day":"2026-04-15","channel":"SMS","messages":3,"units":6,"delivered":3,"failed":0,'
        '"charge":0.04,"state":"FINAL"},'
        '{"day":"2026-04-16","channel":"SMS","messages":1,"units":1,"delivered":1,"failed":0,'
        '"charge":7.00,"state":"PROVISIONAL"}]'
    )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (ReportStatus.DELIVERED, (1, 1, 0)),
        (ReportStatus.UNDELIVERED, (1, 0, 1)),
        (ReportStatus.FAILED, (1, 0, 1)),
    ],
)
async def test_an_outcome_counts_on_the_day_of_the_attempt(
    reader: Integrator,
    database: Database,
    owner: Owner,
    status: ReportStatus,
    expected: tuple[int, int, int],
) -> None:
    message = await try_message(database, owner, NOON_OF_THE_14TH)
    assert await outcomes(reader, owner) == {}
    await delivered(database, owner, message, NOW, status)
    async with database.transaction() as db:
        await settle(db, owner, message, NOW)
    assert await outcomes(reader, owner) == {"2026-04-14": expected}


@pytest.mark.parametrize("state", [AttemptState.ACCEPTED, AttemptState.AMBIGUOUS])
@pytest.mark.parametrize("status", [ReportStatus.DELIVERED, ReportStatus.UNDELIVERED])
async def test_an_unknown_outcome_is_in_neither_until_it_is_known_and_then_on_that_day(
    reader: Integrator,
    database: Database,
    owner: Owner,
    state: AttemptState,
    status: ReportStatus,
) -> None:
    message = await try_message(database, owner, NOON_OF_THE_14TH, state)
    async with database.transaction() as db:
        await give_up(db, owner, message, NOON_OF_THE_14TH)
    taken = int(state is AttemptState.ACCEPTED)
    before = {"2026-04-14": (1, 0, 0)} if taken else {}
    assert await outcomes(reader, owner) == before
    await close(database, owner, NOW)
    await delivered(database, owner, message, NOW, status)
    await book(database, owner, Use(day=D16))
    for _ in range(2):  # posted once
        async with database.transaction() as db:
            await correct(db, owner, message, NOW)
        good = int(status is ReportStatus.DELIVERED)
        assert await outcomes(reader, owner) == {
            **before,
            "2026-04-16": (2 - taken, 1 + good, 1 - good),
        }


async def test_a_bounce_after_the_last_status_sent_is_a_failure_of_the_day_it_came(
    reader: Integrator, database: Database, owner: Owner
) -> None:
    message = await try_message(database, owner, NOON_OF_THE_14TH)
    await end(database, owner, message, sent=True)
    assert await outcomes(reader, owner) == {"2026-04-14": (1, 0, 0)}
    await close(database, owner, NOW)
    await delivered(database, owner, message, NOW, ReportStatus.UNDELIVERED)
    async with database.transaction() as db:
        await correct(db, owner, message, NOW)
    assert await outcomes(reader, owner) == {
        "2026-04-14": (1, 0, 0),
        "2026-04-16": (0, 0, 1),
    }


async def test_a_line_of_outcomes_only_is_not_in_the_csv(
    reader: Integrator, database: Database, owner: Owner
) -> None:
    message = await try_message(database, owner, NOON_OF_THE_14TH)
    async with database.transaction() as db:
        await give_up(db, owner, message, NOON_OF_THE_14TH)
    await delivered(database, owner, message, NOW)
    async with database.transaction() as db:
        await correct(db, owner, message, NOW)
    assert [*await outcomes(reader, owner)] == ["2026-04-14", "2026-04-16"]
    written = await reader.get("/reports/usage.csv", **{"from": "2026-04-14", "to": "2026-04-16"})
    assert [line[:10] for line in written.text.splitlines()[1:]] == ["2026-04-14"]


async def test_a_message_that_no_provider_took_belongs_to_no_day(
    reader: Integrator, database: Database, owner: Owner
) -> None:
    message = await try_message(database, owner, NOON_OF_THE_14TH, AttemptState.REFUSED)
    await end(database, owner, message, sent=False)
    assert await outcomes(reader, owner) == {}


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ({}, (D16 - timedelta(days=29), D16)),
        ({"from": "2026-04-15"}, (D15, D16)),
        ({"to": "2026-04-14"}, (D14 - timedelta(days=29), D14)),
        ({"from": "2026-04-14", "to": "2026-04-15"}, (D14, D15)),
        ({"from": "2025-04-16", "to": "2026-04-16"}, (date(2025, 4, 16), D16)),
        ({"from": "2027-01-01", "to": "2027-01-01"}, None),
        ({"to": "0001-01-01"}, None),
        ({"from": "9999-12-31", "to": "9999-12-31"}, None),
    ],
)
async def test_days_are_inclusive_and_the_last_thirty_by_default(
    reader: Integrator,
    database: Database,
    owner: Owner,
    days: dict[str, str],
    expected: tuple[date, date] | None,
) -> None:
    used = [D16, D15, D14, D14 - timedelta(days=29), D14 - timedelta(days=30), date(2025, 4, 16)]
    for day in used:
        await book(database, owner, Use(day=day))
    found = [line["day"] for line in (await read(reader, owner, **days)).json()]
    assert found == [
        day.isoformat()
        for day in sorted(used)
        if expected is not None and expected[0] <= day <= expected[1]
    ]


@pytest.mark.parametrize(
    "days",
    [
        {"from": "2026-04-16", "to": "2026-04-15"},
        {"from": "2026-04-17"},
        {"from": "2025-04-15"},
        {"from": "2025-04-15", "to": "2026-04-16"},
        {"from": "2026-02-29"},
        {"to": "2026-4-1"},
        {"to": ""},
        {"from": "today"},
        {"from": "2026-04-01T00:00:00Z"},
    ],
)
async def test_an_invalid_range_is_400(
    reader: Integrator, owner: Owner, days: dict[str, str]
) -> None:
    answer = await read(reader, owner, **days)
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_DATE_RANGE")


@pytest.mark.parametrize("query", [{"merchantId": "gym-a"}, {"channel": "SMS"}, {"limit": "1"}])
async def test_other_parameters_are_400(
    reader: Integrator, owner: Owner, query: dict[str, str]
) -> None:
    answer = await read(reader, owner, **query)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_FAILED")


async def test_only_the_merchant_and_its_tenant_see_it(
    reader: Integrator,
    database: Database,
    owner: Owner,
    stranger: Integrator,
    merchant_key: MerchantKey,
) -> None:
    other = await make_merchant(database, owner.tenant_id, "other")
    await book(database, owner, Use(day=D15, cost=Decimal("1.25")))
    mine = await read(reader, owner)
    own_key = await merchant_key(owner.tenant_id, owner.merchant_id)
    assert (await read(own_key, owner)).content == mine.content
    assert (await reader.get("/merchants/other/usage/daily")).json() == []
    for nobody in (stranger, await merchant_key(owner.tenant_id, other)):
        refused = await read(nobody, owner)
        assert (refused.status_code, refused.json()["code"]) == (404, "MERCHANT_NOT_FOUND")
    missing = await reader.get("/merchants/nobody/usage/daily")
    assert (missing.status_code, missing.json()["code"]) == (404, "MERCHANT_NOT_FOUND")


async def test_amounts_never_pass_through_binary_fractions(
    reader: Integrator, database: Database, owner: Owner
) -> None:
    await book(database, owner, Use(day=D15, cost=Decimal("99999999999.93")))
    text = (await read(reader, owner)).text
    (line,) = json.loads(text, parse_float=Decimal)
    assert line["charge"] == Decimal("99999999999.93")


async def test_an_empty_merchant_has_no_lines(reader: Integrator, owner: Owner) -> None:
    answer: Any = await read(reader, owner)
    assert (answer.status_code, answer.text) == (200, "[]")
