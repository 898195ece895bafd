"""Sweeping SIP users: a directory is told of every password, whatever died between."""

from datetime import datetime, timedelta

from temporalio.client import Client

from models.queries.voice import sip_users
from models.queries.voice.sip_users import UntoldUser
from models.session import Database
from workflows.voice.start import start_provisioning
from workflows.voice.types import ProvisionInput


class DirectorySweep:
    """Looks after SIP users of whom a directory may not be told. Doing so twice changes nothing.

    Only for a directory that must be told: one that reads our tables knows them all.
    """

    def __init__(self, database: Database, client: Client, *, grace: timedelta) -> None:
        self._database = database
        self._client = client
        self._grace = grace
        self._last: UntoldUser | None = None

    async def take(self, now: datetime, most: int) -> list[UntoldUser]:
        """Return users whose turn it is: those behind the last ones, or after all the first.

        A directory that is away leaves many untold; none of them hides another for long.
        """
        async with self._database.read() as db:
            untold = await sip_users.find_untold(
                db, before=now - self._grace, after=self._last, most=most
            )
        self._last = untold[-1] if len(untold) == most else None
        return list(untold)

    async def carry_on(self, user: UntoldUser) -> bool:
        """Start the telling of a user's password; a running one is left alone."""
        await start_provisioning(
            self._client,
            ProvisionInput(
                tenant_id=user.tenant_id,
                credential_id=user.credential_id,
                public_id=user.public_id,
                version=user.version,
            ),
        )
        return True
