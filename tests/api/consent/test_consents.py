"""Consent: the latest change applies, and every change is kept."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select
from sqlmodel import col

from models.enums import Channel
from models.queries.consent.consents import lock_contact
from models.session import Database
from models.tables.consent import Consent, ConsentChange
from models.tables.merchant import Merchant
from tests.api.integrator import CONSENT, GYM, Integrator, make_merchant
from tests.contacts import key_of

MerchantKey = Callable[[int, int], Awaitable[Integrator]]


@pytest.fixture
async def gym(integrator: Integrator) -> Integrator:
    """An integrator that has the guide's merchant."""
    await integrator.post("/merchants", GYM)
    return integrator


async def test_without_credentials_everything_is_401(client: httpx.AsyncClient) -> None:
    answers = [
        await client.post("/api/v1/consents", json=CONSENT),
        await client.get("/api/v1/consents"),
        await client.get("/api/v1/consents/history"),
    ]
    assert [answer.status_code for answer in answers] == [401] * 3


async def test_another_tenants_merchant_is_404_and_its_consents_in_no_list(
    gym: Integrator, stranger: Integrator
) -> None:
    await gym.post("/consents", CONSENT)
    question = {"merchantId": "gym-a", "channel": "SMS", "contact": "+18135551234"}
    answers = [
        await stranger.post("/consents", CONSENT),
        await stranger.get("/consents", merchantId="gym-a"),
        await stranger.get("/consents/history", **question),
    ]
    assert {(a.status_code, a.json()["code"]) for a in answers} == {(404, "MERCHANT_NOT_FOUND")}
    assert (await stranger.get("/consents")).json() == []


async def test_the_latest_consent_applies_and_every_change_is_kept(gym: Integrator) -> None:
    for status, source in (("OPT_IN", "form"), ("OPT_OUT", "desk"), ("OPT_OUT", "again")):
        await gym.post("/consents", {**CONSENT, "status": status, "source": source})
    (record,) = (await gym.get("/consents")).json()
    assert (record["status"], record["source"]) == ("OPT_OUT", "again")
    history = await gym.get(
        "/consents/history", merchantId="gym-a", channel="SMS", contact="+18135551234"
    )
    assert [(c["status"], c["source"]) for c in history.json()] == [
        ("OPT_OUT", "again"),
        ("OPT_OUT", "desk"),
        ("OPT_IN", "form"),
    ]
    assert history.json()[0]["changedAt"] == record["updatedAt"]


async def test_a_number_is_one_contact_however_it_is_written(gym: Integrator) -> None:
    for contact in ("+1 813-555-1234", "+1 (813) 555 1234"):
        answer = await gym.post("/consents", {**CONSENT, "contact": contact})
        assert answer.json()["contact"] == "+18135551234"
    assert len((await gym.get("/consents")).json()) == 1
    unencoded = await gym.client.get("/api/v1/consents?contact=+18135551234", headers=gym.headers)
    assert len(unencoded.json()) == 1


async def test_an_address_is_one_contact_in_any_case_and_kept_as_given(gym: Integrator) -> None:
    mail = {**CONSENT, "channel": "EMAIL", "contact": "Member@Example.com"}
    assert (await gym.post("/consents", mail)).json()["contact"] == "Member@Example.com"
    await gym.post("/consents", {**mail, "contact": "member@EXAMPLE.com", "status": "OPT_OUT"})
    (record,) = (await gym.get("/consents", contact="MEMBER@example.com")).json()
    assert (record["contact"], record["status"]) == ("member@EXAMPLE.com", "OPT_OUT")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"contact": "8135551234"}, "INVALID_PHONE_NUMBER"),
        ({"contact": "+1"}, "INVALID_PHONE_NUMBER"),
        ({"contact": "+15551234"}, "INVALID_PHONE_NUMBER"),
        ({"contact": "+18131551234"}, "INVALID_PHONE_NUMBER"),
        ({"contact": "a@b.example"}, "INVALID_PHONE_NUMBER"),
        ({"channel": "EMAIL"}, "INVALID_EMAIL"),
        ({"channel": "EMAIL", "contact": "a@b@c.example"}, "INVALID_EMAIL"),
        ({"channel": "EMAIL", "contact": "a@nowhere"}, "INVALID_EMAIL"),
        ({"channel": "EMAIL", "contact": "-a@b.example"}, "INVALID_EMAIL"),
        ({"channel": "FAX"}, "VALIDATION_FAILED"),
        ({"status": "MAYBE"}, "VALIDATION_FAILED"),
        ({"source": ""}, "VALIDATION_FAILED"),
        ({"source": "x" * 201}, "VALIDATION_FAILED"),
        ({"merchantId": "not there"}, "VALIDATION_FAILED"),
    ],
)
async def test_an_invalid_consent_is_refused_and_not_stored(
    gym: Integrator, change: dict[str, Any], code: str
) -> None:
    response = await gym.post("/consents", {**CONSENT, **change})
    assert (response.status_code, response.json()["code"]) == (400, code)
    assert (await gym.get("/consents")).json() == []


