"""What providers report: verified, stored once, and the message's workflow woken."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from api.temporal import WorkflowStarter
from models.errors import Forbidden, MalformedJson, NotFound
from models.queries import receipts
from models.queries.receipts import NewReceipt
from models.rules.reference import parse_reference
from models.session import Database
from providers.ports import ForgedWebhook, Report
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
        verify = self._verifiers.get(provider)
        if verify is None:
            raise NotFound
        try:
            report = verify(headers, body)
        except ForgedWebhook as error:
            raise Forbidden("The signature is not valid.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedJson from error
        if report is None:
            return
        if report.reference != reference:
            raise Forbidden("The report belongs to another address.")
        await self._store(provider, report)

    async def _store(self, provider: str, report: Report) -> None:
        named = parse_reference(report.reference)
        if named is None:
            raise NotFound
        async with self._database.transaction() as db:
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
