"""Money: taken once, called off, given back once; and the credits it buys, granted once.

No connection is held while the gateway is called. Whatever asks it to move money carries a key of
ours, so that asking twice moves it once.
"""

import logging
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, TypeVar

from temporalio import activity

from models.database.transaction_limits import LockScope
from models.enums import OPEN_CHARGE, PaymentFailure
from models.queries.billing import payments
from models.queries.billing.payments import AnotherCharge, PaymentRow
from models.rules.billing.payments import Duty
from models.session import Database, WriteSession
from providers.ports.messages import Ambiguous, NotFound, NotProcessed, Unanswered
from providers.ports.payments import (
    Charge,
    ChargeAnswer,
    ChargeLookUp,
    ChargeRequest,
    Gateways,
    PaymentGateway,
    Refunded,
    RefundRefused,
)
from workflows.billing.types import PaymentProgress, UpgradeStep
from workflows.heartbeat import alive

log = logging.getLogger(__name__)

_MARGIN = timedelta(seconds=1)
"""Between the HTTP budget and the deadline: claims are committed a little before the call."""

Silence: TypeAlias = NotProcessed | Ambiguous | NotFound | Unanswered | RefundRefused
"""What a gateway may answer that changes nothing."""

_Answer = TypeVar("_Answer", bound=ChargeAnswer | ChargeLookUp)

_UNPAID = frozenset({Duty.CHARGE, Duty.AWAIT, Duty.CANCEL_CHARGE})
"""No money was taken yet, as far as the row knows."""


