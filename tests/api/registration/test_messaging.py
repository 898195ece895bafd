"""10DLC registration: access, the row that each request writes, and every refusal."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Awaitable, Callable

import httpx
import pytest
from sqlalchemy import text

from models.rules.registration.vocabulary import RegistrationOperation
from tests.api.integrator import GYM, Integrator, make_merchant
from tests.api.registrar import FakeRegistrationStarter, Registrar, refused
from tests.messaging import BRAND, CAMPAIGN

MerchantKey = Callable[[int, int], Awaitable[Integrator]]
REASONS = '[{"code": "30794", "field": "ein", "message": "No such EIN."}]'


async def test_without_credentials_everything_is_401(client: httpx.AsyncClient) -> None:
    path = "/api/v1/merchants/gym-a/messaging"
    answers = [
        await client.post(f"{path}/brand", json=BRAND),
        await client.get(f"{path}/brand"),
        await client.post(f"{path}/campaigns", json=CAMPAIGN),
        await client.get(f"{path}/campaigns"),
        await client.get(f"{path}/numbers/available"),
        await client.post(f"{path}/numbers", json={"number": "+18132201000"}),
        await client.get(f"{path}/numbers"),
        await client.post(f"{path}/numbers/+18132201000/assignment", json={"campaignId": "1"}),
        await client.delete(f"{path}/numbers/+18132201000"),
        await client.get(f"{path}/status"),
    ]
    assert {refused(answer) for answer in answers} == {(401, "INVALID_CREDENTIALS")}


async def _every_answer(registrar: Registrar, number: str, campaign: str) -> list[httpx.Response]:
    return [
        await registrar.brand(),
        await registrar.get("brand"),
        await registrar.campaign(campaignId=campaign),
        await registrar.get("campaigns"),
        await registrar.get("numbers/available"),
        await registrar.buy(number),
        await registrar.get("numbers"),
        await registrar.assign(number, campaign),
        await registrar.release(number),
        await registrar.get("status"),
    ]


async def test_another_tenants_merchant_is_404_for_everything(
    registrar: Registrar, stranger: Integrator
) -> None:
    campaign, number = await registrar.approved(), await registrar.bought()
    before = await registrar.rows()
    other = Registrar(stranger, registrar.database)
    answers = await _every_answer(other, number, campaign)
    assert {refused(answer) for answer in answers} == {(404, "MERCHANT_NOT_FOUND")}
    assert await registrar.rows() == before


async def test_another_tenant_with_a_merchant_of_its_own_sees_and_uses_nothing(
    registrar: Registrar, stranger: Integrator
) -> None:
    campaign, number = await registrar.approved(), await registrar.bought()
    await stranger.post("/merchants", GYM)
    other = Registrar(stranger, registrar.database)
    assert refused(await other.get("brand")) == (404, "BRAND_NOT_FOUND")
    assert (await other.get("campaigns")).json() == (await other.get("numbers")).json() == []
    assert refused(await other.assign(number, campaign)) == (404, "NUMBER_NOT_FOUND")
    assert refused(await other.release(number)) == (404, "NUMBER_NOT_FOUND")
    await other.approved()
    assert refused(await other.campaign(campaignId=campaign)) == (404, "CAMPAIGN_NOT_FOUND")


async def test_a_merchants_own_key_registers_it_and_sees_no_other(
    registrar: Registrar, merchant_key: MerchantKey
) -> None:
    tenant = registrar.integrator.tenant_id
    other = await make_merchant(registrar.database, tenant, "gym-b")
    campaign, number = await registrar.approved(), await registrar.bought()
    own = await merchant_key(tenant, other)
    answers = await _every_answer(Registrar(own, registrar.database), number, campaign)
    assert {refused(answer) for answer in answers} == {(404, "MERCHANT_NOT_FOUND")}

    mine = Registrar(own, registrar.database, "gym-b")
    assert (await mine.brand()).status_code == 200
    assert (await mine.get("numbers")).json() == []
    assert refused(await mine.assign(number, campaign)) == (404, "NUMBER_NOT_FOUND")


async def test_a_brand_is_submitted_and_its_tax_number_is_never_shown(
    registrar: Registrar, registrations: FakeRegistrationStarter
) -> None:
    response = await registrar.brand(key="k")
    view = response.json()
    assert (view["status"], view["ein"], view["reasons"]) == ("PENDING", "*****6789", [])
    assert {name: view[name] for name in BRAND if name != "ein"} == {
        name: value for name, value in BRAND.items() if name != "ein"
    }
    [(start, fresh)] = registrations.started
    assert (start.registry_operation, str(start.public_id), fresh) == (
        RegistrationOperation.REGISTER_BRAND,
        view["brandId"],
        True,
    )
    assert (await registrar.get("brand")).json() == view
    stored = [row for row in await registrar.rows() if "answer" in row]
    assert "3456789" not in json.dumps(stored)


async def test_a_draft_is_kept_corrected_and_submitted_when_it_is_ready(
    registrar: Registrar, registrations: FakeRegistrationStarter
) -> None:
    draft = (await registrar.brand(submit=False)).json()
    assert (draft["status"], draft["submittedAt"]) == ("DRAFT", None)
    assert registrations.started == []
    corrected = (await registrar.brand(submit=False, city="Miami")).json()
    assert (corrected["status"], corrected["city"], corrected["revision"]) == ("DRAFT", "Miami", 2)
    submitted = (await registrar.brand()).json()
    assert (submitted["status"], submitted["brandId"]) == ("PENDING", draft["brandId"])
    assert len(registrations.started) == 1


@pytest.mark.parametrize(("submit", "status"), [(True, "PENDING"), (False, "DRAFT")])
async def test_a_rejected_brand_is_corrected(
    registrar: Registrar, submit: bool, status: str
) -> None:
    await registrar.brand()
    await registrar.stands("brand", "REJECTED", REASONS)
    assert (await registrar.get("brand")).json()["reasons"] == json.loads(REASONS)
    assert (await registrar.brand(submit=submit)).json()["status"] == status


@pytest.mark.parametrize("state", ["PENDING", "APPROVED"])
@pytest.mark.parametrize("submit", [True, False])
async def test_a_brand_that_is_pending_or_approved_is_not_changed(
    registrar: Registrar, registrations: FakeRegistrationStarter, state: str, submit: bool
) -> None:
    await registrar.brand()
    await registrar.stands("brand", state)
    before = await registrar.rows()
    response = await registrar.brand(key="k", city="Miami", submit=submit)
    assert refused(response) == (409, "BRAND_NOT_EDITABLE")
    assert await registrar.rows() == before
    assert len(registrations.started) == 1


@pytest.mark.parametrize("state", [None, "DRAFT", "PENDING", "REJECTED"])
async def test_a_campaign_requires_an_approved_brand(
    registrar: Registrar, state: str | None
) -> None:
    if state is not None:
        await registrar.brand()
        await registrar.stands("brand", state)
    before = await registrar.rows()
    for submit in (True, False):
        response = await registrar.campaign(key="k", submit=submit)
        assert refused(response) == (409, "BRAND_NOT_APPROVED")
    assert await registrar.rows() == before


async def test_campaigns_are_listed_the_newest_first_page_by_page(registrar: Registrar) -> None:
    await registrar.approved()
    made = [(await registrar.campaign(submit=False)).json()["campaignId"] for _ in range(2)]
    first = await registrar.get("campaigns", limit="2")
    assert [one["campaignId"] for one in first.json()] == made[::-1]
    assert 'rel="next"' in first.headers["Link"]


@pytest.mark.parametrize("state", ["PENDING", "APPROVED"])
async def test_a_campaign_that_is_pending_or_approved_is_not_changed(
    registrar: Registrar, state: str
) -> None:
    campaign = await registrar.approved()
    await registrar.stands("campaign", state)
    before = await registrar.rows()
    response = await registrar.campaign(key="k", campaignId=campaign, ageGated=True)
    assert refused(response) == (409, "CAMPAIGN_NOT_EDITABLE")
    assert await registrar.rows() == before


async def test_a_rejected_campaign_is_corrected_under_its_id(registrar: Registrar) -> None:
    campaign = await registrar.approved()
    await registrar.stands("campaign", "REJECTED", REASONS)
    view = (await registrar.campaign(campaignId=campaign, ageGated=True)).json()
    assert (view["campaignId"], view["status"], view["ageGated"]) == (campaign, "PENDING", True)
    assert (view["revision"], view["reasons"]) == (2, [])


async def test_a_late_retry_of_an_old_brand_replays_its_answer_and_overwrites_nothing(
    registrar: Registrar,
) -> None:
    first = (await registrar.brand(key="old", submit=False)).json()
    await registrar.brand(key="new", submit=False, city="Miami")
    late = await registrar.brand(key="old", submit=False)
    assert (late.json(), late.headers["Idempotency-Replayed"]) == (first, "true")
    assert (await registrar.get("brand")).json()["city"] == "Miami"


async def test_a_retry_of_a_brand_or_campaign_learns_what_was_decided(
    registrar: Registrar,
) -> None:
    await registrar.brand(key="b")
    await registrar.stands("brand", "APPROVED")
    assert (await registrar.brand(key="b")).json()["status"] == "APPROVED"
    await registrar.campaign(key="c")
    await registrar.stands("campaign", "REJECTED", REASONS)
    view = (await registrar.campaign(key="c")).json()
    assert (view["status"], view["reasons"]) == ("REJECTED", json.loads(REASONS))


async def test_two_brands_at_the_same_instant_are_one(registrar: Registrar) -> None:
    answers = await asyncio.gather(*(registrar.brand() for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 4]
    assert len([row for row in await registrar.rows() if "profile" in row]) == 1


async def test_the_status_combines_all_registrations(registrar: Registrar) -> None:
    empty = (await registrar.get("status")).json()
    assert (empty["a2pAllowed"], empty["brand"], len(empty["missing"])) == (False, None, 4)
    campaign, number = await registrar.approved(), await registrar.bought()
    await registrar.assign(number, campaign)
    await registrar.stands("assignment", "ASSIGNED")
    async with registrar.database.transaction() as db:
        statement = text(
            "UPDATE sender_number SET segments_per_second = 4.5"
            " WHERE number = :n AND tenant_id = :t"
        )
        await db.execute(statement, {"n": number, "t": registrar.integrator.tenant_id})
    full = (await registrar.get("status")).json()
    assert (full["a2pAllowed"], full["missing"]) == (True, [])
    assert full["throughput"] == {"numbers": 1, "segmentsPerSecond": "4.5"}
    assert full["brand"] == (await registrar.get("brand")).json()
    assert full["campaigns"] == (await registrar.get("campaigns")).json()
    assert full["numbers"] == (await registrar.get("numbers")).json()


async def _post_event(
    client: httpx.AsyncClient, reference: str, *, told: str | None = None, secret: str | None = None
) -> int:
    body = {"type": "registration", "reference": told or reference, "id": "reg_1"}
    raw, at = json.dumps(body).encode(), int(time.time())
    key = (secret or "for-tests-only-too").encode()
    digest = hmac.new(key, b"%d." % at + raw, hashlib.sha256).hexdigest()
    response = await client.post(
        f"/webhooks/simulator/registrations/{reference}",
        content=raw,
        headers={"X-Simulator-Signature": f"t={at},v1={digest}"},
    )
    return response.status_code


async def test_events_only_wake_and_forged_ones_do_not(
    registrar: Registrar, registrations: FakeRegistrationStarter, client: httpx.AsyncClient
) -> None:
    tenant = registrar.integrator.tenant_id
    brand = (await registrar.brand()).json()["brandId"]
    named = registrar.integrator.tenant_public_id
    reference, before = f"hxr-brand-{named}-{brand}-1", await registrar.rows()
    assert await _post_event(client, reference) == 204
    assert registrations.row_changed == [f"register-brand/{tenant}/{brand}"]
    assert await _post_event(client, reference, secret="another") == 403
    assert await _post_event(client, reference, told=f"hxr-brand-{named}-{brand}-2") == 403
    assert await _post_event(client, f"hxr-brand-{named}-{brand}-2") == 404
    assert await _post_event(client, f"hxr-brand-{named}-{int(brand) ^ 1}-1") == 404
    assert await _post_event(client, "hx-1-2-3") == 404
    await registrar.stands("brand", "APPROVED")
    assert await _post_event(client, reference) == 204
    assert len(registrations.row_changed) == 1
    await registrar.stands("brand", "PENDING")
    assert await registrar.rows() == before


async def test_the_decision_uses_more_rows_than_are_shown(registrar: Registrar) -> None:
    campaign, number = await registrar.approved(), await registrar.bought()
    await registrar.assign(number, campaign)
    await registrar.stands("assignment", "ASSIGNED")
    async with registrar.database.transaction() as db:
        for statement in (_MORE_CAMPAIGNS, _MORE_NUMBERS):
            await db.execute(text(statement), {"t": registrar.integrator.tenant_id})
    found = (await registrar.get("status")).json()
    assert (len(found["campaigns"]), len(found["numbers"])) == (100, 100)
    assert (found["a2pAllowed"], found["missing"]) == (True, [])
    assert found["throughput"]["numbers"] == 1


async def test_a_campaigns_limit_is_shown_once_however_many_numbers_share_it(
    registrar: Registrar,
) -> None:
    campaign, number = await registrar.approved(), await registrar.bought()
    second = f"+18142{registrar.integrator.tenant_id % 10**6:06d}"
    await registrar.buy(second)
    await registrar.stands("number", "ACTIVE")
    for bought in (number, second):
        await registrar.assign(bought, campaign)
    await registrar.stands("assignment", "ASSIGNED")
    async with registrar.database.transaction() as db:
        await db.execute(
            text("UPDATE sender_number SET segments_per_second = 2 WHERE tenant_id = :t;"),
            {"t": registrar.integrator.tenant_id},
        )
        await db.execute(
            text("UPDATE campaign SET segments_per_second = 4 WHERE tenant_id = :t"),
            {"t": registrar.integrator.tenant_id},
        )
    told = (await registrar.get("status")).json()["throughput"]
    assert told == {"numbers": 2, "segmentsPerSecond": "4"}


_MORE_CAMPAIGNS = """
    INSERT INTO campaign (tenant_id, merchant_id, provider, account, submission, vendor_state,
                          reasons, brand_id, state, revision, profile, created_at, updated_at)
    SELECT tenant_id, merchant_id, provider, account, 0, '{}', '[]', brand_id, 'DRAFT', 1, profile,
           now(), now() FROM campaign, generate_series(1, 100) WHERE tenant_id = :t
"""
_MORE_NUMBERS = """
    INSERT INTO messaging_number (tenant_id, merchant_id, provider, account, submission,
                                  vendor_state, reasons, number, type, state, created_at,
                                  updated_at)
    SELECT tenant_id, merchant_id, provider, account, 1, '{}', '[]',
           '+1815' || (2000000 + one), 'LOCAL', 'ACTIVE', now(), now()
      FROM messaging_number, generate_series(1, 100) AS one WHERE tenant_id = :t
"""
