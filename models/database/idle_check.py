"""Pings a pooled connection before it is used, if it was idle or its socket is readable.

The server may have restarted, or a firewall may have dropped the connection. A connection in
constant use is not pinged: polling its socket costs two microseconds and detects every connection
that the server has closed.
"""

from time import monotonic
from typing import Any, Final, cast

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine

from models.database.connection import Connection
from models.database.limits import IDLE_UNCHECKED, PING

_SINCE: Final = "hexavox.idle_since"


def check_idle_connections(engine: AsyncEngine) -> None:
    """Make an engine's pool check connections on checkout."""
    dialect = engine.sync_engine.dialect

    def rest(connection: Any, record: Any) -> None:
        record.info[_SINCE] = monotonic()

    def take(connection: Any, record: Any, proxy: Any) -> None:
        since = record.info.get(_SINCE)
        if since is None:
            return  # it was opened just now
        driver = cast(Connection, connection.driver_connection)
        if not driver.key_checked:
            raise InvalidatePoolError
        long = monotonic() - since > IDLE_UNCHECKED.total_seconds()
        if not driver.closed and not long and not driver.heard_something():
            return
        try:
            with driver.within(PING):
                dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            # All other connections are as old, and lead to the same server.
            raise InvalidatePoolError from error

    event.listen(engine.sync_engine, "checkin", rest)
    event.listen(engine.sync_engine, "checkout", take)
