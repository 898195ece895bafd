"""Verifies that a process has the contact key that its database was written with.

With another key no opt-out would be found. The table holds a value derived from the key; the first
process that connects stores it.
"""

from typing import Any, Final

import psycopg

from models.rules.consent.contact_keys import ContactKeys

_KNOWN: Final = b"SELECT version, check_value FROM contact_key"
_STORE: Final = b"INSERT INTO contact_key VALUES (TRUE, %s, %s) ON CONFLICT DO NOTHING"


class ContactKeyDiffers(psycopg.OperationalError):
    """The rows of the database were written with another contact key.

    It is an OperationalError, so that it counts as a fault of the database and never of a message.
    """


async def check_contact_key(
    connection: psycopg.AsyncConnection[tuple[Any, ...]], keys: ContactKeys
) -> bool:
    """Compare the key with the stored check value, which the first caller stores.

    The connection must not be in a transaction, and is not in one afterwards.

    Returns:
        False if the database is not migrated yet, so that there is nothing to compare.

    Raises:
        ContactKeyDiffers: the database was written with another key.
    """
    ours = (keys.version, keys.check_value)
    try:
        known = await _known(connection)
    except psycopg.errors.UndefinedTable:
        await connection.rollback()
        return False
    if known is None:
        await connection.execute(_STORE, ours)
        await connection.commit()
        known = await _known(connection)
    if known != ours:
        raise ContactKeyDiffers("the database was written with another contact key")
    return True


async def _known(
    connection: psycopg.AsyncConnection[tuple[Any, ...]],
) -> tuple[Any, ...] | None:
    cursor = await connection.execute(_KNOWN)
    row = await cursor.fetchone()
    await connection.rollback()
    return row
