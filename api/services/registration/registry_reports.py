"""Receives webhooks of registries: verifies them and signals the workflow of the operation."""

from collections.abc import Mapping

from api.services.registration.scope import start_of
from api.services.verify_webhook import verified_events
from api.workflow_starters import RegistrationStarter
from models.errors import NotFound
from models.queries.registration import registrations
from models.rules.registration.lifecycle import parse_registration_reference
from models.session import Database
from providers.ports.messages import Webhook
from providers.ports.registration import VerifyRegistrations


class RegistrationWebhooks:
    """Signals the workflows of registry operations; a repeated webhook only causes another
    query.
    """

    def __init__(
        self,
        database: Database,
        starter: RegistrationStarter,
        verifiers: Mapping[str, VerifyRegistrations],
    ) -> None:
        self._database = database
        self._starter = starter
        self._verifiers = verifiers

    async def take(self, account: str, webhook: Webhook, reference: str) -> None:
        """Signal the workflow of an operation, if it still runs.

        Raises:
            NotFound: no such account, or an unknown reference.
            Forbidden: the signature is wrong, or it belongs to another reference.
            MalformedJson: the body cannot be parsed although its signature is right.
        """
        if await verified_events(self._verifiers, account, webhook, reference):
            await self._wake(account, reference)

    async def _wake(self, account: str, reference: str) -> None:
        named = parse_registration_reference(reference)
        if named is None:
            raise NotFound
        async with self._database.read() as db:
            row = await registrations.find_named(db, named)
        if row is None or row.account != account or named.submission > row.submission:
            raise NotFound
        start = start_of(row, "")
        if start is not None and named.submission == row.submission:
            await self._starter.wake(start.workflow_id)