async def test_filters_narrow_the_list(gym: Integrator) -> None:
    await gym.post("/merchants", {"merchantId": "gym-b", "displayName": "B"})
    await gym.post("/consents", CONSENT)
    await gym.post("/consents", {**CONSENT, "merchantId": "gym-b", "status": "OPT_OUT"})
    await gym.post("/consents", {**CONSENT, "channel": "VOICE"})
    for query, count in (
        ({"merchantId": "gym-a"}, 2),
        ({"channel": "SMS"}, 2),
        ({"status": "OPT_OUT"}, 1),
        ({"merchantId": "gym-a", "channel": "VOICE", "contact": "+18135551234"}, 1),
        ({"contact": "+18135550000"}, 0),
    ):
        assert len((await gym.get("/consents", **query)).json()) == count, query


async def test_a_contact_that_opts_out_between_two_pages_is_not_missed(gym: Integrator) -> None:
    contacts = [f"+1813555123{digit}" for digit in range(4)]
    for contact in contacts:
        await gym.post("/consents", {**CONSENT, "contact": contact})
    first = await gym.get("/consents", limit="2")
    await gym.post("/consents", {**CONSENT, "contact": contacts[0], "status": "OPT_OUT"})
    following = first.links["next"]["url"].removeprefix("/api/v1")
    second = (await gym.get(following)).json()
    seen = {record["contact"]: record["status"] for record in [*first.json(), *second]}
    assert seen == {**dict.fromkeys(contacts, "OPT_IN"), contacts[0]: "OPT_OUT"}


async def test_concurrent_consents_end_with_the_newest_change(
    gym: Integrator, database: Database
) -> None:
    words = ["OPT_IN", "OPT_OUT"] * 20
    answers = await asyncio.gather(
        *(gym.post("/consents", {**CONSENT, "status": word}) for word in words)
    )
    assert {answer.status_code for answer in answers} == {200}
    async with database.read() as db:
        changes = (
            await db.scalars(
                select(ConsentChange)
                .where(col(ConsentChange.tenant_id) == gym.tenant_id)
                .order_by(col(ConsentChange.id))
            )
        ).all()
        record = (
            await db.scalars(select(Consent).where(col(Consent.tenant_id) == gym.tenant_id))
        ).one()
    assert len(changes) == 40
    assert (record.version, str(record.status)) == (changes[-1].id, str(changes[-1].status))
    assert [c.changed_at for c in changes] == sorted(c.changed_at for c in changes)


async def test_an_opt_out_waits_for_an_attempt_that_is_being_committed(
    gym: Integrator, database: Database
) -> None:
    async with database.transaction() as db:
        merchant_id = (
            await db.scalars(
                select(col(Merchant.id)).where(col(Merchant.tenant_id) == gym.tenant_id)
            )
        ).one()
        assert merchant_id is not None
        key = key_of("+18135551234")
        await lock_contact(db, gym.tenant_id, merchant_id, Channel.SMS, key, shared=True)
        opting_out = asyncio.create_task(gym.post("/consents", {**CONSENT, "status": "OPT_OUT"}))
        await asyncio.sleep(0.3)
        assert not opting_out.done()
    assert (await opting_out).status_code == 200


async def test_a_merchants_key_sees_and_writes_only_its_own(
    integrator: Integrator, database: Database, merchant_key: MerchantKey
) -> None:
    own = await make_merchant(database, integrator.tenant_id, "own")
    await make_merchant(database, integrator.tenant_id, "other")
    for name in ("own", "other"):
        await integrator.post("/consents", {**CONSENT, "merchantId": name})
    key = await merchant_key(integrator.tenant_id, own)
    assert [c["merchantId"] for c in (await key.get("/consents")).json()] == ["own"]
    assert (await key.get("/consents", merchantId="other")).status_code == 404
    assert (await key.post("/consents", {**CONSENT, "merchantId": "other"})).status_code == 404
    assert (await key.post("/consents", {**CONSENT, "merchantId": "own"})).status_code == 200


async def test_an_unknown_merchant_leaves_no_trace(gym: Integrator, database: Database) -> None:
    response = await gym.post("/consents", {**CONSENT, "merchantId": "nobody"}, key="k")
    assert response.status_code == 404
    async with database.read() as db:
        kept = await db.scalar(
            select(func.count())
            .select_from(ConsentChange)
            .where(col(ConsentChange.tenant_id) == gym.tenant_id)
        )
    assert kept == 0


@pytest.mark.parametrize(
    "source",
    [
        "",
        " ",
        "\t",
        "\u00a0",
        "\u200b",
        "\u3164",
        "checkout\nform",
        "checkout\rform",
        "checkout\x1b[31m",
        "checkout\x7fform",
        "checkout\x85form",
        "checkout\u2028form",
        "checkout\u202eform",
        "checkout\u2066form",
        "x" * 201,
    ],
)
async def test_a_source_is_one_visible_line(gym: Integrator, source: str) -> None:
    response = await gym.post("/consents", {**CONSENT, "source": source})
    assert (response.status_code, response.json()["code"]) == (400, "VALIDATION_FAILED")
    assert [wrong["field"] for wrong in response.json()["errors"]] == ["source"]
    assert (await gym.get("/consents")).json() == []


@pytest.mark.parametrize("source", ["x", "x" * 200, "Anmeldung in Köln", "נרשם בחנות", "form 🏋"])
async def test_a_source_may_be_any_text(gym: Integrator, source: str) -> None:
    response = await gym.post("/consents", {**CONSENT, "source": source})
    assert (response.status_code, response.json()["source"]) == (200, source)
