"""10DLC: how a merchant gets a brand, a campaign and a number that may send for it.

One workflow per row and story. The row in Postgres is the judge at every step: a story started a
second time, or whose row has moved on, ends at once.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.rules.registration.vocabulary import RegistrationOperation
    from workflows.registration.registration_base import RegistrationBase
    from workflows.registration.types import RegistrationInput


@workflow.defn(name="register-brand")
class RegisterBrand(RegistrationBase):
    """Carry a brand until it is approved or rejected."""

    @workflow.init
    def __init__(self, order: RegistrationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: RegistrationInput) -> str:
        """Return the state the brand ended with."""
        return await self._run_all(RegistrationOperation.REGISTER_BRAND)


@workflow.defn(name="register-campaign")
class RegisterCampaign(RegistrationBase):
    """Carry a campaign until it is approved or rejected."""

    @workflow.init
    def __init__(self, order: RegistrationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: RegistrationInput) -> str:
        """Return the state the campaign ended with."""
        return await self._run_all(RegistrationOperation.REGISTER_CAMPAIGN)


@workflow.defn(name="buy-number")
class BuyNumber(RegistrationBase):
    """Buy one number, once."""

    @workflow.init
    def __init__(self, order: RegistrationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: RegistrationInput) -> str:
        """Return the state of the number."""
        return await self._run_all(RegistrationOperation.BUY)


@workflow.defn(name="assign-number")
class AssignNumber(RegistrationBase):
    """Have a number assigned to its campaign."""

    @workflow.init
    def __init__(self, order: RegistrationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: RegistrationInput) -> str:
        """Return the state of the assignment."""
        return await self._run_all(RegistrationOperation.ASSIGN)


@workflow.defn(name="return-number")
class ReturnNumber(RegistrationBase):
    """Take a number from its campaign, then give it back."""

    @workflow.init
    def __init__(self, order: RegistrationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: RegistrationInput) -> str:
        """Return the state of the number."""
        return await self._run_all(RegistrationOperation.UNASSIGN, RegistrationOperation.RELEASE)
