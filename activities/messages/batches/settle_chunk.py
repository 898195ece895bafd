"""Ends the members of a chunk whose final report is stored, several in one transaction."""

import logging
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from temporalio import activity

from activities.messages.batches.leaving import Leaving
from models.database.transaction_limits import LockScope
from models.queries.messages import settlement_facts
from models.queries.messages.batches import chunk_members, chunk_settlement
from models.queries.messages.batches.chunk_members import OpenMembers
from models.queries.messages.settlement_facts import LockedMessage
from models.rules.messages.settlement import End, end_by_report, end_sent
from models.rules.system.failures import caused_by_input
from models.session import Database
from providers.routing import Routes
from workflows.messages.batches.chunk_types import ChunkResult, SettleChunkStep

log = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 50
"""Members of one transaction: their facts are read within one callback of the event loop."""


class ChunkSettlement:
    """Ends members by the rules and the statement of single sends."""

    def __init__(self, database: Database, routes: Routes, leaving: Leaving) -> None:
        self._database = database
        self._routes = routes
        self._leaving = leaving

    @activity.defn(name="settle_chunk")
    async def settle_chunk(self, step: SettleChunkStep) -> ChunkResult:
        """Settle what can be settled; with `leave` every other member leaves the chunk.

        No dispatch of the chunk is under way, so a member leaves, too, if its attempt has no
        outcome, and if its reports do not decide. Idempotent.
        """
        members = await self._open_members(step)
        ended: Counter[str] = Counter()
        leavers = await self._settle(step, members.settleable, ended)
        left = await self._leaving.leave(step, [*leavers, *members.unanswered])
        after = await self._open_members(step)
        if step.leave:
            others = [*after.unsent, *after.unanswered, *after.settleable, *after.awaited]
            left += await self._leaving.leave(step, others, poll_is_due=True)
            after = OpenMembers(unsent=[], unanswered=[], settleable=[], awaited=[])
        return ChunkResult(
            unsent=len(after.unsent),
            awaited=len(after.awaited) + len(after.settleable),
            settleable=len(after.settleable),
            left=left,
            ended=dict(ended),
        )

    async def _open_members(self, step: SettleChunkStep) -> OpenMembers:
        async with self._database.read() as db:
            return await chunk_members.open_members(
                db, tenant_id=step.tenant_id, chunk_id=step.chunk_id, silent=self._routes.silent
            )

    async def _settle(
        self,
        step: SettleChunkStep,
        message_ids: Sequence[int],
        ended: Counter[str],
        most: int = _MOST_AT_ONCE,
    ) -> list[int]:
        """End members and count them by status; return the ids of those that leave.

        If a transaction fails because of a member, they are settled one by one, and that one
        leaves.
        """
        waiting, leavers = list(message_ids), []
        while waiting:
            several = waiting[:most]
            try:
                settled, undecided = await self._settle_some(step, several, ended)
            except Exception as error:
                if not caused_by_input(error):
                    raise
                log.error("members of a chunk cannot be settled", exc_info=error)
                alone = len(several) == 1
                settled = set(several)
                undecided = several if alone else await self._settle(step, several, ended, most=1)
            leavers += undecided
            waiting = [id for id in waiting if id not in settled]
        return leavers

    async def _settle_some(
        self, step: SettleChunkStep, message_ids: Sequence[int], ended: Counter[str]
    ) -> tuple[set[int], list[int]]:
        """End members of the earliest month in one transaction.

        Returns the ids that were looked at, and those whose reports do not decide.
        """
        lock_scope = LockScope(step.tenant_id, step.merchant_id or None, "settle")
        async with self._database.transaction(lock_scope) as db:
            messages = await settlement_facts.lock_several_for_settlement(
                db, tenant_id=step.tenant_id, message_ids=message_ids
            )
            ends = [(one, self._end_of(one)) for one in messages if not one.completed]
            counts = await chunk_settlement.end_several(
                db,
                [(message, end) for message, end in ends if end is not None],
                datetime.now(UTC),
                price_reporters=self._routes.price_reporters,
            )
        ended += counts
        settled = {message.message_id for message in messages}
        undecided = [message.message_id for message, end in ends if end is None]
        return settled or set(message_ids), undecided

    def _end_of(self, message: LockedMessage) -> End | None:
        return end_by_report(message.facts) or end_sent(message.facts, self._routes.silent)
