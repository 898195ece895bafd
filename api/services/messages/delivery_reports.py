"""Receives delivery reports: verify, store once, signal the message's workflow."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from api.services.verify_webhook import verify_webhook
from api.workflow_starters import WorkflowStarter
from models.errors import NotFound
from models.queries.messages.receipts import NewReceipt, find_named
from models.queries.messages.report_intake import note_mismatch, take_report
from models.rules.messages.delivery_events import Mismatch
from models.rules.messages.reference import parse_reference
from models.session import Database
from providers.ports.messages import Report
from workflows.messages.start import SendSignal

Verify = Callable[[Mapping[str, str], bytes], Report | None]
"""Headers and raw body → the report; None if it is irrelevant. Raises ForgedWebhook."""


class Receipts:
    """Receives reports. A repeated report changes nothing."""

    def __init__(
        self, database: Database, starter: WorkflowStarter, verifiers: Mapping[str, Verify]
    ) -> None:
        self._database = database
        self._starter = starter
        self._verifiers = verifiers

    async def take(
        self, provider: str, reference: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Store one report and signal the workflow that waits for it.

        A report that does not match its attempt is dropped, counted and logged.

        Raises:
            NotFound: no such provider, or an unknown reference.
            Forbidden: the signature is wrong, or it belongs to another reference.
            MalformedJson: the body cannot be parsed although its signature is right.
        """
        report = verify_webhook(self._verifiers, provider, reference, headers, body)
        if report is not None:
            await self._store(provider, report)

    async def _store(self, provider: str, report: Report) -> None:
        named = parse_reference(report.reference)
        if named is None:
            raise NotFound
        async with self._database.read() as db:
            attempt = await find_named(db, named)
        if attempt is None:
            note_mismatch(provider, Mismatch.ATTEMPT, named)
            return
        receipt = NewReceipt.about(attempt, provider, report)
        stored = await take_report(self._database, receipt, datetime.now(UTC))
        # Not an error response: the provider would only repeat the report.
        if isinstance(stored, Mismatch):
            return
        if stored.open and not stored.completed and not stored.awaited_inline:
            await self._starter.wake(stored.message.workflow_id, SendSignal.REPORTED)
