"""How an errand at the 10DLC registry is carried to its end: the part all its stories share."""

import contextlib
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.rules.registration.lifecycle import RegistrationAction
    from models.rules.registration.vocabulary import RegistrationOperation
    from workflows import names, policies, steps
    from workflows.registration.types import RegistrationInput, RegistrationResult, RegistrationStep

_SHORTEST = timedelta(milliseconds=100)
"""A loop without a wait would never end."""


class RegistrationBase:
    """submit → (reconcile) → ask until it is decided. The row says at every step what is next.

    Nothing is in hand here but the order, so a long history may be cut off at any time.
    """

    def __init__(self, order: RegistrationInput) -> None:
        self._order = order
        self._waits = order.waits
        self._changed = False

    @workflow.signal
    def changed(self) -> None:
        """Look again: the registry has news, or the row was submitted anew."""
        self._changed = True

    async def _run_all(self, *registry_operations: RegistrationOperation) -> str:
        """Carry the errands in turn, and again if the row changed meanwhile; return its state."""
        while True:
            self._changed = False
            state = ""
            for registry_operation in registry_operations:
                state = await self._run_one(registry_operation)
            # Submitted anew while this was about to end: nobody else would carry it.
            if not self._changed:
                workflow.upsert_search_attributes([names.OUTCOME.value_set(state)])
                return state

    async def _run_one(self, registry_operation: RegistrationOperation) -> str:
        """Carry one errand until the row has it no more."""
        step = RegistrationStep(
            tenant_id=self._order.tenant_id,
            kind=self._order.kind,
            row_id=self._order.row_id,
            registry_operation=registry_operation,
            public_id=self._order.public_id,
        )
        result = await self._submit(step)
        move, since = result.move, workflow.now()
        while result.move is not RegistrationAction.OVER:
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._order)
            if result.move is not move:
                move, since = result.move, workflow.now()
            result = await self._go_on(step, result, since)
        return result.state

    async def _go_on(
        self, step: RegistrationStep, last: RegistrationResult, since: datetime
    ) -> RegistrationResult:
        match last.move:
            case RegistrationAction.RECONCILE:
                gap = self._gap(since, self._waits.reconcile_every)
                # At first at once: an answer was lost just now.
                if workflow.now() > since:
                    await self._pause(gap, "wait to look again for a lost answer")
                return await workflow.execute_activity(
                    steps.reconcile_registration,
                    step,
                    **policies.reconcile_registration(
                        f"{step.registry_operation}: did the registry take it?"
                    ),
                )
            case RegistrationAction.ASK:
                await self._pause(self._gap(since, self._waits.ask_first), "wait for the registry")
                return await workflow.execute_activity(
                    steps.ask_registration,
                    step,
                    **policies.registration(f"{step.registry_operation}: is it decided?"),
                )
            case _:
                if last.until is not None:
                    gap = self._gap(since, self._waits.reconcile_every)
                    await self._pause(max(last.until - workflow.now(), gap), "wait to try again")
                return await self._submit(step)

    async def _submit(self, step: RegistrationStep) -> RegistrationResult:
        return await workflow.execute_activity(
            steps.submit_registration,
            step,
            **policies.registration(f"{step.registry_operation}: submit"),
        )

    async def _pause(self, patience: timedelta, summary: str) -> None:
        """Wait, at least a moment; news end it."""
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._changed,
                timeout=max(patience, _SHORTEST),
                timeout_summary=summary,
            )
        self._changed = False

    def _gap(self, since: datetime, first: timedelta) -> timedelta:
        """Grow with the time already spent, so that days of asking leave a short history."""
        return min(max(first, (workflow.now() - since) / 4), self._waits.ask_longest)
