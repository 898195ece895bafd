"""Twilio as a 10DLC registry: converts errors of calls to the port's answers."""

from datetime import timedelta
from typing import Final, assert_never

from models.rules.registration.vocabulary import NumberType, RegistryStatus
from providers.ports.messages import Ambiguous, NotProcessed, Unanswered
from providers.ports.registration import (
    AssignmentRequest,
    BrandRequest,
    CampaignRequest,
    LookUpAnswer,
    OperationStatus,
    PurchaseRequest,
    RegistryRequest,
    ReleaseRequest,
    SearchAnswer,
    SubmitAnswer,
    UnassignmentRequest,
)
from providers.twilio import brands, campaigns, numbers
from providers.twilio.brands import OperatorProfile
from providers.twilio.client import (
    AmbiguousError,
    NotProcessedError,
    RequestRejected,
    Twilio,
    TwilioError,
)
from providers.twilio.reasons import of_refusal

NAME: Final = "twilio"


class TwilioRegistry:
    """Registers brands and campaigns and buys numbers at Twilio; decisions are polled.

    Twilio offers webhooks for the status of bundles, but not of brands or campaigns, so every
    look-up is a query.
    """

    name: Final = NAME

    def __init__(
        self,
        twilio: Twilio,
        operator: OperatorProfile,
        *,
        timeout: timedelta,
        absence_window: timedelta,
    ) -> None:
        self.account = twilio.account.name
        self.timeout = timeout
        self.absence_window = absence_window
        self._twilio = twilio
        self._operator = operator

    async def submit(self, request: RegistryRequest) -> SubmitAnswer:
        """Make the next call of an operation."""
        try:
            return await self._submit(request)
        except RequestRejected as refusal:
            return OperationStatus(status=RegistryStatus.REJECTED, reasons=of_refusal(refusal))
        except NotProcessedError as stopped:
            return NotProcessed(reason=stopped.reason, retry_after=stopped.retry_after)
        except AmbiguousError as stopped:
            return Ambiguous(reason=stopped.reason)

    async def look_up(self, request: RegistryRequest) -> LookUpAnswer:
        """Return the status of an operation."""
        try:
            return await self._look_up(request)
        except RequestRejected as refusal:
            return Unanswered(reason=refusal.code)
        except (NotProcessedError, AmbiguousError) as stopped:
            return Unanswered(reason=stopped.reason)

    async def search_numbers(
        self, *, area_code: str | None, type: NumberType, limit: int
    ) -> SearchAnswer:
        """List numbers on sale."""
        try:
            return await numbers.search(self._twilio, area_code=area_code, type=type, limit=limit)
        except TwilioError as stopped:
            return Unanswered(reason=type_of(stopped))

    async def _submit(self, request: RegistryRequest) -> SubmitAnswer:
        match request:
            case BrandRequest():
                return await brands.submit(self._twilio, self._operator, request)
            case CampaignRequest():
                return await campaigns.submit(self._twilio, request)
            case PurchaseRequest():
                return await numbers.buy(self._twilio, request, self._operator.inbound_url)
            case UnassignmentRequest():
                return await numbers.unassign(self._twilio, request)
            case AssignmentRequest():
                return await numbers.assign(self._twilio, request)
            case ReleaseRequest():
                return await numbers.release(self._twilio, request)
            case _:
                assert_never(request)

    async def _look_up(self, request: RegistryRequest) -> LookUpAnswer:
        match request:
            case BrandRequest():
                return await brands.look_up(self._twilio, self._operator, request)
            case CampaignRequest():
                return await campaigns.look_up(self._twilio, request)
            case PurchaseRequest():
                return await numbers.look_up_purchase(self._twilio, request)
            case UnassignmentRequest():
                return await numbers.look_up_unassignment(self._twilio, request)
            case AssignmentRequest():
                return await numbers.look_up_assignment(self._twilio, request)
            case ReleaseRequest():
                return await numbers.look_up_release(self._twilio, request)
            case _:
                assert_never(request)


def type_of(stopped: TwilioError) -> str:
    """Return the loggable reason of an error."""
    return (
        stopped.reason if isinstance(stopped, NotProcessedError | AmbiguousError) else str(stopped)
    )
