"""Requests of the tests of Twilio's adapters, and helpers that poll for the result."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, cast
from uuid import uuid4

import httpx

from models.rules.registration.profiles import BrandProfile, CampaignProfile
from models.rules.registration.vocabulary import EntityType, NumberType, UseCase, Vertical
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered
from providers.ports.registration import (
    AssignmentRequest,
    BrandRequest,
    CampaignRequest,
    MoreCallsNeeded,
    OperationStatus,
    PurchaseRequest,
    ReleaseRequest,
    UnassignmentRequest,
)
from providers.twilio.brands import OperatorProfile
from providers.twilio.client import Account, Twilio
from providers.twilio.registry import TwilioRegistry
from providers.twilio.sip import TwilioSip
from tests.vendors.twilio_double import ACCOUNT, DOMAIN, PRIMARY, TOKEN, TwilioDouble

SECONDS: Final = timedelta(seconds=5)
NUMBER: Final = "+12135550123"
INBOUND_URL: Final = "https://api.example.com/webhooks/twilio/inbound"
Request = TypeVar(
    "Request",
    BrandRequest,
    CampaignRequest,
    PurchaseRequest,
    AssignmentRequest,
    UnassignmentRequest,
    ReleaseRequest,
)

BRAND: Final = BrandProfile(
    legal_name="Gym A, LLC",
    display_name="Gym A",
    entity_type=EntityType.PRIVATE_PROFIT,
    vertical=Vertical.ENTERTAINMENT,
    ein="123456789",
    phone="+12135550100",
    email="owner@gym.example.com",
    street="1 Main Street",
    city="Los Angeles",
    state="CA",
    postal_code="90001",
    country="US",
    website="https://gym.example.com",
    first_name="Ada",
    last_name="Miller",
)
SOLE: Final = replace(
    BRAND, entity_type=EntityType.SOLE_PROPRIETOR, legal_name=None, ein=None, website=None
)
CAMPAIGN: Final = CampaignProfile(
    use_case=UseCase.ACCOUNT_NOTIFICATION,
    description="Reminds members of Gym A of the classes that they have booked.",
    message_flow="Members tick a box in our app that says they want to be reminded by text.",
    samples=("Gym A: your class begins at 6 pm.", "Gym A: your class was moved to 7 pm."),
    opt_in_keywords=("START",),
    opt_out_keywords=("STOP",),
    help_keywords=("HELP",),
    opt_in_message="Gym A: you will hear from us. Reply STOP to end.",
    opt_out_message="Gym A: you will not hear from us again.",
    help_message="Gym A: write to help@gym.example.com.",
    embedded_link=True,
)


def client(
    transport: httpx.AsyncBaseTransport, base: str | None = None, *, label: str | None = None
) -> Twilio:
    """Return the client of an account, at Twilio's own URLs or at one for all three APIs."""
    where: dict[str, Any] = (
        {} if base is None else {f"{api}_url": base for api in ("api", "messaging", "trusthub")}
    )
    return Twilio(
        httpx.AsyncClient(transport=transport),
        Account(sid=ACCOUNT, token=TOKEN, label=label, **where),
        timeout=SECONDS,
    )


def registry(twilio: Twilio) -> TwilioRegistry:
    operator = OperatorProfile(
        primary_profile=PRIMARY, email="operator@example.com", inbound_url=INBOUND_URL
    )
    return TwilioRegistry(twilio, operator, timeout=SECONDS, absence_window=SECONDS)


def directory(twilio: Twilio) -> TwilioSip:
    return TwilioSip(twilio, DOMAIN, timeout=SECONDS)


def transport(twilio: TwilioDouble) -> httpx.AsyncBaseTransport:
    return cast(httpx.AsyncBaseTransport, twilio)


def asked(**more: Any) -> dict[str, Any]:
    """Return the common fields of requests."""
    return {
        "reference": f"hx-{uuid4().hex[:8]}",
        "callback_url": "http://us/webhooks/twilio/registration",
        "not_after": datetime.now(UTC) + timedelta(minutes=1),
        **more,
    }


def brand(profile: BrandProfile = BRAND, **more: Any) -> BrandRequest:
    return BrandRequest(**asked(**more), profile=profile)


def campaign(
    brand: OperationStatus, profile: CampaignProfile = CAMPAIGN, **more: Any
) -> CampaignRequest:
    assert brand.vendor_id
    return CampaignRequest(
        **asked(**more),
        profile=profile,
        brand_vendor_id=brand.vendor_id,
    )


def purchase(number: str = NUMBER, **more: Any) -> PurchaseRequest:
    return PurchaseRequest(**asked(**more), number=number, type=NumberType.LOCAL)


def release(vendor_id: str | None, number: str = NUMBER) -> ReleaseRequest:
    return ReleaseRequest(**asked(vendor_id=vendor_id), number=number)


def assignment(number: OperationStatus, campaign: OperationStatus) -> AssignmentRequest:
    return AssignmentRequest(**_assigned(number, campaign))


def unassignment(number: OperationStatus, campaign: OperationStatus) -> UnassignmentRequest:
    return UnassignmentRequest(**_assigned(number, campaign))


def _assigned(number: OperationStatus, campaign: OperationStatus) -> dict[str, Any]:
    assert campaign.vendor_id
    return {
        **asked(vendor_id=number.vendor_id),
        "number": NUMBER,
        "campaign_vendor_id": campaign.vendor_id,
        "campaign_vendor_state": campaign.vendor_state or {},
    }


async def carry(
    twilio: TwilioRegistry, request: Request, *, before: Callable[[], None] = lambda: None
) -> tuple[Request, OperationStatus]:
    """Poll as the workflow does until the status is final; `before` runs before every call.

    Returns the request as it would be sent next, with the stored state, and the answer.
    """
    lost = False
    for _ in range(200):
        if lost:
            found = await twilio.look_up(request)
            assert not isinstance(found, Unanswered), found
            lost = False
            answer: object = found
            if isinstance(found, NotFound):
                continue
        else:
            before()
            answer = await twilio.submit(request)
        if isinstance(answer, Ambiguous):
            lost = True
        elif isinstance(answer, MoreCallsNeeded):
            request = replace(request, vendor_state=answer.vendor_state)
        elif isinstance(answer, OperationStatus):
            return stored(request, answer)
        else:
            assert isinstance(answer, NotProcessed), answer
    raise AssertionError("it never answer")


def every_other(lose: Callable[[], None]) -> Callable[[], None]:
    """Return a hook that acts before the first call, not the second, and so on."""
    calls = iter(range(10_000))
    return lambda: lose() if next(calls) % 2 == 0 else None


async def ask(twilio: TwilioRegistry, request: Request) -> tuple[Request, OperationStatus]:
    """Poll an accepted operation; continue it if it needs more calls."""
    answer = await twilio.look_up(request)
    if isinstance(answer, MoreCallsNeeded):
        return await carry(twilio, replace(request, vendor_state=answer.vendor_state))
    assert isinstance(answer, OperationStatus), answer
    return stored(request, answer)


def stored(request: Request, answer: OperationStatus) -> tuple[Request, OperationStatus]:
    """Store an answer in the row, and read it back."""
    state = request.vendor_state if answer.vendor_state is None else answer.vendor_state
    vendor_id = answer.vendor_id or request.vendor_id
    request = replace(request, vendor_state=state, vendor_id=vendor_id, taken=True)
    return request, replace(answer, vendor_state=state, vendor_id=vendor_id)
