"""Sweeps registrations: starts the workflows of submitted rows that have none."""

from datetime import datetime, timedelta
from typing import Final

from temporalio.client import Client

from models.queries.system.sweep_registrations import StalledRegistration, take_stalled
from models.rules.registration.vocabulary import RegistrationKind
from models.rules.waits import RegistrationWaits
from models.session import Database
from workflows.registration.start import RegistrationStart, start_registration

_LONGEST_GAP: Final = timedelta(hours=1)


class RegistrationSweep:
    """Restarts brands, campaigns and numbers that may have no running workflow. Idempotent."""

    def __init__(
        self, database: Database, client: Client, waits: RegistrationWaits, *, grace: timedelta
    ) -> None:
        self._database = database
        self._client = client
        self._waits = waits
        self._grace = grace

    async def take(self, now: datetime, most: int) -> list[StalledRegistration]:
        """Return the rows of every kind that are due, and set when they are due next."""
        taken: list[StalledRegistration] = []
        for kind in RegistrationKind:
            async with self._database.transaction() as db:
                taken += await take_stalled(
                    db,
                    kind=kind,
                    now=now,
                    grace=self._grace,
                    longest=_LONGEST_GAP,
                    most=most - len(taken),
                )
        return taken

    async def resume(self, row: StalledRegistration) -> bool:
        """Start a row's workflow unless it is running."""
        await start_registration(
            self._client,
            RegistrationStart(
                tenant_id=row.tenant_id,
                kind=row.kind,
                row_id=row.row_id,
                public_id=row.public_id,
                registry_operation=row.registry_operation,
                merchant=row.merchant,
            ),
            self._waits,
            fresh=False,
        )
        return True
