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
"""Shortest wait; prevents a busy loop."""


class RegistrationBase:
    """submit → (reconcile) → poll until it is decided. The row determines the next action.

    The workflow has no state besides its input, so it may continue as new at any time.
    """

    def __init__(self, input: RegistrationInput) -> None:
        self._input = input
        self._waits = input.waits
        self._changed = False

    @workflow.signal
    def changed(self) -> None:
        """A webhook changed the row, or it was submitted again: read it again."""
        self._changed = True

    async def _run_all(self, *registry_operations: RegistrationOperation) -> str:
        """Run the operations in turn, and again if the row changed; return the row's state."""
        while True:
            self._changed = False
            state = ""
            for registry_operation in registry_operations:
                state = await self._run_one(registry_operation)
            # A row that was submitted again during the last step has no other workflow.
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
                # The first reconciliation follows the lost answer without a wait.
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
        """Wait at least 100 ms; the signal ends the wait."""
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: self._changed,
                timeout=max(patience, _SHORTEST),
                timeout_summary=summary,
            )
        self._changed = False

    def _gap(self, since: datetime, first: timedelta) -> timedelta:
        """Return a wait that grows with the elapsed time, to keep the history short."""
        return min(max(first, (workflow.now() - since) / 4), self._waits.ask_longest)
