"""Every request of our adapters conforms to Twilio's OpenAPI description."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from models.rules.registration.vocabulary import NumberType, RegistryStatus, UseCase
from providers.accounts import CheckResult
from providers.ports.messages import Accepted, Found, Listed, NotFound
from providers.ports.registration import MoreCallsNeeded, NumberOffers, OperationStatus
from providers.ports.sip import SipAccount, Stored
from providers.twilio.client import Twilio
from providers.twilio.setup import check_credentials
from tests.vendors import prism, registry_fixtures, sms_fixtures
from tests.vendors.prism import Checked, Violation
from tests.vendors.registry_fixtures import BRAND, CAMPAIGN, NUMBER, SOLE, ask, carry
from tests.vendors.sms_fixtures import FROM, NEVER_TOO_LATE, NOW, TO, asked, sms
from tests.vendors.trim import TRIMMED, USED, WHOLE, trimmed
from tests.vendors.twilio_double import TwilioDouble

pytestmark = pytest.mark.xdist_group("prism")
"""One Prism for all tests, and one record of the requests."""

ACCOUNT = SipAccount(username="t1m2x", realm="sip.example.com", password="Correct1Horse2Battery")


class Adapters:
    """The adapters, connected to a double through Prism."""

    def __init__(self, twilio: TwilioDouble, checked: Checked, address: str) -> None:
        self.twilio = twilio
        self.checked = checked
        self.client: Twilio = registry_fixtures.client(checked, address)
        self.registry = registry_fixtures.registry(self.client)
        self.directory = registry_fixtures.directory(self.client)
        self.sms = sms_fixtures.adapter(checked, address)

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
async def adapters() -> AsyncIterator[Adapters]:
    """One Prism for all tests of this file; each uses objects of its own."""
    reason = prism.missing()
    if reason is not None:
        if prism.required():
            pytest.fail(reason)
        pytest.skip(reason)
    twilio, checked = TwilioDouble(), Checked()
    async with prism.between(twilio) as address:
        yield Adapters(twilio, checked, address)
    await checked.aclose()


async def test_a_brand_from_the_first_bundle_to_its_correction(adapters: Adapters) -> None:
    answer = await adapters.approved_brand()
    adapters.decide("BrandRegistrations", status="FAILED", brand_feedback=["TAX_ID"])
    again = {"vendor_id": answer.vendor_id, "vendor_state": answer.vendor_state}
    _, answer = await carry(
        adapters.registry, registry_fixtures.brand(replace(BRAND, ein="987654321"), **again)
    )
    assert answer.status is RegistryStatus.PENDING
    again["vendor_state"] = answer.vendor_state
    _, answer = await carry(
        adapters.registry, registry_fixtures.brand(replace(BRAND, country="CA"), **again)
    )
    assert answer.status is RegistryStatus.PENDING


async def test_a_brand_of_a_sole_proprietor(adapters: Adapters) -> None:
    _, answer = await carry(adapters.registry, registry_fixtures.brand(SOLE))
    assert answer.status is RegistryStatus.PENDING


async def test_looking_for_every_answer_that_may_be_lost(adapters: Adapters) -> None:
    request = registry_fixtures.brand()
    for _ in range(2):  # until it waits for review, then until it is registered
        while isinstance(answer := await adapters.registry.submit(request), MoreCallsNeeded):
            assert isinstance(await adapters.registry.look_up(request), MoreCallsNeeded | NotFound)
            request = replace(request, vendor_state=answer.vendor_state)
        assert isinstance(answer, OperationStatus)
        adapters.decide("CustomerProfiles", status="twilio-approved")
        adapters.decide("TrustProducts", status="twilio-approved")
    assert isinstance(answer, OperationStatus)
    assert answer.vendor_id is not None
    assert isinstance(await adapters.registry.look_up(request), OperationStatus)
    brand = await adapters.approved_brand()
    campaign = registry_fixtures.campaign(brand)
    while isinstance(answer := await adapters.registry.submit(campaign), MoreCallsNeeded):
        assert isinstance(await adapters.registry.look_up(campaign), MoreCallsNeeded)
        campaign = replace(campaign, vendor_state=answer.vendor_state)
    assert isinstance(await adapters.registry.look_up(campaign), OperationStatus)


async def test_a_campaign_its_correction_and_a_recreated_one(adapters: Adapters) -> None:
    brand = await adapters.approved_brand()
    request, _ = await carry(adapters.registry, registry_fixtures.campaign(brand))
    adapters.decide("Usa2p", campaign_status="FAILED")
    request, answer = await ask(adapters.registry, request)
    again = {"vendor_id": answer.vendor_id, "vendor_state": answer.vendor_state}
    full = replace(
        CAMPAIGN,
        privacy_policy_url="https://gym.example.com/privacy",
        terms_url="https://gym.example.com/terms",
        age_gated=True,
    )
    _, answer = await carry(adapters.registry, registry_fixtures.campaign(brand, full, **again))
    adapters.decide("Usa2p", campaign_status="FAILED")
    again = {"vendor_id": answer.vendor_id, "vendor_state": answer.vendor_state}
    other = replace(CAMPAIGN, use_case=UseCase.CUSTOMER_CARE)
    _, answer = await carry(adapters.registry, registry_fixtures.campaign(brand, other, **again))
    assert answer.status is RegistryStatus.PENDING


async def test_a_number_from_the_shop_window_to_its_return(adapters: Adapters) -> None:
    brand = await adapters.approved_brand()
    _, campaign = await carry(adapters.registry, registry_fixtures.campaign(brand))
    adapters.twilio.for_sale = [{"phone_number": NUMBER, "locality": "Los Angeles", "region": "CA"}]
    for type, area_code in ((NumberType.LOCAL, "213"), (NumberType.TOLL_FREE, None)):
        found = await adapters.registry.search_numbers(area_code=area_code, type=type, limit=10)
        assert isinstance(found, NumberOffers)
    purchase, number = await carry(adapters.registry, registry_fixtures.purchase())
    assert (await ask(adapters.registry, purchase))[1].status is RegistryStatus.DONE
    assigned, _ = await carry(adapters.registry, registry_fixtures.assignment(number, campaign))
    assert (await ask(adapters.registry, assigned))[1].status is RegistryStatus.DONE
    parted, _ = await carry(adapters.registry, registry_fixtures.unassignment(number, campaign))
    assert (await ask(adapters.registry, parted))[1].status is RegistryStatus.DONE
    returned, _ = await carry(adapters.registry, registry_fixtures.release(number.vendor_id))
    assert (await ask(adapters.registry, returned))[1].status is RegistryStatus.DONE


async def test_a_sip_account_from_its_list_to_its_end(adapters: Adapters) -> None:
    assert await adapters.directory.put(ACCOUNT) == Stored()
    assert (
        await adapters.directory.put(replace(ACCOUNT, password="Another1Horse2Battery")) == Stored()
    )
    assert await adapters.directory.remove(ACCOUNT.username) == Stored()


async def test_an_sms_and_its_look_ups_by_id_and_in_the_list(adapters: Adapters) -> None:
    now = datetime.now(UTC)
    times = {"requested_at": now, "deadline": now + timedelta(seconds=10)}
    sent = [await adapters.sms.send(sms()) for _ in range(2)]
    sent.append(await adapters.sms.send(sms(valid_until=NOW + timedelta(minutes=10))))
    ids = [answer.provider_message_id for answer in sent if isinstance(answer, Accepted)]
    assert len(ids) == 3
    listed = await adapters.sms.look_up(asked(**times))
    assert isinstance(listed, Listed)
    assert [found.provider_message_id for found in listed.candidates] == ids
    adapters.decide("Messages", status="undelivered", error_code=30003, price="-0.0083")
    found = await adapters.sms.look_up(asked(**times, provider_message_id=ids[0]))
    assert isinstance(found, Found)
    assert found.reports[0].price == Decimal("0.0083")
    url, pages = adapters.client.api("Messages"), 0
    async for _ in adapters.client.list_pages(url, "messages", {"To": TO, "From": FROM}, page=1):
        pages += 1
    assert pages == 3


async def test_the_account_is_read_to_check_its_credentials(adapters: Adapters) -> None:
    assert await check_credentials(adapters.client) == CheckResult(valid=True)
    adapters.twilio.status = "suspended"
    assert not (await check_credentials(adapters.client)).valid
    adapters.twilio.status = "active"


@pytest.mark.parametrize(
    "wrong", [{"SmartEncode": False}, {"ValidityPeriod": "soon"}, {"StatusCallback": "no address"}]
)
async def test_a_wrong_sms_is_found_out(adapters: Adapters, wrong: dict[str, Any]) -> None:
    form = {"To": TO, "From": FROM, "Body": "x", **wrong}
    with pytest.raises(Violation):
        await adapters.client.post(adapters.client.api("Messages"), form, not_after=NEVER_TOO_LATE)


async def test_a_wrong_request_is_found_out(adapters: Adapters) -> None:
    url = adapters.client.messaging("a2p/BrandRegistrations")
    with pytest.raises(Violation, match="A2PProfileBundleSid"):
        await adapters.client.create(
            url,
            {"CustomerProfileBundleSid": "nonsense"},
            not_after=datetime.max.replace(tzinfo=UTC),
        )


async def test_a_misspelt_field_is_found_out(adapters: Adapters) -> None:
    url = adapters.client.api("IncomingPhoneNumbers")
    with pytest.raises(Violation, match="FriendlyNome"):
        await adapters.client.create(
            url,
            {"PhoneNumber": NUMBER, "FriendlyNome": "hx"},
            not_after=datetime.max.replace(tzinfo=UTC),
        )


async def test_every_described_operation_was_requested(adapters: Adapters) -> None:
    # Must be the last test: operations that no test above has requested were not validated.
    assert adapters.checked.unasked == set()


def test_the_description_holds_what_we_use_and_nothing_else() -> None:
    described = json.loads(TRIMMED.read_text())["paths"]
    used = {path: sorted(methods) for file in USED.values() for path, methods in file.items()}
    assert {path: sorted(methods) for path, methods in described.items()} == used


@pytest.mark.skipif(not WHOLE.is_dir(), reason="Twilio's whole descriptions are not here")
def test_the_description_is_cut_from_twilios_own() -> None:
    assert json.loads(TRIMMED.read_text()) == trimmed(WHOLE)
