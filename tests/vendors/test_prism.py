"""Every request our adapters make of Twilio is one that Twilio's own description allows."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from models.rules.registration.vocabulary import NumberType, RegistryStatus, UseCase
from providers.ports.messages import NotFound
from providers.ports.registration import MoreCallsNeeded, NumberOffers, OperationStatus
from providers.ports.sip import SipAccount, Stored
from providers.twilio.client import Twilio
from tests.vendors import prism, registry_fixtures
from tests.vendors.prism import Checked, Violation
from tests.vendors.registry_fixtures import BRAND, CAMPAIGN, NUMBER, SOLE, ask, carry
from tests.vendors.trim import TRIMMED, USED, WHOLE, trimmed
from tests.vendors.twilio_double import TwilioDouble

pytestmark = pytest.mark.xdist_group("prism")
"""One Prism for all, and one account of what was asked."""

ACCOUNT = SipAccount(username="t1m2x", realm="sip.example.com", password="Correct1Horse2Battery")


class Desk:
    """The adapters, speaking to a double through Prism."""

    def __init__(self, twilio: TwilioDouble, checked: Checked, address: str) -> None:
        self.twilio = twilio
        self.checked = checked
        self.client: Twilio = registry_fixtures.client(checked, address)
        self.registry = registry_fixtures.registry(self.client)
        self.directory = registry_fixtures.directory(self.client)

    def decide(self, kind: str, **told: Any) -> None:
        for found in self.twilio.all(kind):
            found |= told

    async def approved_brand(self, **changes: Any) -> OperationStatus:
        request, _ = await carry(self.registry, registry_fixtures.brand(replace(BRAND, **changes)))
        self.decide("CustomerProfiles", status="twilio-approved")
        self.decide("TrustProducts", status="twilio-approved")
        request, _ = await ask(self.registry, request)
        self.decide("BrandRegistrations", status="APPROVED")
        _, answer = await ask(self.registry, request)
        assert answer.status is RegistryStatus.DONE
        return answer


@pytest.fixture(scope="module")
async def desk() -> AsyncIterator[Desk]:
    """One Prism for all tests of this file; each asks for things of its own."""
    reason = prism.missing()
    if reason is not None:
        if prism.required():
            pytest.fail(reason)
        pytest.skip(reason)
    twilio, checked = TwilioDouble(), Checked()
    async with prism.between(twilio) as address:
        yield Desk(twilio, checked, address)
    await checked.aclose()


async def test_a_brand_from_the_first_bundle_to_its_correction(desk: Desk) -> None:
    answer = await desk.approved_brand()
    desk.decide("BrandRegistrations", status="FAILED", brand_feedback=["TAX_ID"])
    again = {"vendor_id": answer.vendor_id, "vendor_state": answer.vendor_state}
    _, answer = await carry(
        desk.registry, registry_fixtures.brand(replace(BRAND, ein="987654321"), **again)
    )
    assert answer.status is RegistryStatus.PENDING
    again["vendor_state"] = answer.vendor_state
    _, answer = await carry(
        desk.registry, registry_fixtures.brand(replace(BRAND, country="CA"), **again)
    )
    assert answer.status is RegistryStatus.PENDING


async def test_a_brand_of_a_sole_proprietor(desk: Desk) -> None:
    _, answer = await carry(desk.registry, registry_fixtures.brand(SOLE))
    assert answer.status is RegistryStatus.PENDING


async def test_looking_for_every_answer_that_may_be_lost(desk: Desk) -> None:
    request = registry_fixtures.brand()
    for _ in range(2):  # until it waits for review, then until it is registered
        while isinstance(answer := await desk.registry.submit(request), MoreCallsNeeded):
            assert isinstance(await desk.registry.look_up(request), MoreCallsNeeded | NotFound)
            request = replace(request, vendor_state=answer.vendor_state)
        assert isinstance(answer, OperationStatus)
        desk.decide("CustomerProfiles", status="twilio-approved")
        desk.decide("TrustProducts", status="twilio-approved")
    assert isinstance(answer, OperationStatus)
    assert answer.vendor_id is not None
    assert isinstance(await desk.registry.look_up(request), OperationStatus)
    brand = await desk.approved_brand()
    campaign = registry_fixtures.campaign(brand)
    while isinstance(answer := await desk.registry.submit(campaign), MoreCallsNeeded):
        assert isinstance(await desk.registry.look_up(campaign), MoreCallsNeeded)
        campaign = replace(campaign, vendor_state=answer.vendor_state)
    assert isinstance(await desk.registry.look_up(campaign), OperationStatus)


async def test_a_campaign_its_correction_and_one_made_anew(desk: Desk) -> None:
    brand = await desk.approved_brand()
    request, _ = await carry(desk.registry, registry_fixtures.campaign(brand))
    desk.decide("Usa2p", campaign_status="FAILED")
    request, answer = await ask(desk.registry, request)
    again = {"vendor_id": answer.vendor_id, "vendor_state": answer.vendor_state}
    full = replace(
        CAMPAIGN,
        privacy_policy_url="https://gym.example.com/privacy",
        terms_url="https://gym.example.com/terms",
        age_gated=True,
    )
    _, answer = await carry(desk.registry, registry_fixtures.campaign(brand, full, **again))
    desk.decide("Usa2p", campaign_status="FAILED")
    again = {"vendor_id": answer.vendor_id, "vendor_state": answer.vendor_state}
    other = replace(CAMPAIGN, use_case=UseCase.CUSTOMER_CARE)
    _, answer = await carry(desk.registry, registry_fixtures.campaign(brand, other, **again))
    assert answer.status is RegistryStatus.PENDING


async def test_a_number_from_the_shop_window_to_its_return(desk: Desk) -> None:
    brand = await desk.approved_brand()
    _, campaign = await carry(desk.registry, registry_fixtures.campaign(brand))
    desk.twilio.for_sale = [{"phone_number": NUMBER, "locality": "Los Angeles", "region": "CA"}]
    for type, area_code in ((NumberType.LOCAL, "213"), (NumberType.TOLL_FREE, None)):
        found = await desk.registry.search_numbers(area_code=area_code, type=type, limit=10)
        assert isinstance(found, NumberOffers)
    purchase, number = await carry(desk.registry, registry_fixtures.purchase())
    assert (await ask(desk.registry, purchase))[1].status is RegistryStatus.DONE
    assigned, _ = await carry(desk.registry, registry_fixtures.assignment(number, campaign))
    assert (await ask(desk.registry, assigned))[1].status is RegistryStatus.DONE
    parted, _ = await carry(desk.registry, registry_fixtures.unassignment(number, campaign))
    assert (await ask(desk.registry, parted))[1].status is RegistryStatus.DONE
    returned, _ = await carry(desk.registry, registry_fixtures.release(number.vendor_id))
    assert (await ask(desk.registry, returned))[1].status is RegistryStatus.DONE


async def test_a_sip_account_from_its_list_to_its_end(desk: Desk) -> None:
    assert await desk.directory.put(ACCOUNT) == Stored()
    assert await desk.directory.put(replace(ACCOUNT, password="Another1Horse2Battery")) == Stored()
    assert await desk.directory.remove(ACCOUNT.username) == Stored()


async def test_a_wrong_request_is_found_out(desk: Desk) -> None:
    url = desk.client.messaging("a2p/BrandRegistrations")
    with pytest.raises(Violation, match="A2PProfileBundleSid"):
        await desk.client.create(
            url,
            {"CustomerProfileBundleSid": "nonsense"},
            not_after=datetime.max.replace(tzinfo=UTC),
        )


async def test_a_misspelt_field_is_found_out(desk: Desk) -> None:
    url = desk.client.api("IncomingPhoneNumbers")
    with pytest.raises(Violation, match="FriendlyNome"):
        await desk.client.create(
            url,
            {"PhoneNumber": NUMBER, "FriendlyNome": "hx"},
            not_after=datetime.max.replace(tzinfo=UTC),
        )


async def test_every_operation_that_is_described_was_asked_for(desk: Desk) -> None:
    # Last in this file: what no test above has sent was not checked.
    assert desk.checked.unasked == set()


def test_the_description_holds_what_we_use_and_nothing_else() -> None:
    described = json.loads(TRIMMED.read_text())["paths"]
    used = {path: sorted(methods) for file in USED.values() for path, methods in file.items()}
    assert {path: sorted(methods) for path, methods in described.items()} == used


@pytest.mark.skipif(not WHOLE.is_dir(), reason="Twilio's whole descriptions are not here")
def test_the_description_is_cut_from_twilios_own() -> None:
    assert json.loads(TRIMMED.read_text()) == trimmed(WHOLE)
