"""Sweeping: what was accepted is started, what was reported is applied, whatever died between."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy

from models.queries import lines, receipts, settlement, sip_users, sweeping
from models.queries.lines import Line
from models.queries.receipts import OpenReceipt
from models.queries.sweeping import SilentMessage
from models.rules.waits import SendWaits
from models.session import Database
from models.tables.voice import VoiceCredential
from workflows.names import send_workflow_id
from workflows.provisioning import start_provisioning
from workflows.provisioning_types import ProvisionInput
from workflows.pumping import start_pump
from workflows.starting import News, SendStart, start_send, wake_send
from workflows.types import PumpStep, SweepResult

log = logging.getLogger(__name__)

_MOST = 200
"""Messages of one turn; a full turn is followed by the next at once."""

_LONGEST_GAP = timedelta(minutes=10)


Item = TypeVar("Item")


async def _each(act: Callable[[Item], Awaitable[bool]], items: Sequence[Item]) -> int:
    """Act on every item and count what moved; one that fails keeps no other from its turn."""
    outcomes = await asyncio.gather(*map(act, items), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            log.error("one item could not be swept, its turn comes again", exc_info=outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
    return sum(outcome is True for outcome in outcomes)


class Sweeping:
    """Looks after rows that nobody may be working on. Doing so twice changes nothing."""

    def __init__(
        self,
        database: Database,
        client: Client,
        waits: SendWaits,
        *,
        every: timedelta,
        grace: timedelta,
        tells_directory: bool = False,
    ) -> None:
        self._database = database
        self._client = client
        self._waits = waits
        self._every = every
        self._grace = grace
        self._tells_directory = tells_directory

    @activity.defn(name="sweep")
    async def sweep(self) -> SweepResult:
        """Start silent messages and lines' pumps, and apply open reports."""
        now = datetime.now(UTC)
        async with self._database.transaction() as db:
            silent = await sweeping.take_silent(
                db, now=now, grace=self._grace, longest=_LONGEST_GAP, most=_MOST
            )
        async with self._database.read() as db:
            busy = await lines.find_lines(db)
        async with self._database.transaction() as db:
            waiting = await receipts.take_open(db, now=now, grace=self._grace, most=_MOST)
        started = await _each(self._start, silent)
        await _each(self._pump, busy)
        await self._tell_directory(now)
        applied = await _each(self._apply, waiting)
        full = len(silent) == _MOST or len(waiting) == _MOST
        return SweepResult(
            started=started,
            applied=applied,
            next_in=timedelta(milliseconds=100) if full else self._every,
        )

    async def _pump(self, line: Line) -> bool:
        """Start the pump of a line that somebody stands in; a running one is left alone."""
        await start_pump(
            self._client,
            PumpStep(tenant_id=line.tenant_id, sender_id=line.sender_id, channel=line.channel),
        )
        return True

    async def _tell_directory(self, now: datetime) -> None:
        """Start the telling of SIP users whose start was lost; a running one is left alone."""
        if not self._tells_directory:
            return
        async with self._database.read() as db:
            untold = await sip_users.find_untold(db, before=now - self._grace, most=_MOST)
        await _each(self._tell, untold)

    async def _tell(self, user: VoiceCredential) -> bool:
        assert user.id is not None
        await start_provisioning(
            self._client,
            ProvisionInput(tenant_id=user.tenant_id, credential_id=user.id, version=user.version),
        )
        return True

    async def _start(self, message: SilentMessage) -> bool:
        """Start a message's workflow; a running one is left alone, a failed one starts anew."""
        send = SendStart(
            tenant_id=message.tenant_id,
            message_id=message.message_id,
            merchant_id=message.merchant_id,
            merchant=message.merchant,
            channel=message.channel,
            type=message.type,
            operation=message.operation,
            scope=message.scope,
            idempotency_key=message.idempotency_key,
        )
        started = await start_send(
            self._client,
            send,
            self._waits,
            reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        )
        if not started and await self._is_open(message):
            log.error(
                "a finished workflow left its message open",
                extra={"message_id": message.message_id, "tenant_id": message.tenant_id},
            )
        return started

    async def _is_open(self, message: SilentMessage) -> bool:
        """Look again: it may have ended while its workflow was being started."""
        async with self._database.read() as db:
            return await sweeping.is_open(
                db, tenant_id=message.tenant_id, message_id=message.message_id
            )

    async def _apply(self, receipt: OpenReceipt) -> bool:
        """Wake the message's workflow, or where it is over apply the report here."""
        if not receipt.completed:
            await wake_send(
                self._client,
                send_workflow_id(
                    receipt.operation,
                    receipt.tenant_id,
                    receipt.scope,
                    receipt.idempotency_key,
                    receipt.message_id,
                ),
                News.REPORTED,
            )
            return True
        now = datetime.now(UTC)
        async with self._database.transaction() as db:
            message = await settlement.lock_for_settlement(
                db, tenant_id=receipt.tenant_id, message_id=receipt.message_id
            )
            if message is not None:
                await settlement.apply_late_reports(db, message, now)
        return True
