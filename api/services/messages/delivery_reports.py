"""Receives delivery reports: verify, store once, signal the message's workflow."""

from collections.abc import Mapping
from datetime import UTC, datetime

from api.services.verify_webhook import verified_events
from api.workflow_starters import WorkflowStarter
from models.queries.messages.receipts import AttemptKey, NewReceipt
from models.queries.messages.report_intake import note_mismatch, take_report
from models.queries.tenants.tenants import find_tenant_by_public_id
from models.rules.messages.delivery_events import Mismatch
from models.rules.messages.reference import parse_reference
from models.session import Database
from providers.ports.messages import Report, VerifyReports, Webhook
from workflows.messages.start import SendSignal


class Receipts:
    """Receives reports. A repeated report changes nothing."""

    def __init__(
        self, database: Database, starter: WorkflowStarter, verifiers: Mapping[str, VerifyReports]
    ) -> None:
        self._database = database
        self._starter = starter
        self._verifiers = verifiers
        self._tenant_ids: dict[int, int] = {}
        """Row ids by public id. Both never change; only existing tenants are remembered."""

    async def take(self, account: str, webhook: Webhook, reference: str | None = None) -> None:
        """Store the reports of a webhook and signal the workflows that wait for them.

        A report that does not match its attempt is dropped, counted and logged. `reference` is that
        in the address, if the vendor posts to an address of each attempt.

        Raises:
            NotFound: no such account.
            Forbidden: the signature is wrong, or a report belongs to another reference than that in
                the address.
            MalformedJson: the body cannot be read although its signature is right.
        """
        for report in await verified_events(self._verifiers, account, webhook, reference):
            await self._store(account, report)

    async def _store(self, account: str, report: Report) -> None:
        named = parse_reference(report.reference)
        if named is None:  # signed, but not about a message of ours
            return
        tenant_id = await self._find_tenant(named.tenant)
        if tenant_id is None:
            note_mismatch(account, Mismatch.ATTEMPT, named)
            return
        attempt = AttemptKey(tenant_id=tenant_id, public_id=named.message, number=named.attempt)
        receipt = NewReceipt.about(attempt, account, report)
        stored = await take_report(self._database, receipt, datetime.now(UTC))
        # Not an error response: the provider would only repeat the report.
        if isinstance(stored, Mismatch):
            return
        if stored.open and not stored.completed and not stored.awaited_inline:
            await self._starter.wake(stored.message.workflow_id, SendSignal.REPORTED)

    async def _find_tenant(self, public_id: int) -> int | None:
        """Return a tenant's row id; it is read once, because every report needs it."""
        tenant_id = self._tenant_ids.get(public_id)
        if tenant_id is None:
            async with self._database.read() as db:
                tenant_id = await find_tenant_by_public_id(db, public_id)
            if tenant_id is not None:
                self._tenant_ids[public_id] = tenant_id
        return tenant_id
