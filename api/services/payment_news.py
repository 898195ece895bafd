"""What payment gateways report: verified, taken in once, and the payment's workflow woken."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from api.temporal import UpgradeStarter
from models.errors import Forbidden, MalformedJson, NotFound
from models.queries.payment_events import ChargeEvent, take_event
from models.rules.reference import PaymentReference, parse_payment_reference
from models.session import Database
from providers.payment_ports import ChargeReport
from providers.ports import ForgedWebhook
from workflows.names import upgrade_workflow_id

VerifyPayment = Callable[[Mapping[str, str], bytes], ChargeReport]
"""Headers and raw body → the report. Raises ForgedWebhook."""


class PaymentNews:
    """Takes news of charges in. Replaying one changes nothing."""

    def __init__(
        self,
        database: Database,
        starter: UpgradeStarter,
        verifiers: Mapping[str, VerifyPayment],
        *,
        sweep_grace: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._starter = starter
        self._verifiers = verifiers
        self._sweep_grace = sweep_grace
        self._clock = clock

    async def take(
        self, gateway: str, reference: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Let one report take effect and wake whoever waits for it.

        Raises:
            NotFound: no such gateway, or the reference is none of ours.
            Forbidden: the signature is wrong, or it belongs to another reference.
            MalformedJson: the body cannot be read although its signature is right.
        """
        verify = self._verifiers.get(gateway)
        if verify is None:
            raise NotFound
        try:
            report = verify(headers, body)
        except ForgedWebhook as error:
            raise Forbidden("The signature is not valid.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedJson("Not a report about a charge.") from error
        if report.reference != reference:
            raise Forbidden("The report belongs to another address.")
        named = parse_payment_reference(reference)
        if named is None:
            raise NotFound
        await self._store(gateway, named, report)

    async def _store(self, gateway: str, named: PaymentReference, report: ChargeReport) -> None:
        event = ChargeEvent(
            event_id=report.event_id,
            charge_id=report.charge_id,
            state=report.state,
            provider_code=report.provider_code,
            reported_at=report.reported_at,
        )
        async with self._database.transaction() as db:
            stored = await take_event(
                db, named, gateway, event, now=self._clock(), grace=self._sweep_grace
            )
        if stored is None:
            raise NotFound
        if not stored.completed:
            await self._starter.wake(
                upgrade_workflow_id(
                    named.tenant_id, stored.scope, stored.idempotency_key, named.payment_id
                )
            )
