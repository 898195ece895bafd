"""Corrections of rejected registrations: amended where Twilio permits, otherwise created again."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest

from models.rules.registration.profiles import BrandProfile
from models.rules.registration.vocabulary import RegistryStatus, UseCase
from providers.ports.messages import Ambiguous, NotFound
from providers.ports.registration import (
    BrandRequest,
    CampaignRequest,
    MoreCallsNeeded,
    OperationStatus,
)
from providers.twilio.registry import TwilioRegistry
from tests.vendors import registry_fixtures
from tests.vendors.approved_fixtures import approve, approved_brand, set_up
from tests.vendors.registry_fixtures import BRAND, CAMPAIGN, SOLE, ask, carry, every_other, stored
from tests.vendors.twilio_double import TwilioDouble

STANDARD, SOLE_PROPRIETOR = "STANDARD", "SOLE_PROPRIETOR"
PEOPLE = {
    STANDARD: "authorized_representative_1",
    SOLE_PROPRIETOR: "starter_customer_profile_information",
}


async def decided(
    twilio: TwilioDouble, registry: TwilioRegistry, request: BrandRequest, word: str
) -> OperationStatus:
    """Take a brand through its reviews to the registry's decision."""
    request, answer = await carry(registry, request)
    for kind in ("CustomerProfiles", "TrustProducts"):
        approve(twilio, kind)
    request, answer = await ask(registry, request)
    found = twilio.all("BrandRegistrations")
    [ours] = [brand for brand in found if brand["sid"] == answer.vendor_id]
    ours["status"] = word
    _, answer = await ask(registry, request)
    return answer


def corrected(profile: BrandProfile, before: OperationStatus) -> BrandRequest:
    """Return the request for a rejected brand with a changed profile."""
    return registry_fixtures.brand(
        profile, vendor_id=before.vendor_id, vendor_state=before.vendor_state
    )


def held(twilio: TwilioDouble, kind: str, sid: str) -> Mapping[str, str]:
    """Return the ids of the objects in a bundle, by type."""
    inside = {d["object_sid"] for d in twilio.folders[f"/v1/{kind}/{sid}/EntityAssignments"]}
    made = (*twilio.all("EndUsers"), *twilio.all("SupportingDocuments"))
    return {d["type"]: d["sid"] for d in made if d["sid"] in inside}


@pytest.mark.parametrize(
    ("first", "then", "type"), [(BRAND, SOLE, SOLE_PROPRIETOR), (SOLE, BRAND, STANDARD)]
)
async def test_another_kind_of_business_takes_its_own_path_from_the_start(
    first: BrandProfile, then: BrandProfile, type: str
) -> None:
    twilio, registry = set_up()
    before = await decided(twilio, registry, registry_fixtures.brand(first), "FAILED")
    answer = await decided(twilio, registry, corrected(then, before), "APPROVED")
    old, new = twilio.all("BrandRegistrations")
    assert (answer.status, answer.vendor_id) == (RegistryStatus.DONE, new["sid"])
    assert (old["status"], new["brand_type"]) == ("FAILED", type)
    profiles, products = twilio.all("CustomerProfiles"), twilio.all("TrustProducts")
    for bundles in (profiles, products):
        assert len({bundle["policy_sid"] for bundle in bundles}) == len(bundles) == 2
    assert new["customer_profile_bundle_sid"] == profiles[1]["sid"]
    assert new["a2p_profile_bundle_sid"] == products[1]["sid"]
    assert PEOPLE[type] in held(twilio, "CustomerProfiles", profiles[1]["sid"])


async def test_who_goes_back_to_the_first_kind_amends_what_was_made_for_it() -> None:
    twilio, registry = set_up()
    first = await decided(twilio, registry, registry_fixtures.brand(), "FAILED")
    second = await decided(twilio, registry, corrected(SOLE, first), "FAILED")
    third = await decided(twilio, registry, corrected(BRAND, second), "APPROVED")
    assert (third.status, third.vendor_id) == (RegistryStatus.DONE, first.vendor_id)
    assert len(twilio.all("BrandRegistrations")) == 2


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_change_of_kind_makes_nothing_twice_whatever_answer_is_lost(when: str) -> None:
    twilio, registry = set_up()
    before = await decided(twilio, registry, registry_fixtures.brand(), "FAILED")

    def lose() -> None:
        twilio.loses = when

    await carry(registry, corrected(SOLE, before), before=every_other(lose))
    counted = Counter(d["policy_sid"] for d in twilio.all("CustomerProfiles"))
    assert list(counted.values()) == [1, 1]
    assert len(twilio.all("EndUsers")) == 3 + 2


