"""Steps the tests of the registry share: a double, a registry on it, and what stands before."""

from models.rules.registration_words import Standing
from providers.registration_ports import Stands
from providers.twilio.registry import TwilioRegistry
from tests.vendors import office
from tests.vendors.office import ask, carry, registry
from tests.vendors.twilio_double import TwilioDouble


def set_up() -> tuple[TwilioDouble, TwilioRegistry]:
    twilio = TwilioDouble()
    return twilio, registry(office.client(office.transport(twilio)))


def approve(twilio: TwilioDouble, kind: str, *, word: str = "twilio-approved") -> None:
    for found in twilio.all(kind):
        found["status"] = word


async def approved_brand(twilio: TwilioDouble, desk: TwilioRegistry) -> Stands:
    request, stands = await carry(desk, office.brand())
    for kind in ("CustomerProfiles", "TrustProducts"):
        approve(twilio, kind)
    request, stands = await ask(desk, request)
    approve(twilio, "BrandRegistrations", word="APPROVED")
    request, stands = await ask(desk, request)
    assert stands.standing is Standing.DONE
    return stands


async def approved_campaign(twilio: TwilioDouble, desk: TwilioRegistry) -> Stands:
    request, stands = await carry(desk, office.campaign(await approved_brand(twilio, desk)))
    assert stands.standing is Standing.PENDING
    twilio.all("Usa2p")[0]["campaign_status"] = "VERIFIED"
    _, stands = await ask(desk, request)
    return stands
