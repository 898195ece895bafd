"""Base of the workflows that carry out operations at the 10DLC registry."""

import contextlib
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.rules.registration.lifecycle import RegistrationAction
    from models.rules.registration.vocabulary import RegistrationOperation
    from workflows import names, policies, steps
    from workflows.registration.types import RegistrationInput, RegistrationResult, RegistrationStep

_SHORTEST = timedelta(milliseconds=100)
"""Shortest wait, so that no loop spins."""


class RegistrationBase:
    """submit → (reconcile) → ask until it is decided. The row determines the next action.

    No state is held here besides the input, so it may continue as new at any time.
    """

    def __init__(self, input: RegistrationInput) -> None:
        self._input = input
        self._waits = input.waits
        self._changed = False

    @workflow.signal
    def changed(self) -> None:
        """Read the row again: a webhook came, or it was submitted again."""
        self._changed = True

    async def _run_all(self, *registry_operations: RegistrationOperation) -> str:
        """Run the operations in turn, again if the row changed meanwhile; return its state."""
        while True:
            self._changed = False
            state = ""
            for registry_operation in registry_operations:
                state = await self._run_one(registry_operation)
            # Submitted again while this was about to end: no other workflow runs it.
            if not self._changed:
                workflow.upsert_search_attributes([names.OUTCOME.value_set(state)])
                return state

    async def _run_one(self, registry_operation: RegistrationOperation) -> str:
        """Run one operation until the row no longer has it."""
        step = RegistrationStep(
            tenant_id=self._input.tenant_id,
            kind=self._input.kind,
            row_id=self._input.row_id,
            registry_operation=registry_operation,
            public_id=self._input.public_id,
        )
        result = await self._submit(step)
        action, since = result.action, workflow.now()
        while result.action is not RegistrationAction.OVER:
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(self._input)
            if result.action is not action:
                action, since = result.action, workflow.now()
            result = await self._next_step(step, result, since)
        return result.state

    async def _next_step(
        self, step: RegistrationStep, last: RegistrationResult, since: datetime
    ) -> RegistrationResult:
        match last.action:
            case RegistrationAction.RECONCILE:
                gap = self._gap(since, self._waits.reconcile_every)
                # At first at once: an answer was lost just now.
                if workflow.now() > since:
                    await self._pause(gap, "wait to reconcile again")
                return await workflow.execute_activity(
                    steps.reconcile_registration,
                    step,
                    **policies.reconcile_registration(f"{step.registry_operation}: reconcile"),
                )
            case RegistrationAction.ASK:
                await self._pause(self._gap(since, self._waits.ask_first), "wait for the registry")
                return await workflow.execute_activity(
                    steps.ask_registration,
                    step,
                    **policies.registration(f"{step.registry_operation}: poll"),
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
        """Wait at least 100 ms; the signal ends it."""
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
