"""10DLC: how a merchant gets a brand, a campaign and a number that may send for it.

One workflow per row and story. The row in Postgres is the judge at every step: a story started a
second time, or whose row has moved on, ends at once.
"""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.rules.registration.vocabulary import Errand
    from workflows.registration.registration_base import Carrying
    from workflows.registration.types import RegistrationInput


@workflow.defn(name="register-brand")
class RegisterBrand(Carrying):
    """Carry a brand until it is approved or rejected."""

    @workflow.init
    def __init__(self, order: RegistrationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: RegistrationInput) -> str:
        """Return the state the brand ended with."""
        return await self._carry_all(Errand.REGISTER_BRAND)


@workflow.defn(name="register-campaign")
class RegisterCampaign(Carrying):
    """Carry a campaign until it is approved or rejected."""

    @workflow.init
    def __init__(self, order: RegistrationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: RegistrationInput) -> str:
        """Return the state the campaign ended with."""
        return await self._carry_all(Errand.REGISTER_CAMPAIGN)


@workflow.defn(name="buy-number")
class BuyNumber(Carrying):
    """Buy one number, once."""

    @workflow.init
    def __init__(self, order: RegistrationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: RegistrationInput) -> str:
        """Return the state of the number."""
        return await self._carry_all(Errand.BUY)


@workflow.defn(name="assign-number")
class AssignNumber(Carrying):
    """Have a number assigned to its campaign."""

    @workflow.init
    def __init__(self, order: RegistrationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: RegistrationInput) -> str:
        """Return the state of the assignment."""
        return await self._carry_all(Errand.ASSIGN)


@workflow.defn(name="return-number")
class ReturnNumber(Carrying):
    """Take a number from its campaign, then give it back."""

    @workflow.init
    def __init__(self, order: RegistrationInput) -> None:
        super().__init__(order)

    @workflow.run
    async def run(self, order: RegistrationInput) -> str:
        """Return the state of the number."""
        return await self._carry_all(Errand.UNASSIGN, Errand.RELEASE)
