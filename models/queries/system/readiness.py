"""Reads the database state that a process checks before it serves."""

from dataclasses import dataclass

from sqlalchemy import text

from models.session import ReadSession

_LOOK = text(
    """
    SELECT max(version_num) AS version,
           pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS read_only
      FROM alembic_version
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """The schema version (None: no schema), and whether the server refuses writes."""

    version: str | None
    read_only: bool


async def read_server_state(db: ReadSession) -> ServerState:
    """Return the server's state; raises ProgrammingError without a schema."""
    row = (await db.execute(_LOOK)).one()
    return ServerState(version=row.version, read_only=row.read_only)
