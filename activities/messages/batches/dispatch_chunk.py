"""Dispatches the members of a chunk: claims several at once, calls, concludes several at once."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity

from activities.messages.account_health import AccountHealth
from activities.messages.batches.chunk_outcomes import ChunkOutcomes
from activities.messages.batches.chunk_run import Answered, Run
from activities.messages.batches.leaving import Leaving
from activities.messages.batches.plain_claims import Busy, ChunkClaim, PlainClaims, by_account
from activities.messages.dispatch import Dispatching
from activities.messages.provider_slots import Slots
from models.database.transaction_limits import LockScope
from models.queries.messages.batches import chunk_claims, chunk_members
from models.rules.system.failures import caused_by_input
from models.session import Database, WriteSession
from providers.ports.messages import Proof
from providers.routing import Routes
from workflows.heartbeat import heartbeats
from workflows.messages.batches.chunk_types import ChunkResult, ChunkStep

log = logging.getLogger(__name__)

_GATHER: Final = 0.02
"""Seconds in which answers are gathered, to be concluded together."""

_LOOK_FOR_SLOTS: Final = 0.05
_SLOTS_PATIENCE: Final = 2.0
"""Seconds between two looks for free slots, and how long they are waited for."""


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
        self._sweep_grace = sweep_grace
        self._plain = PlainClaims(
            routes=routes, slots=slots, health=health, public_url=public_url.rstrip("/")
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

        A claim takes no fewer than half of the slots while calls are under way.
        """
        share = self._slots.most_of_chunks
        free = min((self._slots.free_for_chunks(name) for name in run.accounts), default=share)
        if run.calls and (not run.may_claim or free < max(1, share // 2)):
            return
        if not free:
            await self._wait_for_slots(run)
            return
        claims, leavers = await self._claim_or_leave(run, free)
        run.left += await self._leaving.leave(run.step, leavers)
        for claim in claims:
            run.calls.add(asyncio.create_task(self._call(run.step, claim)))

    async def _wait_for_slots(self, run: Run) -> None:
        """Wait until a slot is free; if none gets free, claim no more in this run."""
        until = time.monotonic() + _SLOTS_PATIENCE
        while time.monotonic() < until:
            if all(self._slots.free_for_chunks(name) for name in run.accounts):
                return
            await asyncio.sleep(_LOOK_FOR_SLOTS)
        run.done = True

    async def _claim_or_leave(
        self, run: Run, most: int
    ) -> tuple[Sequence[ChunkClaim], Sequence[int]]:
        """Claim up to `most` members; return the claims, and the ids of the members that leave.

        If the claim fails because of a member, they all leave.
        """
        try:
            return await self._claim(run, most)
        except Exception as error:
            if caused_by_input(error):
                log.error("members of a chunk cannot be claimed together", exc_info=error)
                return [], (await self._open_members(run.step)).unsent[:most]
            if not run.calls:
                raise
            log.warning("a claim of a chunk failed", extra={"reason": type(error).__name__})
            run.done = True  # the calls under way are concluded first
            return [], []

    async def _claim(self, run: Run, most: int) -> tuple[Sequence[ChunkClaim], Sequence[int]]:
        """Commit the attempts of members that can be called now."""
        step = run.step
        lock_scope = LockScope(step.tenant_id, step.merchant_id or None, "dispatch")
        with ExitStack() as call_permits:
            async with self._database.transaction(lock_scope) as db:
                members = await chunk_claims.lock_unsent(
                    db, tenant_id=step.tenant_id, chunk_id=step.chunk_id, most=most
                )
                run.done = not members
                now = datetime.now(UTC)
                claims, leavers = await self._prepare(run, members, now, call_permits)
                for account, of_account in sorted(by_account(claims).items()):
                    await self._commit(db, run, account, of_account, now)
            call_permits.pop_all()  # from now on each call gives its own back
        return claims, leavers

    async def _prepare(
        self,
        run: Run,
        members: Sequence[chunk_claims.Member],
        now: datetime,
        call_permits: ExitStack,
    ) -> tuple[Sequence[ChunkClaim], Sequence[int]]:
        claims: list[ChunkClaim] = []
        leavers: list[int] = []
        busy: set[str] = set()
        for member in members:
            prepared = self._plain.prepare(member, run.step.tenant_id, now)
            match prepared:
                case ChunkClaim():
                    call_permits.callback(prepared.call_permit.close)
                    claims.append(prepared)
                case Busy():
                    busy.add(prepared.account)
                case None:
                    leavers.append(member.message_id)
            await asyncio.sleep(0)
        run.accounts = busy or {claim.claimed.provider.account for claim in claims}
        return claims, leavers

    async def _commit(
        self,
        db: WriteSession,
        run: Run,
        account: str,
        claims: Sequence[ChunkClaim],
        now: datetime,
    ) -> None:
        """Write the attempts as REQUESTED; from their commit on the account may have them."""
        first = claims[0].claimed
        first.check_time(run.ends)
        await chunk_claims.claim(
            db,
            tenant_id=run.step.tenant_id,
            message_ids=[claim.message_id for claim in claims],
            provider=first.provider.name,
            account=account,
            now=now,
            deadline=first.deadline,
            grace=self._sweep_grace,
            listed=first.provider.proof is Proof.LISTING,
            report_wait_until=run.report_wait_until(now),
        )

    async def _call(self, step: ChunkStep, claim: ChunkClaim) -> Answered | None:
        """Call the provider; None if the adapter failed, then the attempt is reconciled."""
        claimed = claim.claimed
        with claim.call_permit:
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
