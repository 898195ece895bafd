"""Sweeps payments: starts the workflows of open payments that have none."""

from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy

from models.queries.system.sweep_payments import StalledPayment, take_stalled_payments
from models.rules.waits import PaymentWaits
from models.session import Database
from workflows.billing.start import UpgradeStart, start_upgrade

_LONGEST_GAP = timedelta(minutes=10)


class PaymentSweep:
    """Restarts payments that may have no running workflow. Idempotent."""

    def __init__(
        self, database: Database, client: Client, waits: PaymentWaits, *, grace: timedelta
    ) -> None:
        self._database = database
        self._client = client
        self._waits = waits
        self._grace = grace

    async def take(self, now: datetime, most: int) -> list[StalledPayment]:
        """Return the payments that are due, and set when they are due next."""
        async with self._database.transaction() as db:
            return list(
                await take_stalled_payments(
                    db, now=now, grace=self._grace, longest=_LONGEST_GAP, most=most
                )
            )

    async def resume(self, payment: StalledPayment) -> bool:
        """Start a payment's workflow; a running one is only signaled, if its row has changed.

        A completed workflow is started again: a charge after its end reopened the row.
        """
        return await start_upgrade(
            self._client,
            UpgradeStart(
                tenant_id=payment.tenant_id,
                tenant_public_id=payment.tenant_public_id,
                payment_id=payment.payment_id,
                public_id=payment.public_id,
                merchant=payment.merchant,
                channel=payment.channel,
                scope=payment.scope,
                idempotency_key=payment.idempotency_key,
                accepted_at=payment.accepted_at,
            ),
            self._waits,
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            reported=payment.told,
        )
