"""The plans of statements as processes executed them, read from the log of Postgres.

The server's module `auto_explain` writes them: those of prepared statements, of triggers and of
foreign keys as well, with the rows and the buffers that they read.
"""

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql

from tests.growth.statement_names import name_of

_SETTINGS: Final = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_parameter_max_length": "0",
    "auto_explain.log_format": "json",
}
_SWITCH: Final = "auto_explain.log_min_duration"
_BEGIN: Final = re.compile(r"LOG:  duration: .* plan:$")
_TAKES_EFFECT: Final = 0.5
"""Seconds until every session has read a changed setting, and written what it executed before."""

_REMOVED: Final = ("Rows Removed by Filter", "Rows Removed by Index Recheck")


def log_plans_of(url: str) -> None:
    """Let new sessions of a database load the module; it writes nothing before `recorded`."""
    with psycopg.connect(url, autocommit=True) as db:
        database = sql.Identifier(db.info.dbname)
        for name, value in _SETTINGS.items():
            setting = sql.SQL(".").join(map(sql.Identifier, name.split(".")))
            change = sql.SQL("ALTER DATABASE {} SET {} = {}")
            db.execute(change.format(database, setting, sql.Literal(value)))


@dataclass(frozen=True, slots=True)
class Scan:
    """How a plan reads one table."""

    node: str
    table: str
    rows: int
    """Over all loops, filtered ones included."""

    @property
    def whole(self) -> bool:
        """Whether it reads the table from end to end."""
        return self.node == "Seq Scan"


@dataclass(frozen=True, slots=True)
class Executed:
    """One execution of a statement."""

    name: str
    shape: str
    """Kinds of nodes with the tables and indexes that they read."""
    buffers: int
    scans: tuple[Scan, ...]

    def problems(self, *, rows: int, buffers: int) -> list[str]:
        """Return the scans that read more rows than that, and whether it reads more buffers."""
        found = [
            f"{self.name} reads {scan.rows} rows of {scan.table}, by {scan.node}"
            for scan in self.scans
            if scan.rows > rows
        ]
        if self.buffers > buffers:
            found.append(f"{self.name} reads {self.buffers} buffers")
        return found


@dataclass(slots=True)
class Recording:
    """What was executed in a block; complete once the block has ended."""

    executed: list[Executed] = field(default_factory=list)

    def names(self) -> set[str]:
        """Return the names of all statements."""
        return {each.name for each in self.executed}


@contextmanager
def recorded(url: str, log: Path) -> Iterator[Recording]:
    """Record what the sessions of prepared databases execute while the block runs.

    `log` is the server's. The caller's own sessions are recorded too.
    """
    recording = Recording()
    before = log.stat().st_size
    with psycopg.connect(url, autocommit=True) as db:
        _switch(db, "0")
        try:
            yield recording
        finally:
            _switch(db, "-1")
    with log.open("rb") as file:
        file.seek(before)
        recording.executed += read(file.read().decode(errors="replace"))


def _switch(db: psycopg.Connection[Any], milliseconds: str) -> None:
    """Set how long a statement must take to be written: all do, or none; of other sessions."""
    db.execute("LOAD 'auto_explain'")
    name = sql.SQL(".").join(map(sql.Identifier, _SWITCH.split(".")))
    db.execute(sql.SQL("SET {} = -1").format(name))
    db.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(name, sql.Literal(milliseconds)))
    db.execute("SELECT pg_reload_conf()")
    time.sleep(_TAKES_EFFECT)


def read(log: str) -> Iterator[Executed]:
    """Return the executed statements of a log."""
    document: list[str] | None = None
    for line in log.splitlines():
        if document is not None and line.startswith("\t"):
            document.append(line[1:])
            continue
        if document:
            yield _executed(json.loads("\n".join(document)))
        document = [] if _BEGIN.search(line) else None
    if document:
        yield _executed(json.loads("\n".join(document)))


def _executed(document: Mapping[str, Any]) -> Executed:
    plan = document["Plan"]
    return Executed(
        name=name_of(document["Query Text"]),
        shape=_shape(plan),
        buffers=plan.get("Shared Hit Blocks", 0) + plan.get("Shared Read Blocks", 0),
        scans=tuple(_scans(plan)),
    )


def _shape(plan: Mapping[str, Any]) -> str:
    parts = ", ".join(_shape(part) for part in plan.get("Plans", ()))
    what = " ".join(
        str(plan[name]) for name in ("Node Type", "Relation Name", "Index Name") if name in plan
    )
    return f"{what}({parts})" if parts else what


def _scans(plan: Mapping[str, Any]) -> Iterator[Scan]:
    if "Relation Name" in plan and plan["Node Type"] != "ModifyTable":
        read_each = plan["Actual Rows"] + sum(plan.get(reason, 0) for reason in _REMOVED)
        yield Scan(
            node=plan["Node Type"],
            table=plan["Relation Name"],
            rows=round(read_each * plan["Actual Loops"]),
        )
    for part in plan.get("Plans", ()):
        yield from _scans(part)
