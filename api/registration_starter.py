"""The API's hand on registrations; it may fail, and then their sweeper makes up for it."""

from temporalio.client import Client

from api.workflow_starters import Bounded
from models.rules.waits import RegistrationWaits
from workflows.registration.start import RegistrationStart, start_registration, wake_registration


class RegistrationStarter(Bounded):
    """Starts and wakes the workflows of brands, campaigns and numbers."""

    def __init__(self, client: Client, waits: RegistrationWaits) -> None:
        self._client = client
        self._waits = waits

    async def start(self, registration: RegistrationStart, *, fresh: bool) -> None:
        """Make sure a workflow runs; `fresh` if its row was submitted just now."""
        await self._ask(
            lambda: start_registration(self._client, registration, self._waits, fresh=fresh)
        )

    async def wake(self, workflow_id: str) -> None:
        """Tell a workflow that there is news; nobody there is fine."""
        await self._ask(lambda: wake_registration(self._client, workflow_id))
