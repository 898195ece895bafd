"""Numbers at Twilio: bought once, assigned, unassigned, released."""

import pytest

from models.rules.registration.vocabulary import NumberType, RegistryStatus
from providers.ports.messages import NotFound
from providers.ports.registration import AvailableNumber, NumberOffers, OperationStatus
from providers.ports.sip import SipAccount
from tests.vendors import registry_fixtures
from tests.vendors.approved_fixtures import approved_brand, approved_campaign, set_up
from tests.vendors.registry_fixtures import NUMBER, ask, carry, every_other
from tests.vendors.twilio_double import TwilioDouble

ACCOUNT = SipAccount(username="t1m2", realm="sip.example.com", password="Correct1Horse2Battery")


async def test_a_number_is_bought_assigned_unassigned_and_released() -> None:
    twilio, registry = set_up()
    campaign = await approved_campaign(twilio, registry)
    _, number = await carry(registry, registry_fixtures.purchase())
    [ours] = twilio.all("IncomingPhoneNumbers")
    assert (ours["phone_number"], number.vendor_id) == (NUMBER, ours["sid"])

    request, answer = await carry(registry, registry_fixtures.assignment(number, campaign))
    assert answer.status is RegistryStatus.DONE
    assert [d["sid"] for d in twilio.all("PhoneNumbers")] == [ours["sid"]]
    assert (await ask(registry, request))[1].status is RegistryStatus.DONE

    request, _ = await carry(registry, registry_fixtures.assignment(number, campaign))  # idempotent
    _, answer = await carry(registry, registry_fixtures.unassignment(number, campaign))
    assert (answer.status, twilio.all("PhoneNumbers")) == (RegistryStatus.DONE, [])

    for _ in range(2):
        _, answer = await carry(registry, registry_fixtures.release(number.vendor_id))
        assert (answer.status, twilio.all("IncomingPhoneNumbers")) == (RegistryStatus.DONE, [])


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_lost_answer_to_a_purchase_never_buys_a_second_number(when: str) -> None:
    twilio, registry = set_up()
    twilio.loses = when
    _, answer = await carry(registry, registry_fixtures.purchase())
    [ours] = twilio.all("IncomingPhoneNumbers")
    assert (answer.status, answer.vendor_id) == (RegistryStatus.DONE, ours["sid"])


async def test_a_purchase_that_took_effect_late_is_recognised_when_it_is_repeated() -> None:
    twilio, registry = set_up()
    request = registry_fixtures.purchase()
    await carry(registry, request)
    answer = await registry.submit(request)  # as after a look-up that came too early
    assert isinstance(answer, OperationStatus)
    assert (answer.status, len(twilio.all("IncomingPhoneNumbers"))) == (RegistryStatus.DONE, 1)


async def test_a_number_bought_by_another_customer_is_rejected() -> None:
    _, registry = set_up()
    await carry(registry, registry_fixtures.purchase())
    _, answer = await carry(registry, registry_fixtures.purchase())
    assert answer.status is RegistryStatus.REJECTED
    assert [(r.code, r.field) for r in answer.reasons] == [("21422", "number")]


async def test_another_number_under_the_same_reference_is_not_the_one_wanted() -> None:
    twilio, registry = set_up()
    await carry(registry, registry_fixtures.purchase("+12135550199", reference="hxr-number-1-1-1"))
    request = registry_fixtures.purchase(reference="hxr-number-1-1-1")
    assert isinstance(await registry.look_up(request), NotFound)
    _, answer = await carry(registry, request)
    assert answer.status is RegistryStatus.DONE
    bought = {d["sid"]: d["phone_number"] for d in twilio.all("IncomingPhoneNumbers")}
    assert bought[answer.vendor_id] == NUMBER


async def test_two_installations_of_one_account_never_take_each_others_for_their_own() -> None:
    twilio, ours = set_up()
    theirs = registry_fixtures.registry(
        registry_fixtures.client(registry_fixtures.transport(twilio), label="staging")
    )
    reference = "hxr-number-1-1-1"
    await carry(theirs, registry_fixtures.purchase(reference=reference))
    assert isinstance(await ours.look_up(registry_fixtures.purchase(reference=reference)), NotFound)
    _, answer = await carry(ours, registry_fixtures.purchase(reference=reference))
    assert answer.status is RegistryStatus.REJECTED
    found = await theirs.look_up(registry_fixtures.purchase(reference=reference))
    assert isinstance(found, OperationStatus)
    assert found.status is RegistryStatus.DONE


async def test_everything_an_installation_makes_begins_with_its_label() -> None:
    twilio = TwilioDouble()
    client = registry_fixtures.client(registry_fixtures.transport(twilio), label="staging")
    registry = registry_fixtures.registry(client)
    await approved_campaign(twilio, registry)
    await carry(registry, registry_fixtures.purchase())
    await registry_fixtures.directory(client).put(ACCOUNT)
    named = [name for form in twilio.told for name in form.get("FriendlyName", ())]
    assert len(named) == 10
    assert {name.partition(" ")[0] for name in named} == {"staging"}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_was_made_under_a_label_is_found_under_it(when: str) -> None:
    twilio = TwilioDouble()
    registry = registry_fixtures.registry(
        registry_fixtures.client(registry_fixtures.transport(twilio), label="staging")
    )

    def lose() -> None:
        twilio.loses = when

    brand = await approved_brand(twilio, registry)
    await carry(registry, registry_fixtures.brand(), before=every_other(lose))
    await carry(registry, registry_fixtures.campaign(brand), before=every_other(lose))
    counted = [len(twilio.all(kind)) for kind in ("CustomerProfiles", "Addresses", "Services")]
    assert counted == [2, 2, 1]


async def test_the_list_of_numbers_on_sale_is_limited() -> None:
    twilio, registry = set_up()
    twilio.for_sale = [
        {"phone_number": f"+1213555010{n}", "locality": "Los Angeles", "region": "CA"}
        for n in range(5)
    ]
    offered = await registry.search_numbers(area_code="213", type=NumberType.LOCAL, limit=2)
    assert isinstance(offered, NumberOffers)
    assert offered.numbers[0] == AvailableNumber(
        number="+12135550100", type=NumberType.LOCAL, locality="Los Angeles", region="CA"
    )
    assert len(offered.numbers) == 2
    [(_, folder)] = twilio.asked
    assert folder.endswith("/AvailablePhoneNumbers/US/Local")
