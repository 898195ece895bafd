"""Receives webhooks of payment gateways: verify, apply once, signal the payment's workflow."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from api.services.verify_webhook import verified_events
from api.workflow_starters import UpgradeStarter
from models.database.transaction_limits import LockScope
from models.errors import NotFound
from models.metrics import CHARGE_MISMATCHES, PAYMENTS_ENDED
from models.queries.billing.upgrades.payment_events import (
    ChargeEvent,
    PaymentKey,
    StoredEvent,
    find_named,
    take_event,
)
from models.queries.billing.upgrades.payment_reversals import ReversalEvent
from models.queries.billing.upgrades.payments import ForeignCharge
from models.rules.billing.payments import ChargeMismatch
from models.rules.messages.reference import parse_payment_reference
from models.session import Database
from providers.ports.messages import Webhook
from providers.ports.payments import ChargeReport, PaymentReport, VerifyPayments
from workflows.names import upgrade_workflow_id

log = logging.getLogger(__name__)


class PaymentWebhooks:
    """Receives events about charges. Idempotent."""

    def __init__(
        self,
        database: Database,
        starter: UpgradeStarter,
        verifiers: Mapping[str, VerifyPayments],
        *,
        sweep_grace: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._starter = starter
        self._verifiers = verifiers
        self._sweep_grace = sweep_grace
        self._clock = clock

    async def take(self, gateway: str, webhook: Webhook, reference: str | None = None) -> None:
        """Apply the events of a webhook and signal the payments' workflows.

        `reference` is that in the address. Without one the gateway posts everything to one address:
        then events about payments that are not ours are ignored, because it would repeat them.

        An event of another charge than the payment's is dropped, counted and logged. A successful
        charge of another amount is counted and logged, and the workflow refunds it.

        Raises:
            NotFound: no such gateway, or an unknown reference.
            Forbidden: the signature is wrong, or it belongs to another reference.
            MalformedJson: the body cannot be parsed although its signature is right.
        """
        for report in await verified_events(self._verifiers, gateway, webhook, reference):
            key = await self._find(report.reference)
            if key is not None:
                await self._store(gateway, key, report)
            elif reference is not None:
                raise NotFound

    async def _find(self, reference: str) -> PaymentKey | None:
        named = parse_payment_reference(reference)
        if named is None:
            return None
        async with self._database.read() as db:
            return await find_named(db, named)

    async def _store(self, gateway: str, key: PaymentKey, report: PaymentReport) -> None:
        event = _event(report)
        try:
            try:
                stored = await self._take_in(gateway, key, event)
            except IntegrityError:  # a concurrent report took the charge or event
                stored = await self._take_in(gateway, key, event)
        except ForeignCharge as error:
            CHARGE_MISMATCHES.labels(gateway, error.reason).inc()
            _log_another(gateway, report, error.reason)
            return
        if stored is None:
            raise NotFound
        if not stored.fits:
            CHARGE_MISMATCHES.labels(gateway, ChargeMismatch.AMOUNT).inc()
            _log_another(gateway, report, ChargeMismatch.AMOUNT)
        if stored.ended is not None:
            PAYMENTS_ENDED.labels(stored.ended).inc()
        if not stored.completed:
            await self._starter.wake(
                upgrade_workflow_id(
                    stored.tenant_public_id,
                    stored.scope,
                    stored.idempotency_key,
                    stored.public_id,
                )
            )

    async def _take_in(
        self, gateway: str, key: PaymentKey, event: ChargeEvent | ReversalEvent
    ) -> StoredEvent | None:
        async with self._database.transaction(LockScope(key.tenant_id)) as db:
            return await take_event(
                db, key, gateway, event, now=self._clock(), grace=self._sweep_grace
            )


def _event(report: PaymentReport) -> ChargeEvent | ReversalEvent:
    if isinstance(report, ChargeReport):
        return ChargeEvent(
            event_id=report.event_id,
            charge_id=report.charge_id,
            state=report.state,
            amount_cents=report.amount_cents,
            currency=report.currency,
            provider_code=report.provider_code,
            next_action_url=report.next_action_url,
            reported_at=report.reported_at,
        )
    return ReversalEvent(
        event_id=report.event_id,
        charge_id=report.charge_id,
        state=report.state,
        refunded_cents=report.refunded_cents,
        currency=report.currency,
        reported_at=report.reported_at,
    )


def _log_another(gateway: str, report: PaymentReport, reason: ChargeMismatch) -> None:
    log.error(
        "the charge at the gateway does not match the payment",
        extra={
            "reference": report.reference,
            "gateway": gateway,
            "reason": reason,
            "charge_id": report.charge_id,
            "state": report.state,
            "cents": report.amount_cents
            if isinstance(report, ChargeReport)
            else report.refunded_cents,
            "currency": report.currency,
        },
    )
