"""Numbers at Twilio: search, purchase, release, assignment to a campaign.

| operation | one call | proof that it was done |
|---|---|---|
| buy | purchase of this number, our reference as its friendly name | number and name |
| release | deletion | the number is not ours any more |
| assign | adds the number to the campaign's Messaging Service | it is in the service |
| unassign | removes it from the service | it is not in the service |

Inbound texts to a bought number are forwarded from the start, not only once it may send.

A number is bought by its digits, never "any of that area", so a repeated purchase cannot buy a
second one: Twilio refuses to sell a number twice. After a refusal the adapter checks whether the
number is already ours.
"""

from collections.abc import Mapping
from typing import Any, Final

from models.rules.registration.vocabulary import NumberType, RegistryStatus
from models.rules.senders.north_america import is_us, region_of
from providers.ports.messages import NotFound
from providers.ports.registration import (
    AssignmentRequest,
    AvailableNumber,
    NumberOffers,
    OperationStatus,
    PurchaseRequest,
    Reason,
    ReleaseRequest,
    UnassignmentRequest,
)
from providers.twilio.campaigns import service_of
from providers.twilio.client import NotProcessedError, RequestRejected, Twilio, text
from providers.twilio.reasons import of_refusal

_OURS: Final = "IncomingPhoneNumbers"
_ALREADY_IN_SERVICE: Final = frozenset({"21710"})
"""Error of Twilio for this service; for another service it is 21712, which is a refusal."""

_KINDS: Final[dict[NumberType, str]] = {
    NumberType.LOCAL: "Local",
    NumberType.TOLL_FREE: "TollFree",
}

_NOT_FOUND: Final = 404

_DONE: Final = OperationStatus(status=RegistryStatus.DONE)


async def search(
    twilio: Twilio, *, area_code: str | None, type: NumberType, limit: int
) -> NumberOffers:
    """List numbers on sale in the US and its territories that support SMS and calls.

    Twilio lists a territory as a country of its own; where it sells none, the result is empty.
    """
    wanted: dict[str, str | bool] = {"SmsEnabled": True, "VoiceEnabled": True}
    if area_code is not None:
        wanted["AreaCode"] = area_code
    country = "US" if area_code is None or not is_us(area_code) else region_of(area_code)
    url = twilio.api(f"AvailablePhoneNumbers/{country}/{_KINDS[type]}")
    found: list[AvailableNumber] = []
    try:
        async for number in twilio.list_items(url, "available_phone_numbers", wanted, page=limit):
            found.append(_available(number, type))
            if len(found) >= limit:
                break
    except RequestRejected as refusal:
        if refusal.status != _NOT_FOUND or country == "US":
            raise
    return NumberOffers(numbers=tuple(found))


def _available(number: Mapping[str, Any], type: NumberType) -> AvailableNumber:
    return AvailableNumber(
        number=_word(number, "phone_number"),
        type=type,
        locality=number.get("locality") or None,
        region=number.get("region") or None,
    )


async def buy(twilio: Twilio, request: PurchaseRequest, inbound_url: str) -> OperationStatus:
    """Buy a number with a webhook for inbound texts: a STOP must arrive from the first day.

    The fallback URL is the same, so that a failed webhook is posted once more before Twilio drops
    it.
    """
    form = {
        "PhoneNumber": request.number,
        "FriendlyName": twilio.named(request.reference),
        "SmsUrl": inbound_url,
        "SmsMethod": "POST",
        "SmsFallbackUrl": inbound_url,
        "SmsFallbackMethod": "POST",
    }
    try:
        bought = await twilio.create(twilio.api(_OURS), form, not_after=request.not_after)
    except RequestRejected as refusal:
        # Refused as sold: it may be ours, from a call whose answer was lost.
        ours = await _bought(twilio, request)
        reasons = of_refusal(refusal, field="number")
        return ours or OperationStatus(status=RegistryStatus.REJECTED, reasons=reasons)
    return OperationStatus(status=RegistryStatus.DONE, vendor_id=text(bought, "sid"))


