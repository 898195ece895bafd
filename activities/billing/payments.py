"""Activities of a payment: charge, await, cancel, grant and refund.

No database connection is held during a gateway call. Every request that moves money has an
idempotency key, so that it can be repeated.
"""

from datetime import UTC, datetime, timedelta
from typing import TypeAlias, TypeVar

from temporalio import activity

from activities.billing.payment_logs import (
    log_mismatch,
    log_missing_gateway,
    log_refund,
    log_unanswered,
)
from models.database.transaction_limits import LockScope
from models.enums import OPEN_CHARGE, ChargeState, PaymentFailure, ReversalState
from models.queries.billing.upgrades import payments
from models.queries.billing.upgrades.payment_rows import PaymentRow, get_named_payment, get_payment
from models.queries.billing.upgrades.payments import ForeignCharge
from models.rules.billing.payments import PaymentAction
from models.session import Database, ReadSession, WriteSession
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
from workflows.heartbeat import heartbeats

_MARGIN = timedelta(seconds=1)
"""Between the HTTP budget and the deadline: claims are committed a little before the call."""

NoChange: TypeAlias = NotProcessed | Ambiguous | NotFound | Unanswered | RefundRefused
"""Gateway answers that change nothing."""

_Answer = TypeVar("_Answer", bound=ChargeAnswer | ChargeLookUp)

_UNPAID = frozenset({PaymentAction.CHARGE, PaymentAction.AWAIT, PaymentAction.CANCEL_CHARGE})
"""Actions while the row shows no successful charge."""


async def _get(
    db: ReadSession | WriteSession, step: UpgradeStep, *, locked: bool = False
) -> PaymentRow:
    return await get_named_payment(
        db, step.tenant_id, step.payment_id, step.public_id, locked=locked
    )


