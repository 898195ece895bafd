"""The adapter of the simulated registry: classification of responses, and accepted webhooks."""

import hmac
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import httpx
import pytest

from models.rules.registration.vocabulary import NumberType, RegistryStatus
from providers.ports.messages import Ambiguous, ForgedWebhook, NotFound, NotProcessed, Unanswered
from providers.ports.registration import (
    AssignmentRequest,
    AvailableNumber,
    BrandRequest,
    CampaignRequest,
    LookUpAnswer,
    NumberOffers,
    OperationStatus,
    PurchaseRequest,
    Reason,
    RegistryEvent,
    RegistryRequest,
    ReleaseRequest,
    SubmitAnswer,
    UnassignmentRequest,
)
from providers.simulator.messages import SIGNATURE_HEADER
from providers.simulator.registry import SimulatedRegistry, event_verifier
from tests.registration.test_checks import BRAND, CAMPAIGN
from tests.unit.providers.simulated_report import posted

COMMON: dict[str, Any] = {
    "reference": "hxr-brand-1-2-3",
    "callback_url": "http://us/webhooks/simulator/registrations/hxr-brand-1-2-3",
    "not_after": datetime(2100, 1, 1, tzinfo=UTC),
}
BRAND_REQUEST = BrandRequest(**COMMON, profile=BRAND)
CAMPAIGN_REQUEST = CampaignRequest(
    **COMMON,
    profile=CAMPAIGN,
    brand_vendor_id="b1",
)
PURCHASE = PurchaseRequest(**COMMON, number="+18132201000", type=NumberType.LOCAL)
OF_A_CAMPAIGN: dict[str, Any] = {
    "vendor_id": "n1",
    "number": "+18132201000",
    "campaign_vendor_id": "c1",
    "campaign_vendor_state": {},
}
ASSIGNMENT = AssignmentRequest(**COMMON, **OF_A_CAMPAIGN)
UNASSIGNMENT = UnassignmentRequest(**COMMON, **OF_A_CAMPAIGN)
RELEASE = ReleaseRequest(**COMMON, vendor_id="n1", number="+18132201000")
ITEM = {"id": "reg_1", "status": "pending", "reasons": []}
REASON = {"code": 30794, "field": "ein", "message": "No such EIN."}
SECRET = "for-tests-only-too"