async def test_a_wrong_country_is_corrected_by_an_address_there() -> None:
    twilio, registry = set_up()
    before = await decided(
        twilio, registry, registry_fixtures.brand(replace(BRAND, country="CA")), "FAILED"
    )
    answer = await decided(twilio, registry, corrected(BRAND, before), "APPROVED")
    assert (answer.status, answer.vendor_id) == (RegistryStatus.DONE, before.vendor_id)
    wrong, right = twilio.all("Addresses")
    assert (wrong["iso_country"], right["iso_country"]) == ("CA", "US")
    [document] = twilio.all("SupportingDocuments")
    assert document["attributes"] == {"address_sids": right["sid"]}
    [profile] = twilio.all("CustomerProfiles")
    inside = held(twilio, "CustomerProfiles", profile["sid"])
    assert inside["customer_profile_address"] == document["sid"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_country_that_goes_and_comes_back_is_named_whatever_answer_is_lost(
    when: str,
) -> None:
    twilio, registry = set_up()
    answer = await decided(twilio, registry, registry_fixtures.brand(), "FAILED")

    def lose() -> None:
        twilio.loses = when

    for country in ("CA", "US"):
        request = corrected(replace(BRAND, country=country), answer)
        request, answer = await carry(registry, request, before=every_other(lose))
        [document] = twilio.all("SupportingDocuments")
        where = {d["sid"]: d["iso_country"] for d in twilio.all("Addresses")}
        assert where[document["attributes"]["address_sids"]] == country
        twilio.all("BrandRegistrations")[0]["status"] = "FAILED"
    assert len(where) == 2


async def test_an_address_that_stays_leaves_its_document_alone() -> None:
    twilio, registry = set_up()
    before = await decided(twilio, registry, registry_fixtures.brand(), "FAILED")
    asked = len(twilio.asked)
    await decided(twilio, registry, corrected(replace(BRAND, ein="987654321"), before), "APPROVED")
    assert not [path for _, path in twilio.asked[asked:] if "SupportingDocuments" in path]


async def losing(
    twilio: TwilioDouble, registry: TwilioRegistry, request: CampaignRequest
) -> CampaignRequest:
    """Run step after step until the campaign is created, and lose every response; it then
    FAILED.
    """
    while True:
        twilio.loses = "after"
        answer: object = await registry.submit(request)
        use = request.profile.use_case
        made = [d for d in twilio.all("Usa2p") if d["us_app_to_person_usecase"] == use]
        if made:
            made[0]["campaign_status"] = "FAILED"
            return request
        if isinstance(answer, Ambiguous):
            answer = await registry.look_up(request)
        assert isinstance(answer, MoreCallsNeeded)
        request = replace(request, vendor_state=answer.vendor_state)


async def test_a_campaign_rejected_before_its_lost_answer_is_looked_for_is_ours() -> None:
    twilio, registry = set_up()
    request = await losing(
        twilio, registry, registry_fixtures.campaign(await approved_brand(twilio, registry))
    )
    found = await registry.look_up(request)
    [made] = twilio.all("Usa2p")
    assert isinstance(found, OperationStatus)
    assert found.vendor_id == made["sid"]
    _, answer = await ask(registry, stored(request, found)[0])
    assert (answer.status, answer.vendor_id) == (RegistryStatus.REJECTED, made["sid"])


async def test_after_a_refused_second_campaign_the_first_is_looked_up() -> None:
    twilio, registry = set_up()
    request = await losing(
        twilio, registry, registry_fixtures.campaign(await approved_brand(twilio, registry))
    )
    twilio.refuses["Usa2p"] = (409, {"code": 21714, "message": "one only", "status": 409})
    answer = await registry.submit(request)  # as after a look-up that came too early
    assert isinstance(answer, OperationStatus)
    assert (answer.status, answer.vendor_id) == (
        RegistryStatus.PENDING,
        twilio.all("Usa2p")[0]["sid"],
    )


async def test_a_campaign_that_twilio_refuses_and_has_not_is_rejected() -> None:
    twilio, registry = set_up()
    twilio.refuses["Usa2p"] = (400, {"code": 21717, "message": "no", "status": 400})
    _, answer = await carry(
        registry, registry_fixtures.campaign(await approved_brand(twilio, registry))
    )
    assert (answer.status, answer.vendor_id) == (RegistryStatus.REJECTED, None)
    assert [reason.code for reason in answer.reasons] == ["21717"]


async def test_a_recreated_campaign_is_distinguished_from_the_rejected_one() -> None:
    twilio, registry = set_up()
    brand = await approved_brand(twilio, registry)
    request, _ = await carry(registry, registry_fixtures.campaign(brand))
    [first] = twilio.all("Usa2p")
    first["campaign_status"] = "FAILED"
    _, answer = await ask(registry, request)
    again = {"vendor_id": answer.vendor_id, "vendor_state": answer.vendor_state}
    other = replace(CAMPAIGN, use_case=UseCase.CUSTOMER_CARE)
    request = await losing(twilio, registry, registry_fixtures.campaign(brand, other, **again))
    found = await registry.look_up(request)
    [made] = twilio.all("Usa2p")
    assert isinstance(found, OperationStatus)
    assert (found.vendor_id, made is first) == (made["sid"], False)


@pytest.mark.parametrize(("word", "seen"), [("FAILED", False), ("IN_PROGRESS", True)])
async def test_whether_a_campaign_was_amended_is_seen_by_its_status(word: str, seen: bool) -> None:
    twilio, registry = set_up()
    brand = await approved_brand(twilio, registry)
    request, _ = await carry(registry, registry_fixtures.campaign(brand))
    [made] = twilio.all("Usa2p")
    made["campaign_status"] = "FAILED"
    _, answer = await ask(registry, request)
    request = registry_fixtures.campaign(
        brand, vendor_id=answer.vendor_id, vendor_state=answer.vendor_state
    )
    while isinstance(submitted := await registry.submit(request), MoreCallsNeeded):
        request = replace(request, vendor_state=submitted.vendor_state)
        twilio.loses = "after" if "fixed" in submitted.vendor_state["done"] else None
    assert isinstance(submitted, Ambiguous)
    made["campaign_status"] = word
    assert isinstance(await registry.look_up(request), NotFound) is not seen