class Payments:
    """Advances a payment. Every activity is idempotent: the row decides the next action, and the
    gateway moves money once per key.
    """

    def __init__(self, database: Database, gateways: Gateways, *, public_url: str) -> None:
        self._database = database
        self._gateways = gateways
        self._public_url = public_url.rstrip("/")

    @activity.defn(name="charge")
    async def charge(self, step: UpgradeStep) -> PaymentProgress:
        """Ask the gateway to charge.

        After an earlier request the charge is looked up first, and the request is repeated with the
        same key only if there is none. Nothing is requested after the payment was given up.
        """
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await _get(db, step, locked=True)
            if payment.next_action is not PaymentAction.CHARGE:
                return _progress(payment)
            gateway = self._gateway_of(payment)
            if gateway is None:
                return await self._without_gateway(db, payment)
            deadline = _now() + 2 * gateway.timeout + _MARGIN  # a look-up may come first
            await payments.claim_charge(db, payment, gateway=gateway.name, deadline=deadline)
        if payment.deadline is not None:
            found = await _look_up(gateway, payment)
            if not isinstance(found, NotFound):
                return await self._apply(step, found)
        answer = await gateway.charge(self._request(payment, gateway, deadline))
        return await self._apply(step, _of(payment, answer))

    @activity.defn(name="await_payment")
    async def await_payment(self, step: UpgradeStep) -> PaymentProgress:
        """Read the state of a charge; if it is still open, ask the gateway."""
        async with self._database.read() as db:
            payment = await _get(db, step)
        gateway = self._gateway_of(payment)
        if payment.next_action is not PaymentAction.AWAIT:
            return _progress(payment)
        if gateway is None:
            log_missing_gateway(payment)
            return _progress(payment)
        async with heartbeats():
            found = await _look_up(gateway, payment)
        return await self._apply(step, found)

    @activity.defn(name="cancel_charge")
    async def cancel_charge(self, step: UpgradeStep) -> PaymentProgress:
        """Give the payment up: cancel its charge, or find out that it succeeded meanwhile.

        Absence is concluded only by a look-up that began after the last request's deadline and the
        gateway's absence window: until then a request may still arrive.
        """
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await _get(db, step, locked=True)
            if payment.next_action not in _UNPAID:
                return _progress(payment)
            await payments.give_up(db, payment, _now())
            if payment.deadline is None:
                await payments.fail(db, payment, PaymentFailure.EXPIRED, _now())
                return await self._progress_after(db, payment)
        gateway = self._gateway_of(payment)
        if gateway is None:
            log_missing_gateway(payment)
            return await self._read_progress(step)
        async with heartbeats():
            asked_at = _now()
            found = await _look_up(gateway, payment, given_up=True)
            if isinstance(found, Charge) and found.state in OPEN_CHARGE:
                answer = await gateway.cancel(found.charge_id)
                return await self._apply(step, _of(payment, answer, given_up=True))
        sure = asked_at >= payment.deadline + gateway.absence_window
        if isinstance(found, NotFound) and payment.charge_id is None and sure:
            return await self._conclude_absent(step)
        return await self._apply(step, found)

    @activity.defn(name="grant")
    async def grant(self, step: UpgradeStep) -> PaymentProgress:
        """Grant the credits of a charged payment, or schedule its refund.

        Both are decided under the payment's lock, so that only one of them happens.
        """
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await _get(db, step, locked=True)
            if payment.next_action is PaymentAction.GRANT:
                failure = _no_credits_because(payment)
                if failure is None:
                    await payments.grant(db, payment, _now())
                else:
                    await payments.schedule_refund(db, payment, failure, _now())
            return await self._progress_after(db, payment)

    @activity.defn(name="refund")
    async def refund(self, step: UpgradeStep) -> PaymentProgress:
        """Ask the gateway to refund; its idempotency key makes that happen once.

        Nothing is asked for if the payer has the money again, or disputes the charge: the gateway
        decides that. Without a refund in time the payment waits for an operator.
        """
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await _get(db, step, locked=True)
            if payment.next_action is not PaymentAction.REFUND:
                return _progress(payment)
            if payment.returned:
                await payments.record_refund(db, payment, None, _now())
                return await self._progress_after(db, payment)
            if payment.dispute is ReversalState.DISPUTED:
                await payments.stop_refund(db, payment, _now())
                return await self._progress_after(db, payment)
        gateway = self._gateway_of(payment)
        if gateway is None or payment.charge_id is None:
            log_missing_gateway(payment)
            return await self._not_refunded(step, None)
        async with heartbeats():
            answer = await gateway.refund(payment.charge_id, payment.reference.refund_key)
        if not isinstance(answer, Refunded):
            log_refund(step, answer)
            return await self._not_refunded(step, answer)
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await _get(db, step, locked=True)
            await payments.record_refund(db, payment, answer.refund_id, _now())
            return await self._progress_after(db, payment)

    async def _not_refunded(self, step: UpgradeStep, answer: NoChange | None) -> PaymentProgress:
        """Have it tried again, until the refund has been due for too long."""
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await _get(db, step, locked=True)
            if payment.next_action is PaymentAction.REFUND and payment.returned:
                # The gateway reported it while the last answer was lost.
                await payments.record_refund(db, payment, None, _now())
                return await self._progress_after(db, payment)
            due_at = payment.refund_due_at
            if due_at is None or _now() < due_at + step.refund_wait:
                return _progress(payment, answer)
            await payments.stop_refund(db, payment, _now())
            return await self._progress_after(db, payment)

    async def _without_gateway(self, db: WriteSession, payment: PaymentRow) -> PaymentProgress:
        """Fail a payment that has no gateway, unless a gateway was already asked to charge."""
        if payment.gateway is None:
            await payments.fail(db, payment, PaymentFailure.NO_GATEWAY, _now())
        else:
            log_missing_gateway(payment)
        return await self._progress_after(db, payment)

    async def _apply(
        self, step: UpgradeStep, answer: ChargeAnswer | ChargeLookUp
    ) -> PaymentProgress:
        """Apply the gateway's answer; an answer without a charge changes nothing."""
        if not isinstance(answer, Charge):
            log_unanswered(step, answer)
            return await self._unanswered(step, answer)
        try:
            async with self._database.transaction(LockScope(step.tenant_id)) as db:
                payment = await _get(db, step, locked=True)
                await _take(db, payment, answer)
                return await self._conclude_mismatch(db, step, payment)
        except ForeignCharge:
            log_mismatch(payment, answer)
            return await self._conclude_foreign(step)

    async def _unanswered(self, step: UpgradeStep, answer: NoChange) -> PaymentProgress:
        """Leave the row as it is, unless it has waited long enough for the right amount."""
        async with self._database.read() as db:
            payment = await _get(db, step)
        if not payment.facts.mismatched:
            return _progress(payment, answer)
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            return await self._conclude_mismatch(db, step, payment)

    async def _conclude_mismatch(
        self, db: WriteSession, step: UpgradeStep, before: PaymentRow
    ) -> PaymentProgress:
        payment = await _get(db, step, locked=True)
        await payments.conclude_mismatch(db, payment, wait=step.mismatch_wait, now=_now())
        return await self._progress_after(db, before)

    async def _conclude_foreign(self, step: UpgradeStep) -> PaymentProgress:
        """Fail a payment that was given up, once no request for a charge of its own is under way.

        The charge pays another payment, so nothing is refunded: an operator has to look.
        """
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await _get(db, step, locked=True)
            gateway = self._gateway_of(payment)
            if (
                payment.next_action is PaymentAction.CANCEL_CHARGE
                and gateway is not None
                and payment.deadline is not None
                and _now() >= payment.deadline + gateway.absence_window
            ):
                await payments.fail_foreign(db, payment, _now())
            return await self._progress_after(db, payment)

    async def _conclude_absent(self, step: UpgradeStep) -> PaymentProgress:
        async with self._database.transaction(LockScope(step.tenant_id)) as db:
            payment = await _get(db, step, locked=True)
            if payment.next_action is PaymentAction.CANCEL_CHARGE and payment.charge_id is None:
                await payments.fail(db, payment, PaymentFailure.EXPIRED, _now())
            return await self._progress_after(db, payment)

    async def _read_progress(self, step: UpgradeStep) -> PaymentProgress:
        async with self._database.read() as db:
            return _progress(await _get(db, step))

    async def _progress_after(self, db: WriteSession, before: PaymentRow) -> PaymentProgress:
        """Return a payment's progress after this transaction's changes."""
        after = await get_payment(db, before.tenant_id, before.payment_id)
        return PaymentProgress(
            status=after.facts.status,
            next_action=after.next_action,
            moved=after.facts != before.facts and not after.facts.refund_stuck,
        )

    def _gateway_of(self, payment: PaymentRow) -> PaymentGateway | None:
        """Return the gateway that was asked to charge, or that would be asked."""
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


