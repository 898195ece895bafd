"""Steps the tests of the registry share: a double, a registry on it, and what stands before."""

from models.rules.registration.vocabulary import RegistryStatus
from providers.ports.registration import Stands
from providers.twilio.registry import TwilioRegistry
from tests.vendors import registry_fixtures
from tests.vendors.registry_fixtures import ask, carry, registry
from tests.vendors.twilio_double import TwilioDouble


def set_up() -> tuple[TwilioDouble, TwilioRegistry]:
    twilio = TwilioDouble()
    return twilio, registry(registry_fixtures.client(registry_fixtures.transport(twilio)))


def approve(twilio: TwilioDouble, kind: str, *, word: str = "twilio-approved") -> None:
    for found in twilio.all(kind):
        found["status"] = word


async def approved_brand(twilio: TwilioDouble, desk: TwilioRegistry) -> Stands:
    request, stands = await carry(desk, registry_fixtures.brand())
    for kind in ("CustomerProfiles", "TrustProducts"):
        approve(twilio, kind)
    request, stands = await ask(desk, request)
    approve(twilio, "BrandRegistrations", word="APPROVED")
    request, stands = await ask(desk, request)
    assert stands.standing is RegistryStatus.DONE
    return stands


async def approved_campaign(twilio: TwilioDouble, desk: TwilioRegistry) -> Stands:
    request, stands = await carry(
        desk, registry_fixtures.campaign(await approved_brand(twilio, desk))
    )
    assert stands.standing is RegistryStatus.PENDING
    twilio.all("Usa2p")[0]["campaign_status"] = "VERIFIED"
    _, stands = await ask(desk, request)
    return stands