async def look_up_purchase(twilio: Twilio, request: PurchaseRequest) -> OperationStatus | NotFound:
    """Return DONE if this number is ours under our reference."""
    return await _bought(twilio, request) or NotFound()


async def _bought(twilio: Twilio, request: PurchaseRequest) -> OperationStatus | None:
    named = twilio.named(request.reference)
    wanted = {"FriendlyName": named, "PhoneNumber": request.number}
    async for number in twilio.list_items(twilio.api(_OURS), "incoming_phone_numbers", wanted):
        told = (number.get("friendly_name"), number.get("phone_number"))
        if told == (named, request.number):
            return OperationStatus(status=RegistryStatus.DONE, vendor_id=text(number, "sid"))
    return None


async def release(twilio: Twilio, request: ReleaseRequest) -> OperationStatus:
    """Release a number; one that is not ours counts as released."""
    sid = request.vendor_id or await _sid(twilio, request.number)
    if sid is not None:
        await twilio.remove(twilio.api(f"{_OURS}/{sid}"), not_after=request.not_after)
    return _DONE


async def look_up_release(twilio: Twilio, request: ReleaseRequest) -> OperationStatus | NotFound:
    """Return DONE if a number is not ours any more."""
    return _DONE if await _sid(twilio, request.number) is None else NotFound()


async def _sid(twilio: Twilio, number: str) -> str | None:
    wanted = {"PhoneNumber": number}
    async for found in twilio.list_items(twilio.api(_OURS), "incoming_phone_numbers", wanted):
        if found.get("phone_number") == number:
            return _word(found, "sid")
    return None


async def assign(twilio: Twilio, request: AssignmentRequest) -> OperationStatus:
    """Add a number to the service of its campaign."""
    service = service_of(request.campaign_vendor_state)
    if service is None or request.vendor_id is None:
        return _unknown()
    url = twilio.messaging(f"Services/{service}/PhoneNumbers")
    try:
        await twilio.create(url, {"PhoneNumberSid": request.vendor_id}, not_after=request.not_after)
    except RequestRejected as refusal:
        if refusal.code in _ALREADY_IN_SERVICE:
            return _DONE
        reasons = of_refusal(refusal, field="number")
        return OperationStatus(status=RegistryStatus.REJECTED, reasons=reasons)
    return _DONE


async def look_up_assignment(
    twilio: Twilio, request: AssignmentRequest
) -> OperationStatus | NotFound:
    """Return DONE if a number is in the service of its campaign."""
    if await _in_service(twilio, request):
        return _DONE
    return _unknown() if request.taken else NotFound()


async def unassign(twilio: Twilio, request: UnassignmentRequest) -> OperationStatus:
    """Remove a number from the service of its campaign."""
    service = service_of(request.campaign_vendor_state)
    if service is not None and request.vendor_id is not None:
        url = twilio.messaging(f"Services/{service}/PhoneNumbers/{request.vendor_id}")
        await twilio.remove(url, not_after=request.not_after)
    return _DONE


async def look_up_unassignment(
    twilio: Twilio, request: UnassignmentRequest
) -> OperationStatus | NotFound:
    """Return DONE if a number is not in the service of its campaign."""
    return NotFound() if await _in_service(twilio, request) else _DONE


async def _in_service(twilio: Twilio, request: AssignmentRequest) -> bool:
    service = service_of(request.campaign_vendor_state)
    if service is None or request.vendor_id is None:
        return False
    url = twilio.messaging(f"Services/{service}/PhoneNumbers/{request.vendor_id}")
    return await twilio.find(url) is not None


def _unknown() -> OperationStatus:
    """Reject an assignment that Twilio does not know; an operator must look at it."""
    reason = Reason(
        code="NOT_IN_SERVICE",
        field="number",
        message="Twilio does not know this number or its campaign.",
    )
    return OperationStatus(status=RegistryStatus.REJECTED, reasons=(reason,))


def _word(document: Mapping[str, Any], key: str) -> str:
    word = document.get(key)
    if not isinstance(word, str) or not word:
        raise NotProcessedError(f"no {key}")
    return word