def registry(
    answer: httpx.Response | Exception, asked: list[httpx.Request] | None = None
) -> SimulatedRegistry:
    def handle(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return SimulatedRegistry(
        httpx.AsyncClient(transport=httpx.MockTransport(handle)),
        "http://simulator/",
        timeout=timedelta(seconds=2),
        absence_window=timedelta(seconds=3),
    )


@pytest.mark.parametrize(
    ("request_", "path", "fields"),
    [
        (BRAND_REQUEST, "brands", {"legalName": "Gym A LLC", "amends": None}),
        (replace(BRAND_REQUEST, vendor_id="b0"), "brands", {"amends": "b0"}),
        (CAMPAIGN_REQUEST, "campaigns", {"brandId": "b1", "amends": None}),
        (PURCHASE, "numbers", {"number": "+18132201000"}),
        (ASSIGNMENT, "assignments", {"numberId": "n1", "campaignId": "c1"}),
        (UNASSIGNMENT, "unassignments", {"numberId": "n1"}),
        (RELEASE, "releases", {"numberId": "n1"}),
    ],
)
async def test_each_operation_is_posted_under_our_reference(
    request_: RegistryRequest, path: str, fields: dict[str, Any]
) -> None:
    asked: list[httpx.Request] = []
    answer = httpx.Response(202, json={**ITEM, "status": "done"})
    stands = await registry(answer, asked).submit(request_)
    assert isinstance(stands, OperationStatus)
    assert stands.status is RegistryStatus.DONE
    # An assignment has no id in our rows: the number keeps its own.
    keeps = path in ("brands", "campaigns", "numbers")
    assert stands.vendor_id == ("reg_1" if keeps else None)
    [posted] = asked
    body = json.loads(posted.content)
    assert posted.url == f"http://simulator/registry/{path}"
    assert body["reference"] == COMMON["reference"]
    assert fields.items() <= body.items()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            httpx.Response(202, json=ITEM),
            OperationStatus(status=RegistryStatus.PENDING, vendor_id="reg_1"),
        ),
        (
            httpx.Response(422, json={"code": 30950, "message": "not approved"}),
            OperationStatus(
                status=RegistryStatus.REJECTED,
                reasons=(Reason(code="30950", field=None, message="not approved"),),
            ),
        ),
        (
            httpx.Response(422, json={"code": 30036, "message": "expired"}),
            NotProcessed(reason="expired", provider_code="30036"),
        ),
        (
            httpx.Response(503, json={}, headers={"Retry-After": "7"}),
            NotProcessed(reason="503", provider_code="503", retry_after=timedelta(seconds=7)),
        ),
        (httpx.Response(500, json={}), Ambiguous(reason="500", provider_code="500")),
        (httpx.Response(202, text="?"), Ambiguous(reason="202", provider_code="202")),
        (
            httpx.Response(202, json={**ITEM, "status": "?"}),
            Ambiguous(reason="202", provider_code="202"),
        ),
        (
            httpx.Response(202, json={**ITEM, "id": "x" * 129}),
            Ambiguous(reason="202", provider_code="202"),
        ),
    ],
)
async def test_the_meaning_of_each_answer(answer: httpx.Response, expected: SubmitAnswer) -> None:
    assert await registry(answer).submit(BRAND_REQUEST) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(200, json={"items": []}), NotFound()),
        (
            httpx.Response(
                200, json={"items": [{"id": "b1", "status": "rejected", "reasons": [REASON]}]}
            ),
            OperationStatus(
                status=RegistryStatus.REJECTED,
                vendor_id="b1",
                reasons=(Reason(code="30794", field="ein", message="No such EIN."),),
            ),
        ),
        (httpx.Response(503), Unanswered(reason="HTTPStatusError")),
        (httpx.Response(200, text="?"), Unanswered(reason="JSONDecodeError")),
        (httpx.Response(200, json={"items": [{}]}), Unanswered(reason="KeyError")),
        (httpx.ConnectError("no"), Unanswered(reason="ConnectError")),
    ],
)
async def test_the_status_of_a_look_up(
    answer: httpx.Response | Exception, expected: LookUpAnswer
) -> None:
    assert await registry(answer).look_up(BRAND_REQUEST) == expected


async def test_numbers_for_sale_are_read_and_trouble_is_no_truth() -> None:
    asked: list[httpx.Request] = []
    item = {"number": "+18132201000", "type": "LOCAL", "locality": "Tampa", "region": "FL"}
    one = registry(httpx.Response(200, json={"items": [item]}), asked)
    found = await one.search_numbers(area_code="813", type=NumberType.LOCAL, limit=5)
    offer = AvailableNumber(
        number="+18132201000", type=NumberType.LOCAL, locality="Tampa", region="FL"
    )
    assert found == NumberOffers(numbers=(offer,))
    assert dict(asked[0].url.params) == {"type": "LOCAL", "limit": "5", "areaCode": "813"}
    away = registry(httpx.ReadTimeout("no"))
    none = await away.search_numbers(area_code=None, type=NumberType.LOCAL, limit=5)
    assert none == Unanswered(reason="ReadTimeout")


def signed(body: bytes, secret: str = SECRET, age: int = 0) -> dict[str, str]:
    moment = str(int(time.time()) - age)
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, sha256).hexdigest()
    return {SIGNATURE_HEADER: f"t={moment},v1={digest}"}


async def test_only_signed_and_fresh_webhooks_are_accepted() -> None:
    async def read(headers: dict[str, str], body: bytes) -> Sequence[RegistryEvent]:
        return await event_verifier(SECRET)(posted(headers, body))

    body = json.dumps({"type": "registration", "reference": "hxr-brand-1-2-3"}).encode()
    assert await read(signed(body), body) == (RegistryEvent(reference="hxr-brand-1-2-3"),)
    other = json.dumps({"type": "inbound", "reference": "x"}).encode()
    assert await read(signed(other), other) == ()
    for headers in ({}, signed(body, "another"), signed(body, age=301), signed(other)):
        with pytest.raises(ForgedWebhook):
            await read(headers, body)
