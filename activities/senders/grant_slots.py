"""Letting in: the next in a sender's line get their moments and are woken."""

import asyncio
from collections.abc import Sequence

from temporalio import activity
from temporalio.client import Client

from models.database.transaction_limits import Lane
from models.queries.senders import sender_queue
from models.queries.senders.sender_queue import LetIn, Line
from models.session import Database
from workflows.messages.start import News, wake_send
from workflows.messages.types import PumpResult, PumpStep
from workflows.names import send_workflow_id


class Pumping:
    """Books moments for those in line, as a dispatch does for those who need not stand."""

    def __init__(self, database: Database, client: Client) -> None:
        self._database = database
        self._client = client

    @activity.defn(name="let_in")
    async def let_in(self, step: PumpStep) -> PumpResult:
        """Take one turn. Run twice, the second lets in what fits besides the first.

        Who was let in and is not woken, for this dies before, is let in anew after a while.
        """
        line = Line(tenant_id=step.tenant_id, sender_id=step.sender_id, channel=step.channel)
        async with self._database.transaction(Lane(step.tenant_id)) as db:
            let_in, next_in = await sender_queue.pump(db, line)
        await self._wake(step.tenant_id, let_in)
        return PumpResult(let_in=len(let_in), next_in=next_in)

    async def _wake(self, tenant_id: int, let_in: Sequence[LetIn]) -> None:
        """Wake their workflows; one that is not there is the sweeper's to start."""
        await asyncio.gather(
            *(
                wake_send(
                    self._client,
                    send_workflow_id(
                        message.operation,
                        tenant_id,
                        message.scope,
                        message.idempotency_key,
                        message.message_id,
                    ),
                    News.WOKEN,
                )
                for message in let_in
            )
        )
