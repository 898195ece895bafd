"""Checks at startup that the contact key is that of the database."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.settings import Settings


def require_contact_key(settings: "Settings") -> None:
    """Raise BadSettings if there is no key, or the database was written with another one.

    If the database does not respond or is not migrated yet, every connection checks it later.
    """
    import asyncio

    import psycopg

    from models.configuration.environment_settings import BadSettings
    from models.database.contact_key_check import ContactKeyDiffers, check_contact_key
    from models.database.limits import CONNECT

    keys = settings.contact_keys()
    url = settings.database_url.get_secret_value()

    async def check() -> None:
        async with await psycopg.AsyncConnection.connect(
            url, connect_timeout=round(CONNECT.total_seconds())
        ) as connection:
            await check_contact_key(connection, keys)

    try:
        asyncio.run(check())
    except ContactKeyDiffers:
        raise BadSettings(
            "HEXAVOX_CONTACT_KEY_FILE is not the key that the database at DATABASE_URL was written "
            "with: no opt-out would be found"
        ) from None
    except psycopg.Error:
        return
