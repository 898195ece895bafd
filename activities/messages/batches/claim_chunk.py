"""Claims members of a chunk: commits their attempts before their calls, in one transaction."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from activities.messages.batches import chunk_spending
from activities.messages.batches.chunk_run import Run
from activities.messages.batches.plain_claims import Busy, ChunkClaim, NotYet, PlainClaims
from models.database.transaction_limits import LockScope
from models.queries.messages.batches import chunk_claims
from models.queries.messages.batches.chunk_claims import Member
from models.session import Database, WriteSession
from providers.ports.messages import Proof


class ChunkClaiming:
    """Claims members that have the same account."""

    def __init__(self, database: Database, plain: PlainClaims, sweep_grace: timedelta) -> None:
        self._database = database
        self._plain = plain
        self._sweep_grace = sweep_grace

    async def claim(self, run: Run, most: int) -> tuple[Sequence[ChunkClaim], Sequence[int]]:
        """Commit the attempts of up to `most` members.

        Return the claims, each with its slot, and the ids of the members that leave. A member that
        is neither is claimed later: its account is busy, or another one than that of the claims.
        """
        step = run.step
        lock_scope = LockScope(step.tenant_id, step.merchant_id or None, "dispatch")
        with ExitStack() as call_permits:
            async with self._database.transaction(lock_scope) as db:
                members = await chunk_claims.lock_unsent(
                    db, tenant_id=step.tenant_id, chunk_id=step.chunk_id, most=most
                )
                now = datetime.now(UTC)
                prepared, leavers = await self._prepare(run, members, now, call_permits)
                claims = await self._commit(db, run, prepared, leavers, now)
            call_permits.pop_all()  # from now on each call gives its own back
        claimed = {claim.message_id for claim in claims}
        for claim in prepared:
            if claim.message_id not in claimed:
                claim.give_back()
        return claims, leavers

    async def _prepare(
        self, run: Run, members: Sequence[Member], now: datetime, call_permits: ExitStack
    ) -> tuple[list[ChunkClaim], list[int]]:
        claims: list[ChunkClaim] = []
        leavers: list[int] = []
        busy: set[str] = set()
        for member in members:
            prepared = self._plain.prepare(member, run.step.tenant_id, now)
            match prepared:
                case ChunkClaim() if claims and prepared.account != claims[0].account:
                    prepared.give_back()
                case ChunkClaim():
                    call_permits.callback(prepared.give_back)
                    claims.append(prepared)
                case Busy():
                    busy.add(prepared.account)
                case NotYet():
                    pass
                case None:
                    leavers.append(member.message_id)
            await asyncio.sleep(0)
        run.done = not (claims or leavers or busy)
        run.accounts = busy or {claim.account for claim in claims}
        return claims, leavers

    async def _commit(
        self,
        db: WriteSession,
        run: Run,
        prepared: Sequence[ChunkClaim],
        leavers: list[int],
        now: datetime,
    ) -> Sequence[ChunkClaim]:
        """Write the attempts as REQUESTED; from their commit on the account may have them.

        A member that a spending limit holds back leaves.
        """
        step = run.step
        chosen = await chunk_spending.choose(db, prepared, step.tenant_id, now)
        leavers += [claim.message_id for claim in chosen.refused]
        if not chosen.claims:
            return []
        first = chosen.claims[0].claimed
        first.check_time(run.ends)
        await chunk_claims.claim(
            db,
            tenant_id=step.tenant_id,
            message_ids=[claim.message_id for claim in chosen.claims],
            provider=first.provider.name,
            account=first.provider.account,
            now=now,
            deadline=first.deadline,
            grace=self._sweep_grace,
            listed=first.provider.proof is Proof.LISTING,
            report_wait_until=run.report_wait_until(now),
        )
        await chunk_spending.reserve(db, chosen)
        return chosen.claims
