"""Bringing the schema up to date."""

from importlib.resources import files

from alembic import command
from alembic.config import Config


def alembic_config(url: str) -> Config:
    """Return Alembic's configuration for a database; ours needs no ini file."""
    config = Config()
    config.set_main_option("script_location", str(files("models") / "migrations"))
    config.attributes["url"] = url
    return config


def migrate() -> None:
    """Bring the database's schema to this version. Safe to run by several at once."""
    from cli.read_settings import read_settings
    from models.settings import Settings

    settings = read_settings(Settings)
    command.upgrade(alembic_config(settings.async_database_url), "head")
