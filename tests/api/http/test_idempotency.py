"""One key, one action."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from api.http.idempotency import canonical, read_key
from models.errors import ValidationFailed
from models.session import Database
from models.tables.consent import ConsentChange
from models.tables.idempotency import IdempotencyRecord
from tests.api.doubles import FakeSending
from tests.api.integrator import CONSENT, GYM, SMS, Integrator, make_merchant
from tests.shown_ids import shown

MerchantKey = Callable[[int, int], Awaitable[Integrator]]


async def test_twenty_at_once_are_one_action_and_all_get_its_answer(
    integrator: Integrator, database: Database
) -> None:
    await integrator.post("/merchants", GYM)
    answers = await asyncio.gather(
        *(integrator.post("/consents", CONSENT, key="once") for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 19
    assert await _changes(database, integrator) == 1


async def test_the_same_key_with_another_request_is_422_and_changes_nothing(
    integrator: Integrator,
) -> None:
    await integrator.post("/merchants", GYM, key="k")
    response = await integrator.post("/merchants", {**GYM, "displayName": "B"}, key="k")
    assert (response.status_code, response.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (await integrator.get("/merchants/gym-a")).json()["displayName"] == "Gym A"


async def test_twenty_different_ones_at_once_have_one_winner(integrator: Integrator) -> None:
    answers = await asyncio.gather(
        *(integrator.post("/merchants", {**GYM, "smsLimit": n}, key="k") for n in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [422] * 19
    (winner,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert (await integrator.get("/merchants/gym-a")).json() == winner


async def test_a_late_retry_replays_its_answer_and_overwrites_nothing(
    integrator: Integrator,
) -> None:
    first = await integrator.post("/merchants", GYM, key="old")
    await integrator.post("/merchants", {**GYM, "displayName": "Newer"}, key="new")
    late = await integrator.post("/merchants", GYM, key="old")
    assert (late.text, late.headers["Idempotency-Replayed"]) == (first.text, "true")
    assert (await integrator.get("/merchants/gym-a")).json()["displayName"] == "Newer"


async def test_a_late_opt_in_never_undoes_a_newer_opt_out(integrator: Integrator) -> None:
    await integrator.post("/merchants", GYM)
    await integrator.post("/consents", CONSENT, key="in")
    await integrator.post("/consents", {**CONSENT, "status": "OPT_OUT"}, key="out")
    late = await integrator.post("/consents", CONSENT, key="in")
    assert late.json()["status"] == "OPT_IN"
    assert (await integrator.get("/consents")).json()[0]["status"] == "OPT_OUT"


async def test_a_refused_request_stores_nothing(integrator: Integrator) -> None:
    assert (await integrator.post("/consents", CONSENT, key="k")).status_code == 404
    await integrator.post("/merchants", GYM)
    response = await integrator.post("/consents", CONSENT, key="k")
    assert (response.status_code, response.headers.get("Idempotency-Replayed")) == (200, None)


async def test_the_order_of_names_does_not_matter(integrator: Integrator) -> None:
    await integrator.post("/merchants", GYM, key="k")
    response = await integrator.post("/merchants", dict(reversed(GYM.items())), key="k")
    assert response.headers["Idempotency-Replayed"] == "true"


async def test_keys_belong_to_tenant_merchant_and_route(
    integrator: Integrator, stranger: Integrator, database: Database, merchant_key: MerchantKey
) -> None:
    own = await make_merchant(database, integrator.tenant_id)
    await stranger.post("/merchants", GYM)
    key = await merchant_key(integrator.tenant_id, own)
    answers = [
        await integrator.post("/merchants", GYM, key="k"),
        await integrator.post("/consents", CONSENT, key="k"),
        await key.post("/consents", {**CONSENT, "status": "OPT_OUT"}, key="k"),
        await stranger.post("/consents", {**CONSENT, "source": "else"}, key="k"),
    ]
    assert [(a.status_code, "Idempotency-Replayed" in a.headers) for a in answers] == [
        (200, False)
    ] * 4
    async with database.read() as db:
        rows = await db.execute(
            select(col(IdempotencyRecord.route), col(IdempotencyRecord.scope))
            .where(col(IdempotencyRecord.tenant_id) == integrator.tenant_id)
            .order_by(col(IdempotencyRecord.route), col(IdempotencyRecord.scope))
        )
    assert [tuple(row) for row in rows] == [
        ("POST /api/v1/consents", ""),
        ("POST /api/v1/consents", str(await shown(database, "merchant", own))),
        ("POST /api/v1/merchants", ""),
    ]


async def test_without_a_key_every_request_is_an_action_of_its_own(
    integrator: Integrator, database: Database
) -> None:
    await integrator.post("/merchants", GYM)
    for _ in range(3):
        await integrator.post("/consents", CONSENT)
    assert await _changes(database, integrator) == 3


async def test_the_service_gets_the_identity_of_a_send(
    integrator: Integrator, sending: FakeSending
) -> None:
    await integrator.post("/messages/sms", SMS, key='"quoted"')
    await integrator.post("/messages/sms", SMS, key="quoted")
    first, second = sending.requests
    assert first == second
    assert (first.route, first.scope, first.key) == ("POST /api/v1/messages/sms", "", "quoted")


@pytest.mark.parametrize(
    "key", ["", " ", '""', "a b", "x" * 256, "caf\u00e9".encode(), "a\tb", b"\xff"]
)
async def test_an_invalid_key_is_400(integrator: Integrator, key: Any) -> None:
    response = await integrator.client.post(
        "/api/v1/merchants",
        json=GYM,
        headers=[*integrator.headers.items(), ("Idempotency-Key", key)],
    )
    assert (response.status_code, response.json()["errors"][0]["field"]) == (
        400,
        "Idempotency-Key",
    )
    assert (await integrator.get("/merchants")).json() == []


def test_one_pair_of_quotes_comes_off_and_two_headers_are_one_too_many() -> None:
    assert read_key([]) is None
    assert read_key(['""a""']) == '"a"'
    assert read_key(['"']) == '"'
    assert read_key(["x" * 255]) == "x" * 255
    with pytest.raises(ValidationFailed):
        read_key(["a", "a"])


def test_a_fingerprint_distinguishes_requests_only() -> None:
    one = canonical({}, {"a": 1, "b": [1, 2]})
    assert one == canonical({}, {"b": [1, 2], "a": 1})
    others = [
        canonical({"id": "1"}, {"a": 1, "b": [1, 2]}),
        canonical({}, {"a": "1", "b": [1, 2]}),
        canonical({}, {"a": 1, "b": [2, 1]}),
        canonical({}, {"a": 1, "b": [1, 2], "c": None}),
    ]
    assert len({one, *others}) == 5


async def _changes(database: Database, integrator: Integrator) -> int | None:
    async with database.read() as db:
        return await db.scalar(
            select(func.count())
            .select_from(ConsentChange)
            .where(col(ConsentChange.tenant_id) == integrator.tenant_id)
        )
