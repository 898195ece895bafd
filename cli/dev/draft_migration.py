"""`make migration`: drafts the next migration by comparing the tables with a migrated database."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic import command

from cli.database import alembic_config
from cli.dev.postgres import EmbeddedPostgres
from models import migrations


def draft(message: str) -> None:
    """Write the migration under the next number, and that number to HEAD.

    HEAD makes two migrations that were drafted in parallel conflict in git.
    """
    folder = Path(migrations.__path__[0])
    head = folder / "HEAD"
    number = f"{int(head.read_text()) + 1:04d}"
    with (
        TemporaryDirectory() as scratch,
        EmbeddedPostgres(Path(scratch) / "postgres", durable=False) as server,
    ):
        config = alembic_config(server.url.replace("postgresql:", "postgresql+psycopg:"))
        command.upgrade(config, "head")
        command.revision(config, message, autogenerate=True, rev_id=number)
    head.write_text(f"{number}\n")


if __name__ == "__main__":
    draft(sys.argv[1])
