"""Reads current SIP registrations from the registrar's table in the shared database."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import text

from models.session import Database

# The registrar stores Unix seconds, so no time zone conversion is needed. If a user is registered
# from several devices, the latest registration counts.
_REGISTERED = text(
    """
    SELECT DISTINCT ON (username) username, contact, NULLIF(user_agent, '') AS user_agent,
           to_timestamp(expires) AS expires_at, to_timestamp(last_modified) AS updated_at
      FROM kamailio.location
     WHERE username = ANY(:usernames) AND expires > EXTRACT(EPOCH FROM CAST(:now AS timestamptz))
     ORDER BY username, last_modified DESC, id DESC
    """
)

_PREPARED = text("SELECT to_regclass('kamailio.location') IS NOT NULL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A user's latest registration."""

    username: str
    contact: str = field(repr=False)
    user_agent: str | None
    expires_at: datetime
    updated_at: datetime


class RegistrarTables:
    """Reads the registrar's table, which `hexavox voice prepare` creates."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._prepared = False

    async def registered(self, usernames: Collection[str], now: datetime) -> Sequence[Registered]:
        """Return the named users who are registered at `now`; none if there is no registrar.

        User names contain the tenant, so a query by names of one tenant returns no other tenant's
        rows.
        """
        if not usernames:
            return []
        async with self._database.read() as db:
            self._prepared = self._prepared or bool(await db.scalar(_PREPARED))
            if not self._prepared:
                return []
            rows = await db.execute(_REGISTERED, {"usernames": list(usernames), "now": now})
            return [
                Registered(
                    username=row.username,
                    contact=row.contact,
                    user_agent=row.user_agent,
                    expires_at=row.expires_at,
                    updated_at=row.updated_at,
                )
                for row in rows
            ]
