"""Migrates the database schema."""

import logging
import time
from importlib.resources import files
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy.exc import OperationalError

from models.database.faults import LOCKED, state_of

log = logging.getLogger(__name__)

_PAUSES: Final = (1, 2, 4, 8, 15, 30, 30, 30)
"""Seconds between two attempts to get the locks of a migration."""


def alembic_config(url: str) -> Config:
    """Return Alembic's configuration for a database; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(files("models") / "migrations"))
    config.attributes["url"] = url
    return config


def migrate() -> None:
    """Migrate the database to this version. Safe to run concurrently."""
    from cli.read_settings import read_settings
    from models.settings import Settings

    upgrade(read_settings(Settings).async_database_url)


def upgrade(url: str, pauses: tuple[float, ...] = _PAUSES) -> None:
    """Migrate; retry with a short lock timeout while a table is locked, so that queries proceed."""
    for pause in pauses:
        try:
            command.upgrade(alembic_config(url), "head")
        except OperationalError as error:
            if state_of(error) != LOCKED:
                raise
            log.warning("a table is locked, the migration will be retried", extra={"in": pause})
            time.sleep(pause)
        else:
            return
    command.upgrade(alembic_config(url), "head")
