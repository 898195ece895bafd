"""Twilio as a registry: the created objects, their order, and no duplicates."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from models.rules.registration.vocabulary import EntityType, NumberType, RegistryStatus, UseCase
from providers.ports.messages import NotFound, NotProcessed, Unanswered
from providers.ports.registration import MoreCallsNeeded, OperationStatus, Reason
from tests.vendors import registry_fixtures
from tests.vendors.approved_fixtures import approve, approved_brand, set_up
from tests.vendors.registry_fixtures import BRAND, CAMPAIGN, SOLE, ask, carry, every_other
from tests.vendors.twilio_double import PRIMARY

ONCE = ("CustomerProfiles", "TrustProducts", "BrandRegistrations", "Addresses")


async def test_a_brand_waits_for_its_bundles_and_then_for_the_registry() -> None:
    twilio, registry = set_up()
    request, answer = await carry(registry, registry_fixtures.brand())
    assert (answer.status, answer.vendor_id) == (RegistryStatus.PENDING, None)
    assert {d["status"] for d in twilio.all("CustomerProfiles")} == {"pending-review"}
    assert twilio.all("BrandRegistrations") == []

    approve(twilio, "CustomerProfiles")
    request, answer = await ask(registry, request)
    assert twilio.all("BrandRegistrations") == []  # the other bundle is still in review

    approve(twilio, "TrustProducts")
    request, answer = await ask(registry, request)
    [registration] = twilio.all("BrandRegistrations")
    assert (answer.status, answer.vendor_id) == (RegistryStatus.PENDING, registration["sid"])

    registration["status"] = "APPROVED"
    _, answer = await ask(registry, request)
    assert answer.status is RegistryStatus.DONE


async def test_both_bundles_hold_what_twilio_wants_of_a_business() -> None:
    twilio, registry = set_up()
    await carry(registry, registry_fixtures.brand())
    [profile], [product] = twilio.all("CustomerProfiles"), twilio.all("TrustProducts")
    made = {d["type"]: d["sid"] for k in ("EndUsers", "SupportingDocuments") for d in twilio.all(k)}

    def held(kind: str, bundle: dict[str, Any]) -> set[str]:
        found = twilio.folders[f"/v1/{kind}/{bundle['sid']}/EntityAssignments"]
        return {d["object_sid"] for d in found}

    assert held("CustomerProfiles", profile) == {
        made["customer_profile_business_information"],
        made["authorized_representative_1"],
        made["customer_profile_address"],
        PRIMARY,
    }
    messaging = made["us_a2p_messaging_profile_information"]
    assert held("TrustProducts", product) == {messaging, profile["sid"]}
    business = next(d for d in twilio.all("EndUsers") if "business_name" in d["attributes"])
    assert business["attributes"]["business_name"] == "Gym A, LLC"
    assert business["attributes"]["business_type"] == "Limited Liability Corporation"
    assert business["attributes"]["business_registration_number"] == "123456789"


async def test_a_sole_proprietor_takes_twilios_own_path() -> None:
    twilio, registry = set_up()
    request, _ = await carry(registry, registry_fixtures.brand(SOLE))
    for kind in ("CustomerProfiles", "TrustProducts"):
        approve(twilio, kind)
    await ask(registry, request)
    types = {d["type"] for d in twilio.all("EndUsers")}
    assert types == {"starter_customer_profile_information", "sole_proprietor_information"}
    assert [d["brand_type"] for d in twilio.all("BrandRegistrations")] == ["SOLE_PROPRIETOR"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_nothing_is_created_twice_whichever_answer_is_lost(when: str) -> None:
    twilio, registry = set_up()

    def lose() -> None:
        twilio.loses = when

    request, _ = await carry(registry, registry_fixtures.brand(), before=every_other(lose))
    for kind in ("CustomerProfiles", "TrustProducts"):
        approve(twilio, kind)
    request, _ = await ask_losing(registry, request, lose)
    counted = Counter({kind: len(twilio.all(kind)) for kind in ONCE})
    assert counted == Counter(ONCE)
    assert len(twilio.all("EndUsers")) == 3
    assert len(twilio.all("EntityAssignments")) == 6


async def ask_losing(registry: Any, request: Any, lose: Any) -> Any:
    answer = await registry.look_up(request)
    request = replace(request, vendor_state=answer.vendor_state)
    return await carry(registry, request, before=every_other(lose))


async def test_missing_requirements_of_a_bundle_name_the_field() -> None:
    twilio, registry = set_up()
    twilio.refuses["Evaluations"] = (
        201,
        {
            "sid": "EL" + "00" * 16,
            "status": "noncompliant",
            "results": [
                {"passed": True, "invalid": []},
                {
                    "passed": False,
                    "invalid": [
                        {
                            "object_field": "business_registration_number",
                            "failure_reason": "The number of owner@gym.example.com is wrong.",
                            "error_code": 22215,
                        }
                    ],
                },
                {"passed": False, "failure_reason": "A document is missing.", "error_code": 22216},
            ],
        },
    )
    _, answer = await carry(registry, registry_fixtures.brand())
    assert answer.status is RegistryStatus.REJECTED
    assert answer.reasons == (
        Reason(code="22215", field="ein", message="The number of … is wrong."),
        Reason(code="22216", field=None, message="A document is missing."),
    )
    assert twilio.all("BrandRegistrations") == []


async def test_a_rejected_brand_is_amended_and_not_made_again() -> None:
    twilio, registry = set_up()
    request, _ = await carry(registry, registry_fixtures.brand())
    for kind in ("CustomerProfiles", "TrustProducts"):
        approve(twilio, kind)
    request, _ = await ask(registry, request)
    [registration] = twilio.all("BrandRegistrations")
    registration |= {"status": "FAILED", "brand_feedback": ["TAX_ID"]}
    request, answer = await ask(registry, request)
    assert answer.status is RegistryStatus.REJECTED
    assert [(r.code, r.field) for r in answer.reasons] == [("TAX_ID", "ein")]

    corrected = registry_fixtures.brand(
        replace(BRAND, ein="987654321"),
        vendor_id=answer.vendor_id,
        vendor_state=answer.vendor_state,
    )
    request, answer = await carry(registry, corrected)
    assert registration["status"] == "PENDING"
    assert Counter({kind: len(twilio.all(kind)) for kind in ONCE}) == Counter(ONCE)
    business = next(d for d in twilio.all("EndUsers") if "business_name" in d["attributes"])
    assert business["attributes"]["business_registration_number"] == "987654321"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PENDING", RegistryStatus.PENDING),
        ("IN_REVIEW", RegistryStatus.PENDING),
        ("APPROVED", RegistryStatus.DONE),
        ("FAILED", RegistryStatus.REJECTED),
        ("SUSPENDED", RegistryStatus.REJECTED),
        ("DELETION_PENDING", RegistryStatus.REJECTED),
        ("DELETION_FAILED", RegistryStatus.REJECTED),
        ("SOMETHING_NEW", RegistryStatus.PENDING),
    ],
)
async def test_every_status_of_a_brand_is_mapped(word: str, status: RegistryStatus) -> None:
    twilio, registry = set_up()
    request, _ = await carry(registry, registry_fixtures.brand())
    for kind in ("CustomerProfiles", "TrustProducts"):
        approve(twilio, kind)
    request, _ = await ask(registry, request)
    twilio.all("BrandRegistrations")[0]["status"] = word
    _, answer = await ask(registry, request)
    assert answer.status is status
    assert bool(answer.reasons) is (status is RegistryStatus.REJECTED)


@pytest.mark.parametrize("kind", ["CustomerProfiles", "TrustProducts"])
async def test_a_rejected_bundle_rejects_the_brand(kind: str) -> None:
    twilio, registry = set_up()
    request, _ = await carry(registry, registry_fixtures.brand())
    approve(twilio, "CustomerProfiles")
    approve(twilio, kind, word="twilio-rejected")
    twilio.all(kind)[0]["errors"] = [{"code": 18601}]
    _, answer = await ask(registry, request)
    assert answer.status is RegistryStatus.REJECTED
    assert [reason.code for reason in answer.reasons] == ["18601"]


async def test_fields_that_only_twilio_requires_are_checked_before_any_call() -> None:
    twilio, registry = set_up()
    _, answer = await carry(
        registry, registry_fixtures.brand(replace(BRAND, first_name=None, website=None))
    )
    assert answer.status is RegistryStatus.REJECTED
    assert [reason.field for reason in answer.reasons] == ["firstName", "website"]
    assert twilio.asked == []


async def test_a_campaign_gets_its_own_service_and_returns_its_throughput() -> None:
    twilio, registry = set_up()
    request, answer = await carry(
        registry, registry_fixtures.campaign(await approved_brand(twilio, registry))
    )
    assert answer.status is RegistryStatus.PENDING
    [made] = twilio.all("Usa2p")
    made |= {"campaign_status": "VERIFIED", "rate_limits": {"att": {"msg_class": "T"}}}
    _, answer = await ask(registry, request)
    assert answer.status is RegistryStatus.DONE
    assert answer.segments_per_second == Decimal("1.250")
    assert len(twilio.all("Services")) == 1


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_campaign_is_registered_once_whatever_answer_is_lost(when: str) -> None:
    twilio, registry = set_up()
    brand = await approved_brand(twilio, registry)

    def lose() -> None:
        twilio.loses = when

    await carry(registry, registry_fixtures.campaign(brand), before=every_other(lose))
    assert (len(twilio.all("Services")), len(twilio.all("Usa2p"))) == (1, 1)


async def test_a_rejected_campaign_is_amended_where_that_is_possible() -> None:
    twilio, registry = set_up()
    brand = await approved_brand(twilio, registry)
    request, _ = await carry(registry, registry_fixtures.campaign(brand))
    [made] = twilio.all("Usa2p")
    made |= {
        "campaign_status": "FAILED",
        "errors": [
            {"error_code": 30897, "fields": ["MESSAGE_FLOW"], "description": "Disallowed content."}
        ],
    }
    request, answer = await ask(registry, request)
    assert answer.reasons == (
        Reason(code="30897", field="messageFlow", message="Disallowed content."),
    )
    again = {"vendor_id": answer.vendor_id, "vendor_state": answer.vendor_state}
    words = replace(CAMPAIGN, description=CAMPAIGN.description + " No more than one a day.")
    _, answer = await carry(registry, registry_fixtures.campaign(brand, words, **again))
    assert [d["sid"] for d in twilio.all("Usa2p")] == [made["sid"]]
    assert made["description"] == words.description


async def test_a_campaign_with_another_use_case_is_recreated_in_the_same_service() -> None:
    twilio, registry = set_up()
    brand = await approved_brand(twilio, registry)
    request, _ = await carry(registry, registry_fixtures.campaign(brand))
    [made] = twilio.all("Usa2p")
    made["campaign_status"] = "FAILED"
    _, answer = await ask(registry, request)
    again = {"vendor_id": answer.vendor_id, "vendor_state": answer.vendor_state}
    other = replace(CAMPAIGN, use_case=UseCase.CUSTOMER_CARE)
    _, answer = await carry(registry, registry_fixtures.campaign(brand, other, **again))
    [remade] = twilio.all("Usa2p")
    assert remade["us_app_to_person_usecase"] == "CUSTOMER_CARE"
    assert (answer.vendor_id, remade["sid"] == made["sid"]) == (remade["sid"], False)
    assert len(twilio.all("Services")) == 1


@pytest.mark.parametrize("type", list(EntityType))
async def test_every_kind_of_business_can_be_described(type: EntityType) -> None:
    _, registry = set_up()
    profile = replace(SOLE if type is EntityType.SOLE_PROPRIETOR else BRAND, entity_type=type)
    _, answer = await carry(registry, registry_fixtures.brand(profile))
    assert answer.status is RegistryStatus.PENDING


async def test_nothing_is_written_after_the_deadline() -> None:
    twilio, registry = set_up()
    late = registry_fixtures.purchase(not_after=datetime.now(UTC) - timedelta(seconds=1))
    assert isinstance(await registry.submit(late), NotProcessed)
    assert twilio.asked == []


async def test_an_operation_that_was_never_submitted_is_not_found() -> None:
    _, registry = set_up()
    for request in (registry_fixtures.purchase(), registry_fixtures.brand()):
        assert isinstance(await registry.look_up(request), NotFound)


async def test_an_unreachable_registry_is_unanswered() -> None:
    twilio, registry = set_up()
    twilio.handle_async_request = _down  # type: ignore[method-assign]
    assert isinstance(await registry.look_up(registry_fixtures.purchase()), Unanswered)
    offered = await registry.search_numbers(area_code=None, type=NumberType.TOLL_FREE, limit=1)
    assert isinstance(offered, Unanswered)


async def _down(request: Any) -> Any:
    raise httpx.ConnectError("down")


async def test_lists_are_read_to_their_end() -> None:
    twilio, registry = set_up()
    wanted = registry_fixtures.campaign(
        OperationStatus(status=RegistryStatus.DONE, vendor_id="BN1")
    )
    names = [*(f"other {n}" for n in range(1200)), wanted.reference]
    twilio.folders["/v1/Services"] = [
        {"sid": f"MG{n}", "friendly_name": name} for n, name in enumerate(names)
    ]
    found = await registry.look_up(wanted)
    assert isinstance(found, MoreCallsNeeded)
    assert found.vendor_state["sids"] == {"service": "MG1200"}
    assert len(twilio.asked) == 3
