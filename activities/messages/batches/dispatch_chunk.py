"""Dispatches the members of a chunk: claims several at once, calls, concludes several at once."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from temporalio import activity

from activities.messages.account_health import AccountHealth
from activities.messages.batches.chunk_outcomes import ChunkOutcomes
from activities.messages.batches.chunk_run import Answered, Run
from activities.messages.batches.claim_chunk import ChunkClaiming
from activities.messages.batches.leaving import Leaving
from activities.messages.batches.plain_claims import ChunkClaim, PlainClaims
from activities.messages.dispatch import Dispatching
from activities.messages.provider_slots import Slots
from models import logs
from models.queries.messages.batches import chunk_members
from models.rules.system.failures import caused_by_input
from models.session import Database
from providers.routing import Routes
from workflows.heartbeat import heartbeats
from workflows.messages.batches.chunk_types import ChunkResult, ChunkStep

log = logging.getLogger(__name__)

_GATHER: Final = 0.02
"""Seconds in which answers are gathered, to be concluded together."""

_SLOTS_PATIENCE: Final = 2.0
"""How long free slots are waited for, in seconds."""


class ChunkDispatching:
    """Performs the calls of a chunk's members, each after its attempt is committed.

    Only the plain case is sent here: one call with the first account of the route. A member that
    needs more leaves the chunk, and its own workflow continues by its row.
    """

    def __init__(
        self,
        database: Database,
        routes: Routes,
        dispatching: Dispatching,
        leaving: Leaving,
        *,
        public_url: str,
        slots: Slots,
        health: AccountHealth,
        sweep_grace: timedelta,
    ) -> None:
        """`dispatching` concludes what was not accepted; it has the same `slots` and `health`."""
        self._database = database
        self._routes = routes
        self._outcomes = ChunkOutcomes(database, dispatching, leaving)
        self._leaving = leaving
        self._slots = slots
        self._health = health
        self._claiming = ChunkClaiming(
            database,
            PlainClaims(
                routes=routes, slots=slots, health=health, public_url=public_url.rstrip("/")
            ),
            sweep_grace,
        )

    @activity.defn(name="dispatch_chunk")
    async def dispatch_chunk(self, step: ChunkStep) -> ChunkResult:
        """Hand members to a provider, as many at once as there are free slots.

        Safe to run twice: a member with an attempt is not claimed again. If the attempt has no
        outcome, because an earlier run was killed, the member leaves and is reconciled.
        """
        run = Run(step=step)
        async with heartbeats():
            await self._leave_unanswered(run)
            try:
                while run.may_claim or run.calls:
                    await self._claim_more(run)
                    await self._conclude_answered(run)
            finally:
                await run.cancel_calls()
            await self._leave_unanswered(run)
            left = await self._open_members(step)
        return ChunkResult(
            unsent=len(left.unsent),
            awaited=len(left.awaited) + len(left.settleable),
            settleable=len(left.settleable),
            accepted=dict(run.accepted),
            left=run.left,
        )

    async def _open_members(self, step: ChunkStep) -> chunk_members.OpenMembers:
        async with self._database.read() as db:
            return await chunk_members.open_members(
                db, tenant_id=step.tenant_id, chunk_id=step.chunk_id, silent=self._routes.silent
            )

    async def _leave_unanswered(self, run: Run) -> None:
        """Let members leave whose attempt has no outcome; none of this run is under way."""
        members = await self._open_members(run.step)
        run.left += await self._leaving.leave(run.step, members.unanswered)

    async def _claim_more(self, run: Run) -> None:
        """Claim as many members as slots are free, and begin their calls.

        A claim takes no fewer than half of the slots of chunks while that is possible: several
        chunks would otherwise claim members one by one.
        """
        half = max(1, self._slots.most_of_chunks // 2)
        if run.calls and (not run.may_claim or self._free(run) < half):
            return
        if not run.calls:
            await self._wait_for_slots(run, half)
        free = self._free(run)
        if not free:
            run.done = True
            return
        claims, leavers = await self._claim_or_leave(run, free)
        for claim in claims:
            call = asyncio.create_task(self._call(run.step, claim))
            # Also if the task is cancelled before it begins.
            call.add_done_callback(claim.give_back)
            run.calls.add(call)
        await self._leave(run, leavers)

    def _free(self, run: Run) -> int:
        """Return how many calls chunks may begin with each account of the last claim."""
        free = [self._slots.free_for_chunks(account) for account in run.accounts]
        return min(free, default=self._slots.most_of_chunks)

    async def _wait_for_slots(self, run: Run, wanted: int) -> None:
        """Wait until so many slots are free, but not for long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_SLOTS_PATIENCE):
                while self._free(run) < wanted:
                    await self._slots.freed()

    async def _leave(self, run: Run, message_ids: Sequence[int]) -> None:
        """Let members leave; a failure must not cancel the calls under way."""
        try:
            run.left += await self._leaving.leave(run.step, message_ids)
        except Exception as error:  # they are found again by the next run
            log.warning(
                "members could not leave their chunk", extra={"reason": type(error).__name__}
            )
            run.done = True

    async def _claim_or_leave(
        self, run: Run, most: int
    ) -> tuple[Sequence[ChunkClaim], Sequence[int]]:
        """Claim up to `most` members; return the claims, and the ids of the members that leave.

        If the claim fails because of a member, they all leave.
        """
        try:
            return await self._claiming.claim(run, most)
        except Exception as error:
            if caused_by_input(error):
                log.error("members of a chunk cannot be claimed together", exc_info=error)
                return [], (await self._open_members(run.step)).unsent[:most]
            if not run.calls:
                raise
            log.warning("a claim of a chunk failed", extra={"reason": type(error).__name__})
            run.done = True  # the calls under way are concluded first
            return [], []

    async def _call(self, step: ChunkStep, claim: ChunkClaim) -> Answered | None:
        """Call the provider; None if the adapter failed, then the attempt is reconciled."""
        claimed = claim.claimed
        logs.message_id.set(claimed.found.public_id)  # of this task only
        try:
            answer = await self._health.send(
                claimed.provider, claimed.request, step.tenant_id, None
            )
        except Exception as error:
            log.error("a call of a chunk failed", exc_info=error)
            return None
        return Answered(claim=claim, answer=answer)

    async def _conclude_answered(self, run: Run) -> None:
        """Wait for an answer, and store the outcomes of all calls that have ended."""
        if not run.calls:
            return
        await asyncio.wait(run.calls, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(_GATHER)
        ended = {call for call in run.calls if call.done()}
        run.calls -= ended
        answered = [one for one in (call.result() for call in ended) if one is not None]
        try:
            await self._outcomes.store(run, answered)
        except Exception as error:  # their attempts stay open, and the members leave at the end
            log.warning(
                "outcomes of calls of a chunk could not be stored",
                extra={"reason": type(error).__name__},
            )
