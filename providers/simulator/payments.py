"""Adapter of the simulator's payment gateway, which it calls over HTTP like any vendor."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import httpx
from pydantic import AfterValidator, Field

from models.enums import ChargeState, ReversalState
from providers import http
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered, Webhook
from providers.ports.payments import (
    Charge,
    ChargeAnswer,
    ChargeLookUp,
    ChargeReport,
    ChargeRequest,
    PaymentReport,
    RefundAnswer,
    Refunded,
    RefundRefused,
    ReversalReport,
    VerifyPayments,
)
from providers.simulator.calls import NOT_PROCESSED, SimulatorAdapter
from providers.simulator.messages import verified
from providers.simulator.payloads import (
    CODE_LENGTH,
    Code,
    Id,
    Moment,
    Payload,
    parse_json,
    printable,
    read_payload,
)

KEY_HEADER: Final = "Idempotency-Key"

_STATES: Final[dict[str, ChargeState]] = {
    "processing": ChargeState.PROCESSING,
    "requires_action": ChargeState.NEEDS_ACTION,
    "succeeded": ChargeState.SUCCEEDED,
    "declined": ChargeState.DECLINED,
    "failed": ChargeState.FAILED,
    "canceled": ChargeState.CANCELED,
}
"""The simulator's status → our status."""

_REVERSALS: Final[dict[str, ReversalState]] = {
    "refunded": ReversalState.REFUNDED,
    "disputed": ReversalState.DISPUTED,
    "dispute_won": ReversalState.DISPUTE_WON,
    "dispute_lost": ReversalState.DISPUTE_LOST,
}

_ALREADY_REFUNDED: Final = 50410

_CHARGE_EVENTS: Final = frozenset(
    {httpx.codes.OK, httpx.codes.PAYMENT_REQUIRED, httpx.codes.CONFLICT}
)
"""Statuses whose response contains the charge: created, declined, or already ended."""


class _Terms(Payload):
    """Common fields of all payloads with a charge."""

    status: Literal["processing", "requires_action", "succeeded", "declined", "failed", "canceled"]
    amount_cents: int = Field(ge=0, le=2**63 - 1)
    currency: Annotated[str, Field(max_length=3), AfterValidator(printable)]
    error_code: Code | None = None
    next_action_url: Annotated[str, Field(max_length=2048), AfterValidator(printable)] | None = None


class _Charge(_Terms):
    """A charge in a response."""

    id: Id


class _Charges(Payload):
    """The response to a look-up."""

    items: list[_Charge]


class _Typed(Payload):
    """Any webhook of the gateway."""

    type: str


class _Event(_Terms):
    """A webhook about a charge."""

    type: Literal["charge"]
    event_id: Id
    charge_id: Id
    reference: str
    at: Moment


class _Reversal(Payload):
    """A webhook about a charge after it succeeded."""

    type: Literal["reversal"]
    event_id: Id
    charge_id: Id
    reference: str
    status: Literal["refunded", "disputed", "dispute_won", "dispute_lost"]
    refunded_cents: int = Field(ge=0, le=2**63 - 1)
    currency: Annotated[str, Field(max_length=3), AfterValidator(printable)]
    at: Moment


class _Refund(Payload):
    """The response to a successful refund."""

    id: Id


class _Refusal(Payload):
    """The response to a refused refund."""

    code: int


