"""Ends messages: one transaction writes the status, posts the units and closes the reports."""

import logging
from collections.abc import Collection
from datetime import UTC, datetime

from temporalio import activity

from models.database.transaction_limits import LockScope
from models.enums import ErrorCode, MessageStatus
from models.queries.messages import late_reports, settlement, settlement_facts
from models.queries.messages.settlement_facts import LockedMessage
from models.rules.messages.settlement import (
    End,
    end_by_report,
    end_refused,
    end_sent,
    end_unknown,
    may_be_taken,
)
from models.session import Database, WriteSession
from providers.routing import Routes
from workflows.messages.types import Ending, SettleResult, SettleStep

log = logging.getLogger(__name__)


class Settlement:
    """The only place where messages end."""

    def __init__(self, database: Database, routes: Routes) -> None:
        self._database = database
        self._routes = routes

    @activity.defn(name="settle")
    async def settle(self, step: SettleStep) -> SettleResult:
        """Capture the used units, release the rest, write the usage record.

        Idempotent: an ended message is only ever corrected, at most once.
        """
        lock_scope = LockScope(step.tenant_id, step.merchant_id or None, "settle")
        async with self._database.transaction(lock_scope) as db:
            message = await settlement_facts.lock_for_settlement(
                db,
                tenant_id=step.tenant_id,
                message_id=step.message_id,
                public_id=step.public_id,
            )
            if message is None:
                return SettleResult(status=MessageStatus.UNKNOWN, completed=True)
            return await self._settle_locked(db, message, step, datetime.now(UTC))

    async def _settle_locked(
        self, db: WriteSession, message: LockedMessage, step: SettleStep, now: datetime
    ) -> SettleResult:
        """End, correct or leave a message; the caller holds its lock."""
        if message.completed:
            status = await late_reports.apply_late_reports(
                db, message, now, price_reporters=self._routes.price_reporters
            )
            return SettleResult(status=status, completed=True)
        end = _end(message, step, self._routes.silent)
        if end is None:
            await late_reports.close_receipts(db, message, now)
            return SettleResult(status=message.facts.status, completed=False)
        moved = await settlement.end_message(
            db, message, end, now, price_reporters=self._routes.price_reporters
        )
        if end.status is MessageStatus.UNKNOWN:
            log.error(
                "no result within the reconcile horizon",
                extra={"tenant_id": step.tenant_id},
            )
        return SettleResult(status=end.status, completed=True, moved=moved)


def _end(message: LockedMessage, step: SettleStep, silent: Collection[str]) -> End | None:
    """Return the end by the facts; a stored report takes precedence over the workflow's result.

    `silent` are the accounts that report nothing.
    """
    reported = end_by_report(message.facts)
    if reported is not None:
        return reported
    match step.ending:
        case Ending.REFUSED | Ending.BLOCKED if may_be_taken(message.facts):
            # Another worker made an attempt meanwhile, which decides.
            return None
        case Ending.REFUSED | Ending.BLOCKED:
            return end_refused(message.facts, step.error_code or ErrorCode.PROVIDER_REFUSED)
        case Ending.GIVEN_UP:
            return end_sent(message.facts, silent) or end_unknown(message.facts)
        case Ending.REPORTED | Ending.OVER:
            return end_sent(message.facts, silent)