class Payments:
    """Carries a payment from one standing to the next. Every step may run twice: the row decides
    what is due, and the gateway moves money once per key.
    """

    def __init__(self, database: Database, gateways: Gateways, *, public_url: str) -> None:
        self._database = database
        self._gateways = gateways
        self._public_url = public_url.rstrip("/")

    @activity.defn(name="charge")
    async def charge(self, step: UpgradeStep) -> PaymentProgress:
        """Have the gateway take the money.

        Who finds that it was asked before asks for the truth first, and repeats the request with
        the same key if there is none. Nothing is asked for once the payment was given up.
        """
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await payments.get_payment(db, step.tenant_id, step.payment_id, locked=True)
            if payment.duty is not Duty.CHARGE:
                return _standing(payment)
            gateway = self._gateway_of(payment)
            if gateway is None:
                return await self._without_gateway(db, payment)
            deadline = _now() + 2 * gateway.timeout + _MARGIN  # a look-up may come first
            await payments.claim_charge(db, payment, gateway=gateway.name, deadline=deadline)
        if payment.deadline is not None:
            truth = await _look_up(gateway, payment)
            if not isinstance(truth, NotFound):
                return await self._learn(step, truth)
        answer = await gateway.charge(self._request(payment, gateway, deadline))
        return await self._learn(step, _of(payment, answer))

    @activity.defn(name="await_payment")
    async def await_payment(self, step: UpgradeStep) -> PaymentProgress:
        """Read what is known of a charge; if it is still open, ask the gateway."""
        async with self._database.read() as db:
            payment = await payments.get_payment(db, step.tenant_id, step.payment_id)
        gateway = self._gateway_of(payment)
        if payment.duty is not Duty.AWAIT:
            return _standing(payment)
        if gateway is None:
            _log_gone(payment)
            return _standing(payment)
        async with alive():
            truth = await _look_up(gateway, payment)
        return await self._learn(step, truth)

    @activity.defn(name="cancel_charge")
    async def cancel_charge(self, step: UpgradeStep) -> PaymentProgress:
        """Give the payment up: cancel its charge, or learn that the money was taken meanwhile.

        Absence is concluded only by a look-up that began after the last deadline for asking and
        the gateway's window: until then a request may still be on its way.
        """
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await payments.get_payment(db, step.tenant_id, step.payment_id, locked=True)
            if payment.duty not in _UNPAID:
                return _standing(payment)
            await payments.give_up(db, payment, _now())
            if payment.deadline is None:
                await payments.fail(db, payment, PaymentFailure.EXPIRED, _now())
                return await self._now_standing(db, payment)
        gateway = self._gateway_of(payment)
        if gateway is None:
            _log_gone(payment)
            return await self._look(step)
        async with alive():
            asked_at = _now()
            truth = await _look_up(gateway, payment)
            if isinstance(truth, Charge) and truth.state in OPEN_CHARGE:
                answer = await gateway.cancel(truth.charge_id)
                return await self._learn(step, _of(payment, answer))
        sure = asked_at >= payment.deadline + gateway.absence_window
        if isinstance(truth, NotFound) and payment.charge_id is None and sure:
            return await self._conclude_absent(step)
        return await self._learn(step, truth)

    @activity.defn(name="grant")
    async def grant(self, step: UpgradeStep) -> PaymentProgress:
        """Grant the credits of money that was taken, or decide that it is given back.

        Both are decided under the payment's lock, so that only one of them ever is.
        """
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await payments.get_payment(db, step.tenant_id, step.payment_id, locked=True)
            if payment.duty is Duty.GRANT:
                if payment.merchant_active:
                    await payments.grant(db, payment, _now())
                else:
                    failure = PaymentFailure.MERCHANT_INACTIVE
                    await payments.owe_refund(db, payment, failure, _now())
            return await self._now_standing(db, payment)

    @activity.defn(name="refund")
    async def refund(self, step: UpgradeStep) -> PaymentProgress:
        """Have the gateway give the money back; the key lets it do so once."""
        async with self._database.read() as db:
            payment = await payments.get_payment(db, step.tenant_id, step.payment_id)
        if payment.duty is not Duty.REFUND:
            return _standing(payment)
        gateway = self._gateway_of(payment)
        if gateway is None or payment.charge_id is None:
            _log_gone(payment)
            return _standing(payment)
        async with alive():
            answer = await gateway.refund(payment.charge_id, payment.reference.refund_key)
        if not isinstance(answer, Refunded):
            _log_refund(step, answer)
            return _standing(payment, answer)
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await payments.get_payment(db, step.tenant_id, step.payment_id, locked=True)
            await payments.give_back(db, payment, answer.refund_id, _now())
            return await self._now_standing(db, payment)

    async def _without_gateway(self, db: WriteSession, payment: PaymentRow) -> PaymentProgress:
        """Fail a payment nobody can take the money of, unless somebody was asked for it before."""
        if payment.gateway is None:
            await payments.fail(db, payment, PaymentFailure.NO_GATEWAY, _now())
        else:
            _log_gone(payment)
        return await self._now_standing(db, payment)

    async def _learn(
        self, step: UpgradeStep, answer: ChargeAnswer | ChargeLookUp
    ) -> PaymentProgress:
        """Let what the gateway says take effect; what says nothing leaves the row as it is."""
        if not isinstance(answer, Charge):
            _log_silence(step, answer)
            return await self._look(step, answer)
        try:
            async with self._database.transaction(LockScope(step.tenant_id)) as db:
                payment = await payments.get_payment(
                    db, step.tenant_id, step.payment_id, locked=True
                )
                await payments.take_news(
                    db,
                    payment,
                    charge_id=answer.charge_id,
                    state=answer.state,
                    provider_code=answer.provider_code,
                    now=_now(),
                )
                return await self._now_standing(db, payment)
        except AnotherCharge:
            _log_another(payment, answer)
            return await self._look(step, Unanswered(reason="AnotherCharge"))

    async def _conclude_absent(self, step: UpgradeStep) -> PaymentProgress:
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await payments.get_payment(db, step.tenant_id, step.payment_id, locked=True)
            if payment.duty is Duty.CANCEL_CHARGE and payment.charge_id is None:
                await payments.fail(db, payment, PaymentFailure.EXPIRED, _now())
            return await self._now_standing(db, payment)

    async def _look(self, step: UpgradeStep, answer: Silence | None = None) -> PaymentProgress:
        async with self._database.read() as db:
            return _standing(
                await payments.get_payment(db, step.tenant_id, step.payment_id), answer
            )

    async def _now_standing(self, db: WriteSession, before: PaymentRow) -> PaymentProgress:
        """Return how a payment stands after what this transaction did."""
        after = await payments.get_payment(db, before.tenant_id, before.payment_id)
        return PaymentProgress(
            status=after.facts.status, duty=after.duty, moved=after.facts != before.facts
        )

    def _gateway_of(self, payment: PaymentRow) -> PaymentGateway | None:
        """Return who was asked for the money, or who would be."""
        if payment.gateway is not None:
            return self._gateways.find(payment.gateway)
        return self._gateways.of(payment.delivery_mode)

    def _request(
        self, payment: PaymentRow, gateway: PaymentGateway, deadline: datetime
    ) -> ChargeRequest:
        reference = str(payment.reference)
        return ChargeRequest(
            reference=reference,
            amount_cents=payment.amount_cents,
            currency=payment.currency,
            payment_method_id=payment.payment_method_id,
            callback_url=f"{self._public_url}/webhooks/{gateway.name}/payments/{reference}",
            not_after=deadline,
        )


