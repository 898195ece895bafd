"""Workflows that register a brand or a campaign, and buy, assign or release a number.

There is one workflow per row and operation. The row in Postgres decides at every step: a workflow
that is started twice, or whose row has another operation meanwhile, ends at once.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.rules.registration.vocabulary import RegistrationOperation
    from workflows.registration.registration_base import RegistrationBase
    from workflows.registration.types import RegistrationInput


@workflow.defn(name="register-brand")
class RegisterBrand(RegistrationBase):
    """Register a brand until it is approved or rejected."""

    @workflow.init
    def __init__(self, input: RegistrationInput) -> None:
        super().__init__(input)

    @workflow.run
    async def run(self, input: RegistrationInput) -> str:
        """Return the state the brand ended with."""
        return await self._run_all(RegistrationOperation.REGISTER_BRAND)


@workflow.defn(name="register-campaign")
class RegisterCampaign(RegistrationBase):
    """Register a campaign until it is approved or rejected."""

    @workflow.init
    def __init__(self, input: RegistrationInput) -> None:
        super().__init__(input)

    @workflow.run
    async def run(self, input: RegistrationInput) -> str:
        """Return the state the campaign ended with."""
        return await self._run_all(RegistrationOperation.REGISTER_CAMPAIGN)


@workflow.defn(name="buy-number")
class BuyNumber(RegistrationBase):
    """Buy one number, at most once."""

    @workflow.init
    def __init__(self, input: RegistrationInput) -> None:
        super().__init__(input)

    @workflow.run
    async def run(self, input: RegistrationInput) -> str:
        """Return the state of the number."""
        return await self._run_all(RegistrationOperation.BUY)


@workflow.defn(name="assign-number")
class AssignNumber(RegistrationBase):
    """Assign a number to its campaign."""

    @workflow.init
    def __init__(self, input: RegistrationInput) -> None:
        super().__init__(input)

    @workflow.run
    async def run(self, input: RegistrationInput) -> str:
        """Return the state of the assignment."""
        return await self._run_all(RegistrationOperation.ASSIGN)


@workflow.defn(name="return-number")
class ReturnNumber(RegistrationBase):
    """Unassign a number from its campaign, then release it."""

    @workflow.init
    def __init__(self, input: RegistrationInput) -> None:
        super().__init__(input)

    @workflow.run
    async def run(self, input: RegistrationInput) -> str:
        """Return the state of the number."""
        return await self._run_all(RegistrationOperation.UNASSIGN, RegistrationOperation.RELEASE)
