"""The application's voice services, with a settable clock and access to their rows."""

from dataclasses import dataclass

from fastapi import FastAPI
from sqlalchemy import select
from sqlmodel import col

from api.services.voice.presence import PresenceRecords
from api.services.voice.provisioning import Push, VoiceProvisioning
from models.queries.voice.sip_registrations import RegistrarTables
from models.rules.voice.connection import VoicePlace
from models.rules.voice.sip import SipSecrets
from models.session import Database
from models.tables.voice import VoiceCredential
from providers.kamailio import Kamailio
from tests.api.container import put_in
from tests.api.doubles import Clock
from tests.api.integrator import Integrator

SECRET = "only-for-tests-too"
TURN_SECRET = "turn-server-and-us"


@dataclass(frozen=True)
class Harness:
    """An installation."""

    app: FastAPI
    database: Database
    place: VoicePlace
    clock: Clock

    def serve(
        self, *, place: VoicePlace | None = None, secret: str = SECRET, push: Push | None = None
    ) -> None:
        """Serve voice with these settings; with `push` through a directory that must be updated."""
        place = place or self.place
        registrar = Kamailio(RegistrarTables(self.database).registered) if push is None else None
        presence = PresenceRecords(self.database, registrar, self.clock, expires=place.expires)
        provisioning = VoiceProvisioning(
            self.database, place, SipSecrets(secret), presence, push, self.clock
        )
        put_in(self.app, "voice", provisioning=provisioning, presence=presence)

    async def user(self, integrator: Integrator) -> VoiceCredential:
        """Return the row of a tenant's one SIP user."""
        statement = select(VoiceCredential).where(
            col(VoiceCredential.tenant_id) == integrator.tenant_id
        )
        async with self.database.read() as db:
            return (await db.scalars(statement)).one()