async def _look_up(gateway: PaymentGateway, payment: PaymentRow) -> ChargeLookUp:
    """Ask how the charge of a payment stands."""
    return _of(payment, await gateway.look_up(str(payment.reference)))


def _of(payment: PaymentRow, answer: _Answer) -> _Answer | Unanswered:
    """Return an answer, unless it is about a charge that nobody ordered: then nothing is known."""
    if not isinstance(answer, Charge) or payment.is_for(answer.amount_cents, answer.currency):
        return answer
    _log_another(payment, answer)
    return Unanswered(reason="AnotherCharge")


def _log_another(payment: PaymentRow, answer: Charge) -> None:
    log.error(
        "the charge at the gateway does not match the payment",
        extra={
            "tenant_id": payment.tenant_id,
            "payment_id": payment.payment_id,
            "charge_id": answer.charge_id,
            "amount_cents": answer.amount_cents,
            "currency": answer.currency,
        },
    )


def _standing(payment: PaymentRow, answer: Silence | None = None) -> PaymentProgress:
    wish = answer.retry_after if isinstance(answer, NotProcessed) else None
    return PaymentProgress(status=payment.facts.status, duty=payment.duty, retry_after=wish)


def _ids(step: UpgradeStep) -> dict[str, int]:
    return {"tenant_id": step.tenant_id, "payment_id": step.payment_id}


def _now() -> datetime:
    return datetime.now(UTC)


def _log_gone(payment: PaymentRow) -> None:
    """Its gateway was taken out of this installation with money under way."""
    log.error(
        "the gateway of an open payment is not configured",
        extra={
            "tenant_id": payment.tenant_id,
            "payment_id": payment.payment_id,
            "gateway": payment.gateway,
        },
    )


def _log_silence(
    step: UpgradeStep, answer: NotProcessed | Ambiguous | NotFound | Unanswered
) -> None:
    match answer:
        case NotFound():
            pass
        case _:
            log.warning(
                "the gateway did not answer about a charge",
                extra={**_ids(step), "answer": type(answer).__name__, "reason": answer.reason},
            )


def _log_refund(step: UpgradeStep, answer: RefundRefused | NotProcessed | Ambiguous) -> None:
    if isinstance(answer, RefundRefused):
        log.error(
            "the gateway refused a refund",
            extra={**_ids(step), "provider_code": answer.provider_code},
        )
    else:
        log.warning("refund is not completed yet", extra={**_ids(step), "reason": answer.reason})
