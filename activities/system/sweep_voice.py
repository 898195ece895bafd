"""Sweeps SIP users: starts the directory updates that have no workflow."""

from datetime import datetime, timedelta

from temporalio.client import Client

from models.queries.voice import sip_users
from models.queries.voice.sip_users import UnsyncedUser
from models.session import Database
from workflows.voice.start import start_provisioning
from workflows.voice.types import ProvisionInput


class DirectorySweep:
    """Restarts updates of SIP users whose directory may lack the current version. Idempotent.

    It is used only for a vendor's directory: one that reads our tables needs no update.
    """

    def __init__(self, database: Database, client: Client, *, grace: timedelta) -> None:
        self._database = database
        self._client = client
        self._grace = grace
        self._last: UnsyncedUser | None = None

    async def take(self, now: datetime, most: int) -> list[UnsyncedUser]:
        """Return the due users after the previous page, or from the start after the last page.

        An unreachable directory leaves many users unsynced; they are taken page by page.
        """
        async with self._database.read() as db:
            unsynced = await sip_users.find_unsynced(
                db, before=now - self._grace, after=self._last, most=most
            )
        self._last = unsynced[-1] if len(unsynced) == most else None
        return list(unsynced)

    async def resume(self, user: UnsyncedUser) -> bool:
        """Start the update of a user's password unless it is running."""
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
