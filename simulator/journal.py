"""Persists the simulator's state: one SQLite table of small documents.

With a data folder the carrier's state is written here and read back at the next start. A writer
thread commits pending writes in one transaction, so that the event loop never waits for the disk.
Without a data folder nothing is stored.
"""

import asyncio
import contextlib
import json
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.02
"""Seconds that writes are batched; an accepted message is on disk long before its first report."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    kind TEXT NOT NULL, id TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID
"""

# One statement for a whole batch: sqlite3 releases the GIL once per executed statement, and taking
# it back from a busy event loop costs far more than the insert itself.
_PUT = """
INSERT OR REPLACE INTO record (kind, id, document)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
FROM json_each(?)
"""


_DELETE = """
DELETE FROM record WHERE (kind, id) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)
)
"""


class Kind(StrEnum):
    """Kind of a record."""

    MESSAGE = "message"
    INBOUND = "inbound"
    REPORTED = "told"
    TURN = "turn"
    SETTING = "setting"
    CHARGE = "charge"
    REFUND = "refund"
    REGISTRATION = "registration"
    HOOK = "hook"
    WEBHOOK = "webhook"


class Journal:
    """Stores documents by kind and id; the last write wins."""

    def __init__(self, data_dir: Path | None) -> None:
        self._path = None if data_dir is None else data_dir / "simulator.sqlite3"
        self._pending: list[tuple[Kind, str, dict[str, Any] | None]] = []
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._writer: threading.Thread | None = None

    def open(self) -> None:
        """Create the file if missing and start the writer."""
        if self._path is None:
            return
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._close_to_others(self._path)
        with self._connection() as db:
            db.execute(_SCHEMA)
        self._writer = threading.Thread(target=self._write, name="simulator-journal", daemon=True)
        self._writer.start()

    def _close_to_others(self, path: Path) -> None:
        """Make the file private; SQLite gives its auxiliary files the same mode."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            if file.exists():
                file.chmod(0o600)

    def put(self, kind: Kind, id: str, document: dict[str, Any]) -> None:
        """Store a document; returns at once, the writer commits it soon after."""
        self._append(kind, id, document)

    def delete(self, kind: Kind, id: str) -> None:
        """Delete a document, if there is one; as `put`, returns at once."""
        self._append(kind, id, None)

    def load(self, kind: Kind) -> Iterator[tuple[str, dict[str, Any]]]:
        """Read all documents of a kind, in no particular order."""
        if self._path is None:
            return
        with self._connection() as db:
            rows = db.execute("SELECT id, document FROM record WHERE kind = ?", (kind,)).fetchall()
        for id, document in rows:
            yield id, json.loads(document)

    async def close(self) -> None:
        """Write pending documents and stop the writer."""
        if self._writer is None:
            return
        writer, self._writer = self._writer, None
        self._closing.set()
        self._wanted.set()
        await asyncio.to_thread(writer.join)

    def _append(self, kind: Kind, id: str, document: dict[str, Any] | None) -> None:
        if self._writer is None:
            return
        self._pending.append((kind, id, document))
        self._wanted.set()

    def _write(self) -> None:
        with self._connection() as db:
            while not self._closing.is_set():
                self._wanted.wait()
                self._closing.wait(FLUSH_SECONDS)
                self._wanted.clear()
                self._flush(db)
            self._flush(db)

    def _flush(self, db: sqlite3.Connection) -> None:
        """Write pending documents; on failure they stay pending for the next attempt."""
        batch = self._pending[:]
        if not batch:
            return
        latest = {(kind, id): document for kind, id, document in batch}
        puts = [(*key, document) for key, document in latest.items() if document is not None]
        deletions = [key for key, document in latest.items() if document is None]
        try:
            db.execute(_PUT, (json.dumps(puts),))
            if deletions:
                db.execute(_DELETE, (json.dumps(deletions),))
        except sqlite3.Error:
            log.exception("the journal could not be written")
            self._wanted.set()
            return
        del self._pending[: len(batch)]

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        assert self._path is not None
        db = sqlite3.connect(self._path, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            yield db
        finally:
            db.close()