class SimulatedPayments(SimulatorAdapter):
    """The simulator as a gateway: keys never expire, and charges are found by reference."""

    async def charge(self, request: ChargeRequest) -> ChargeAnswer:
        """Post one charge."""
        answer = await self._send(
            "/charges",
            {
                "reference": request.reference,
                "amountCents": request.amount_cents,
                "currency": request.currency,
                "paymentMethodId": request.payment_method_id,
                "callbackUrl": request.callback_url,
            },
            key=request.reference,
            not_after=request.not_after,
        )
        return _charge_answer(answer) if isinstance(answer, httpx.Response) else answer

    async def look_up(self, reference: str) -> ChargeLookUp:
        """Return the charge with a reference."""
        try:
            document = await self._get("/charges", {"reference": reference})
            items = read_payload(_Charges, document).items
            return _charge(items[0]) if items else NotFound()
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            return Unanswered(reason=type(error).__name__)

    async def cancel(self, charge_id: str) -> ChargeAnswer:
        """Cancel a charge. Idempotent."""
        answer = await self._send(f"/charges/{quote(charge_id, safe='')}/cancel", {})
        return _charge_answer(answer) if isinstance(answer, httpx.Response) else answer

    async def refund(self, charge_id: str, key: str) -> RefundAnswer:
        """Refund a charge in full."""
        answer = await self._send("/refunds", {"chargeId": charge_id}, key=key)
        return _refund_answer(answer) if isinstance(answer, httpx.Response) else answer

    async def _send(
        self,
        path: str,
        document: dict[str, Any],
        *,
        key: str | None = None,
        not_after: datetime | None = None,
    ) -> httpx.Response | NotProcessed | Ambiguous:
        return await self._post(
            path,
            document,
            not_after=not_after or datetime.now(UTC) + self.timeout,
            headers=None if key is None else {KEY_HEADER: key},
        )


def verifier(secret: str) -> VerifyPayments:
    """Return a function that verifies a webhook and reads its event; none of an unknown type.

    It raises ForgedWebhook when the signature is missing, wrong or older than five minutes, and
    ValueError, KeyError or TypeError for any other body.
    """

    async def read(webhook: Webhook) -> Sequence[PaymentReport]:
        document = verified(secret, webhook.headers, webhook.body)
        match read_payload(_Typed, document).type:
            case "charge":
                return (_charge_report(read_payload(_Event, document)),)
            case "reversal":
                return (_reversal_report(read_payload(_Reversal, document)),)
            case _:
                return ()

    return read


def _charge_answer(response: httpx.Response) -> ChargeAnswer:
    not_processed = _not_processed(response)
    if not_processed is not None:
        return not_processed
    try:
        if response.status_code in _CHARGE_EVENTS:
            return _charge(read_payload(_Charge, parse_json(response.content)))
    except (ValueError, KeyError, TypeError):
        pass
    status = str(response.status_code)
    return Ambiguous(reason=status, provider_code=status)


def _refund_answer(response: httpx.Response) -> RefundAnswer:
    not_processed = _not_processed(response)
    if not_processed is not None:
        return not_processed
    try:
        if response.status_code == httpx.codes.OK:
            return Refunded(refund_id=read_payload(_Refund, parse_json(response.content)).id)
        if response.status_code in (httpx.codes.CONFLICT, httpx.codes.NOT_FOUND):
            code = read_payload(_Refusal, parse_json(response.content)).code
            if code == _ALREADY_REFUNDED:
                return Refunded(refund_id=None)
            return RefundRefused(provider_code=str(code)[:CODE_LENGTH])
    except (ValueError, KeyError, TypeError):
        pass
    status = str(response.status_code)
    return Ambiguous(reason=status, provider_code=status)


def _not_processed(response: httpx.Response) -> NotProcessed | None:
    if response.status_code not in NOT_PROCESSED:
        return None
    status = str(response.status_code)
    return NotProcessed(reason=status, provider_code=status, retry_after=http.retry_after(response))


def _charge(item: _Charge) -> Charge:
    return Charge(
        charge_id=item.id,
        state=_STATES[item.status],
        amount_cents=item.amount_cents,
        currency=item.currency,
        provider_code=item.error_code,
        next_action_url=item.next_action_url,
    )


def _reversal_report(reversal: _Reversal) -> ReversalReport:
    return ReversalReport(
        event_id=reversal.event_id,
        reference=reversal.reference,
        charge_id=reversal.charge_id,
        state=_REVERSALS[reversal.status],
        refunded_cents=reversal.refunded_cents,
        currency=reversal.currency,
        reported_at=reversal.at,
    )


def _charge_report(event: _Event) -> ChargeReport:
    return ChargeReport(
        charge_id=event.charge_id,
        state=_STATES[event.status],
        amount_cents=event.amount_cents,
        currency=event.currency,
        provider_code=event.error_code,
        next_action_url=event.next_action_url,
        event_id=event.event_id,
        reference=event.reference,
        reported_at=event.at,
    )
