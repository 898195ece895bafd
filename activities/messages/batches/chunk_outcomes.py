"""Stores the outcomes of a chunk's calls: those of accepted members together."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from sqlalchemy.exc import IntegrityError

from activities.messages.batches.chunk_run import Answered, Run
from activities.messages.batches.leaving import Leaving
from activities.messages.claimed import reference_of
from activities.messages.dispatch import Dispatching
from models.enums import AttemptState
from models.queries.messages.batches import chunk_conclusions
from models.queries.messages.report_intake import note_mismatch
from models.rules.messages.delivery_events import Mismatch
from models.session import Database
from providers.ports.messages import Accepted
from workflows.messages.batches.chunk_types import ChunkStep
from workflows.messages.types import DispatchResult, DispatchStep, Verdict


class ChunkOutcomes:
    """Concludes attempts; a member that was not accepted leaves the chunk."""

    def __init__(self, database: Database, dispatching: Dispatching, leaving: Leaving) -> None:
        """`dispatching` concludes what was not accepted, as that of a single send."""
        self._database = database
        self._dispatching = dispatching
        self._leaving = leaving

    async def store(self, run: Run, answered: Sequence[Answered]) -> None:
        """Store outcomes: those of accepted members together, the others one by one."""
        accepted = [one for one in answered if isinstance(one.answer, Accepted)]
        others = [one for one in answered if not isinstance(one.answer, Accepted)]
        leavers: dict[int, datetime | None] = {}
        if accepted:
            try:
                leavers |= dict.fromkeys(await self._conclude_accepted(run, accepted))
            except IntegrityError:  # an id belongs to two attempts; one by one shows which
                others += accepted
        for one in others:
            result = await self._conclude_one(run.step, one)
            if result.verdict is Verdict.ACCEPTED:
                run.accepted[one.claim.claimed.provider.account] += 1
            else:
                leavers[one.claim.message_id] = result.until
        not_before = {id: until for id, until in leavers.items() if until is not None}
        run.left += await self._leaving.leave(run.step, leavers.keys(), not_before)

    async def _conclude_one(self, step: ChunkStep, one: Answered) -> DispatchResult:
        claim = one.claim
        return await self._dispatching.conclude(
            DispatchStep(
                tenant_id=step.tenant_id,
                message_id=claim.message_id,
                merchant_id=step.merchant_id,
                public_id=claim.claimed.found.public_id,
            ),
            claim.claimed,
            one.answer,
            await_report=False,
        )

    async def _conclude_accepted(self, run: Run, accepted: Collection[Answered]) -> list[int]:
        """Store that members were accepted; return those that were not, by a report or an id."""
        now = datetime.now(UTC)
        claims = {one.claim.message_id: one.claim for one in accepted}
        ids = {
            one.claim.message_id: one.answer.provider_message_id
            for one in accepted
            if isinstance(one.answer, Accepted)
        }
        async with self._database.statement() as db:
            concluded = await chunk_conclusions.conclude_accepted(
                db,
                tenant_id=run.step.tenant_id,
                provider_message_ids=ids,
                now=now,
                report_wait_until=run.report_wait_until(now),
            )
        leavers = []
        for message_id, outcome in concluded.items():
            claimed = claims[message_id].claimed
            if outcome.mismatch:
                reference = reference_of(claimed.found, claimed.number)
                note_mismatch(claimed.provider.account, Mismatch.MESSAGE_ID, reference)
            if outcome.state is AttemptState.ACCEPTED:
                run.accepted[claimed.provider.account] += 1
            else:
                leavers.append(message_id)
        return leavers
