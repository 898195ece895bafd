"""What providers report: verified, stored once, and the message's workflow woken."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from api.services.webhooks import verified
from api.temporal import WorkflowStarter
from models.errors import NotFound
from models.lanes import Lane
from models.queries import receipts
from models.queries.receipts import NewReceipt
from models.rules.reference import parse_reference
from models.session import Database
from providers.ports import Report
from workflows.names import send_workflow_id
from workflows.starting import News

Verify = Callable[[Mapping[str, str], bytes], Report | None]
"""Headers and raw body → the report; None if it is of no interest. Raises ForgedWebhook."""


class Receipts:
    """Takes reports in. Replaying one changes nothing."""

    def __init__(
        self, database: Database, starter: WorkflowStarter, verifiers: Mapping[str, Verify]
    ) -> None:
        self._database = database
        self._starter = starter
        self._verifiers = verifiers

    async def take(
        self, provider: str, reference: str, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Store one report and wake whoever waits for it.

        Raises:
            NotFound: no such provider, or the reference is none of ours.
            Forbidden: the signature is wrong, or it belongs to another reference.
            MalformedJson: the body cannot be read although its signature is right.
        """
        report = verified(self._verifiers, provider, reference, headers, body)
        if report is not None:
            await self._store(provider, report)

    async def _store(self, provider: str, report: Report) -> None:
        named = parse_reference(report.reference)
        if named is None:
            raise NotFound
        # One that suppresses takes several statements, any other just one.
        alone = report.suppresses is None
        lane = Lane(named.tenant_id)
        database = self._database
        async with database.statement(lane) if alone else database.transaction(lane) as db:
            stored = await receipts.store(
                db, NewReceipt.about(named, provider, report), datetime.now(UTC)
            )
        if stored is None:
            raise NotFound
        if stored.open and not stored.completed and not stored.attended:
            await self._starter.wake(
                send_workflow_id(
                    stored.operation,
                    named.tenant_id,
                    stored.scope,
                    stored.idempotency_key,
                    named.message_id,
                ),
                News.REPORTED,
            )