def _no_credits_because(payment: PaymentRow) -> PaymentFailure | None:
    """Return why a charged payment gets no credits; None if it gets them."""
    if payment.reversed:
        return PaymentFailure.REVERSED
    return None if payment.merchant_active else PaymentFailure.MERCHANT_INACTIVE


async def _take(db: WriteSession, payment: PaymentRow, charge: Charge) -> None:
    """Apply a charge's state, or note that one of another amount or currency succeeded."""
    if charge.state is ChargeState.SUCCEEDED and not _fits(payment, charge):
        await payments.apply_mismatch(
            db,
            payment,
            charge_id=charge.charge_id,
            amount_cents=charge.amount_cents,
            currency=charge.currency,
            now=_now(),
        )
    else:
        await payments.apply_charge_state(
            db,
            payment,
            charge_id=charge.charge_id,
            state=charge.state,
            provider_code=charge.provider_code,
            next_action_url=charge.next_action_url,
            now=_now(),
        )


async def _look_up(
    gateway: PaymentGateway, payment: PaymentRow, *, given_up: bool = False
) -> ChargeLookUp:
    """Look up the charge of a payment."""
    return _of(payment, await gateway.look_up(str(payment.reference)), given_up=given_up)


def _of(payment: PaymentRow, answer: _Answer, *, given_up: bool = False) -> _Answer | Unanswered:
    """Return an answer, or Unanswered if it is about a charge that was not ordered.

    One that has charged is always believed, because it has to be refunded; once the payment is
    given up, every other one is, so that it is canceled.
    """
    if not isinstance(answer, Charge) or _fits(payment, answer):
        return answer
    log_mismatch(payment, answer)
    if answer.state is ChargeState.SUCCEEDED or given_up:
        return answer
    return Unanswered(reason="ForeignCharge")


def _fits(payment: PaymentRow, charge: Charge) -> bool:
    return payment.is_for(charge.amount_cents, charge.currency)


def _progress(payment: PaymentRow, answer: NoChange | None = None) -> PaymentProgress:
    retry_after = answer.retry_after if isinstance(answer, NotProcessed) else None
    return PaymentProgress(
        status=payment.facts.status, next_action=payment.next_action, retry_after=retry_after
    )


def _now() -> datetime:
    return datetime.now(UTC)
