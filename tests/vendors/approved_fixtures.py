"""Common steps of the registry's tests: a double, a registry on it, and its inputs."""

from models.rules.registration.vocabulary import RegistryStatus
from providers.ports.registration import OperationStatus
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


async def approved_brand(twilio: TwilioDouble, registry: TwilioRegistry) -> OperationStatus:
    request, answer = await carry(registry, registry_fixtures.brand())
    for kind in ("CustomerProfiles", "TrustProducts"):
        approve(twilio, kind)
    request, answer = await ask(registry, request)
    approve(twilio, "BrandRegistrations", word="APPROVED")
    request, answer = await ask(registry, request)
    assert answer.status is RegistryStatus.DONE
    return answer


async def approved_campaign(twilio: TwilioDouble, registry: TwilioRegistry) -> OperationStatus:
    request, answer = await carry(
        registry, registry_fixtures.campaign(await approved_brand(twilio, registry))
    )
    assert answer.status is RegistryStatus.PENDING
    twilio.all("Usa2p")[0]["campaign_status"] = "VERIFIED"
    _, answer = await ask(registry, request)
    return answer
