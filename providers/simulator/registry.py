"""Adapter of the simulator's 10DLC registry, which it calls over HTTP like any vendor."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal, assert_never

import httpx
from pydantic import AfterValidator, BeforeValidator, Field

from models.rules.registration.vocabulary import NumberType, RegistryStatus
from providers import http
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered, Webhook
from providers.ports.registration import (
    AssignmentRequest,
    AvailableNumber,
    BrandRequest,
    CampaignRequest,
    LookUpAnswer,
    NumberOffers,
    OperationStatus,
    PurchaseRequest,
    Reason,
    RegistryEvent,
    RegistryRequest,
    ReleaseRequest,
    SearchAnswer,
    SubmitAnswer,
    UnassignmentRequest,
    VerifyRegistrations,
)
from providers.simulator.calls import NOT_PROCESSED, SimulatorAdapter
from providers.simulator.messages import verified
from providers.simulator.payloads import Code, Id, Payload, parse_json, printable, read_payload

_STATUSES: Final = {
    "pending": RegistryStatus.PENDING,
    "done": RegistryStatus.DONE,
    "rejected": RegistryStatus.REJECTED,
}

_EXPIRED: Final = "30036"
"""The request came after its deadline; the registry did nothing."""
_MESSAGE: Final = 500
"""Characters that can be stored."""


def _clipped(given: object) -> object:
    return given[:_MESSAGE] if isinstance(given, str) else given


_FieldName = Annotated[str, Field(max_length=64), AfterValidator(printable)]
_Message = Annotated[str, BeforeValidator(_clipped), AfterValidator(printable)]


class _Refusal(Payload):
    """The response to a refused request."""

    code: Code


class _Reason(_Refusal):
    """A reason of a rejection."""

    field: _FieldName | None = None
    message: _Message


class _Record(Payload):
    """The current state of a request."""

    id: Id
    status: Literal["pending", "done", "rejected"]
    reasons: list[_Reason]


class _Records(Payload):
    """The response to a look-up."""

    items: list[_Record]


class _Offer(Payload):
    """A number on sale."""

    number: Annotated[str, Field(max_length=16), AfterValidator(printable)]
    type: Annotated[NumberType, Field(strict=False)]
    locality: str | None = None
    region: str | None = None


class _Offers(Payload):
    """The response to a search."""

    items: list[_Offer]


class _Event(Payload):
    """A webhook of any kind."""

    type: Any


class _News(Payload):
    """A webhook about a decision."""

    reference: str


class SimulatedRegistry(SimulatorAdapter):
    """The simulator as a registry: it stores our reference, so presence and absence can be
    proven.
    """

    async def submit(self, request: RegistryRequest) -> SubmitAnswer:
        """Post one request; one call completes it."""
        response = await self._post(_path(request), _document(request), not_after=request.not_after)
        return _answer(request, response) if isinstance(response, httpx.Response) else response

    async def look_up(self, request: RegistryRequest) -> LookUpAnswer:
        """Return the request with our reference."""
        try:
            document = await self._get(_path(request), {"reference": request.reference})
            items = read_payload(_Records, document).items
            return _operation_status(request, items[0]) if items else NotFound()
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            return Unanswered(reason=type(error).__name__)

    async def search_numbers(
        self, *, area_code: str | None, type: NumberType, limit: int
    ) -> SearchAnswer:
        """List numbers on sale."""
        wanted = {"type": str(type), "limit": str(limit)}
        if area_code is not None:
            wanted["areaCode"] = area_code
        try:
            document = await self._get("/registry/numbers/available", wanted)
            return NumberOffers(numbers=tuple(map(_offer, read_payload(_Offers, document).items)))
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            return Unanswered(reason=error.__class__.__name__)


def event_verifier(secret: str) -> VerifyRegistrations:
    """Return a function that verifies a webhook and reads its event; none of another type.

    It raises ForgedWebhook when the signature is missing, wrong or older than five minutes.
    """

    async def read(webhook: Webhook) -> Sequence[RegistryEvent]:
        event = verified(secret, webhook.headers, webhook.body)
        if read_payload(_Event, event).type != "registration":
            return ()
        return (RegistryEvent(reference=read_payload(_News, event).reference),)

    return read


def _path(request: RegistryRequest) -> str:
    match request:
        case BrandRequest():
            return "/registry/brands"
        case CampaignRequest():
            return "/registry/campaigns"
        case PurchaseRequest():
            return "/registry/numbers"
        case UnassignmentRequest():
            return "/registry/unassignments"
        case AssignmentRequest():
            return "/registry/assignments"
        case ReleaseRequest():
            return "/registry/releases"
        case _:
            assert_never(request)


def _document(request: RegistryRequest) -> dict[str, Any]:
    common = {
        "reference": request.reference,
        "callbackUrl": request.callback_url,
        "notAfter": request.not_after.isoformat(),
    }
    match request:
        case BrandRequest():
            profile = request.profile
            return {
                **common,
                "amends": request.vendor_id,
                "legalName": profile.legal_name,
                "displayName": profile.display_name,
                "profile": asdict(profile),
            }
        case CampaignRequest():
            return {
                **common,
                "amends": request.vendor_id,
                "brandId": request.brand_vendor_id,
                "profile": asdict(request.profile),
            }
        case PurchaseRequest():
            return {**common, "number": request.number}
        case AssignmentRequest():
            return {
                **common,
                "numberId": request.vendor_id,
                "campaignId": request.campaign_vendor_id,
            }
        case ReleaseRequest():
            return {**common, "numberId": request.vendor_id}
        case _:
            assert_never(request)


def _answer(request: RegistryRequest, response: httpx.Response) -> SubmitAnswer:
    status = str(response.status_code)
    # The simulator returns these before it accepts; for another vendor this would be ambiguous.
    if response.status_code in NOT_PROCESSED:
        return NotProcessed(
            reason=status, provider_code=status, retry_after=http.retry_after(response)
        )
    try:
        if response.status_code == httpx.codes.ACCEPTED:
            return _operation_status(request, read_payload(_Record, parse_json(response.content)))
        if response.status_code in (httpx.codes.UNPROCESSABLE_ENTITY, httpx.codes.BAD_REQUEST):
            answer = parse_json(response.content)
            if read_payload(_Refusal, answer).code == _EXPIRED:
                return NotProcessed(reason="expired", provider_code=_EXPIRED)
            reason = _reason(read_payload(_Reason, answer))
            return OperationStatus(status=RegistryStatus.REJECTED, reasons=(reason,))
    except (ValueError, KeyError, TypeError):
        pass
    return Ambiguous(reason=status, provider_code=status)


def _operation_status(request: RegistryRequest, record: _Record) -> OperationStatus:
    # The id of an assignment is not stored: its number keeps its own id.
    keeps = isinstance(request, BrandRequest | CampaignRequest | PurchaseRequest)
    return OperationStatus(
        status=_STATUSES[record.status],
        vendor_id=record.id if keeps else None,
        reasons=tuple(map(_reason, record.reasons)),
    )


def _reason(told: _Reason) -> Reason:
    return Reason(code=told.code, field=told.field, message=told.message)


def _offer(item: _Offer) -> AvailableNumber:
    return AvailableNumber(
        number=item.number, type=item.type, locality=item.locality, region=item.region
    )
