"""Rejects a database whose schema was made by an unknown version."""

from collections.abc import Collection


class UnknownSchemaVersion(Exception):
    """The database's revision is not among this version's migrations."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"the database at DATABASE_URL has schema revision {revision}, which this version does"
            " not know: an earlier version before the first release made it, or a later one."
            " Nothing was changed. Run the version that made it, or create an empty database and"
            " set DATABASE_URL to it"
        )


def refuse_unknown(found: Collection[str], known: Collection[str]) -> None:
    """Raise UnknownSchemaVersion for an unknown revision; an empty database has none."""
    for revision in found:
        if revision not in known:
            raise UnknownSchemaVersion(revision)
