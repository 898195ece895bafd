"""What a process must know of the database before it serves."""

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
    """The version of the schema (None: none was made), and whether the server refuses writes."""

    version: str | None
    read_only: bool


async def read_server_state(db: ReadSession) -> ServerState:
    """Return what state the server is in; raises ProgrammingError without any schema."""
    row = (await db.execute(_LOOK)).one()
    return ServerState(version=row.version, read_only=row.read_only)
