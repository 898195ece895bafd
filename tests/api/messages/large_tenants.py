"""Many messages with metadata, and how many rows a list of messages reads of them."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias, cast
from uuid import UUID

from psycopg import AsyncClientCursor
from sqlalchemy import TextClause, event, text

from models.database.sql_text import sql_text
from models.queries.messages.search import MessageCriteria, list_messages
from models.queries.tenants.visibility import CallerScope
from models.rules.messages.metadata import pair_hash
from models.session import Database, IndexOrderSession
from tests.factories import Owner

ANY = MessageCriteria(
    channel=None,
    status=None,
    contact_key=None,
    recipient_key=None,
    type=None,
    idempotency_key=None,
    batch_id=None,
    metadata={},
    since=None,
    before=None,
)
START = datetime(2026, 5, 20, 11, tzinfo=UTC)
"""A message is accepted every ten minutes from then on."""
OFTEN = {"shop": "north"}
"""Metadata of every message."""
EARLY = {"campaign": "spring"}
"""Of the older half."""
LARGE_BATCH, SMALL_BATCH, NO_BATCH = 1, 2, 3
"""Row ids of batches: of the older half but for the oldest message; of that; of none."""
ONCE = {"orderId": "A-1001"}
"""Of the oldest message, which alone is MARKETING and has the key `once`."""

# Each message has an orderId too, which differs. All others are of one type.
_MESSAGES = """
    INSERT INTO message (tenant_id, delivery_mode, merchant_id, channel, type, contact_key,
                         to_contact, sender, body, details, attributes, operation, scope,
                         idempotency_key, fingerprint, status, attempts, units, billed_units, month,
                         funded, held_allowance, held_credits, accepted_at, due_at, sweep_at,
                         completed_at, batch_id)
    SELECT :t, 'SIMULATOR', :m, 'SMS', CASE WHEN n = 1 THEN 'MARKETING' ELSE 'OTP' END,
           'k' || n % 1000, '+18135551234', '+18005550100', 'Hello', '{}',
           jsonb_build_object('shop', 'north',
                              'orderId', CASE WHEN n = 1 THEN 'A-1001' ELSE 'B-' || n END)
           || CASE WHEN n <= CAST(:messages AS int) / 2
                   THEN jsonb_build_object('campaign', 'spring') ELSE jsonb_build_object() END,
           'send-sms',
           CASE WHEN :keyed THEN CAST(n AS text) ELSE '' END,
           CASE WHEN n = 1 OR :keyed THEN 'once' ELSE 'key-' || n END, repeat('0', 64),
           'DELIVERED', 1, 1, 1, '2026-05', FALSE, 0, 0,
           timestamptz '2026-05-20 11:00Z' + n * interval '10 min', '2026-05-20 11:00Z',
           '2026-05-20 11:00Z', '2026-05-20 11:01Z',
           CASE WHEN n = 1 THEN 2 WHEN n <= CAST(:messages AS int) / 2 THEN 1 END
      FROM generate_series(1, CAST(:messages AS int)) AS n
"""
_PAIRS = """
    INSERT INTO message_metadata (tenant_id, pair, message_id)
    SELECT :t, pair, id
      FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM message WHERE tenant_id = :t) m,
           LATERAL (SELECT CAST(:often AS uuid) AS pair
                     UNION ALL SELECT CAST(:early AS uuid) WHERE n <= CAST(:messages AS int) / 2
                     UNION ALL SELECT CASE WHEN n = 1 THEN CAST(:once AS uuid)
                                           ELSE gen_random_uuid() END) AS pairs
"""


_RECIPIENTS = """
    INSERT INTO message_recipient (tenant_id, contact_key, message_id)
    SELECT :t, 'also', id FROM message WHERE tenant_id = :t
"""


async def fill(database: Database, owner: Owner, messages: int, *, keyed: bool = False) -> None:
    """Add messages to a tenant; with `keyed` all have the key `once`, each in a scope of its own.

    Among the others, only the oldest has it.
    """
    (often,), (early,), (once,) = (_hashes(owner, pairs) for pairs in (OFTEN, EARLY, ONCE))
    values = {"t": owner.tenant_id, "m": owner.merchant_id, "messages": messages}
    async with database.transaction() as db:
        await db.execute(text(_MESSAGES), {**values, "keyed": keyed})
        pairs = {"often": often, "early": early, "once": once}
        await db.execute(text(_PAIRS), {**values, **pairs})
        await db.execute(text(_RECIPIENTS), {"t": owner.tenant_id})


def _hashes(owner: Owner, pairs: dict[str, str]) -> list[UUID]:
    return [pair_hash(owner.tenant_id, *pair) for pair in pairs.items()]


Told: TypeAlias = list[tuple[str, dict[str, Any]]]
"""Statements with their parameters."""


class _Recorder:
    """Notes the SQL texts of a session, which go to the driver without SQLAlchemy."""

    def __init__(self, session: IndexOrderSession, told: Told) -> None:
        self._session = session
        self._told = told

    async def execute(self, statement: Any, params: Any = None) -> Any:
        if isinstance(statement, TextClause):
            spelled = sql_text(statement)
            assert spelled is not None
            self._told.append((spelled.words, params))
        return await self._session.execute(statement, params)

    async def scalars(self, statement: Any) -> Any:
        return (await self.execute(statement)).scalars()


async def list_once(
    database: Database, scope: CallerScope, wanted: MessageCriteria, after: int | None, most: int
) -> tuple[int, Told]:
    """List messages; return how many were found, and the statements that searched them."""
    told: Told = []

    def note(_: Any, __: Any, statement: str, parameters: dict[str, Any], *___: Any) -> None:
        told.append((statement, parameters))

    engine = database.engine.sync_engine
    async with database.read_by_index() as session:
        event.listen(engine, "before_cursor_execute", note)
        try:
            db = cast(IndexOrderSession, _Recorder(session, told))
            found = await list_messages(db, scope, wanted, after=after, most=most)
        finally:
            event.remove(engine, "before_cursor_execute", note)
    return len(found.rows), told


async def executed(
    database: Database, statement: str, parameters: dict[str, Any], *, generic: bool
) -> dict[str, Any]:
    """Execute a statement; return its plan, made for its parameters or (`generic`) for any."""
    numbers = {name: n for n, name in enumerate(parameters, start=1)}
    words = re.sub(r"%\((\w+)\)s", lambda found: f"${numbers[found[1]]}", statement)
    async with database.read_by_index() as session:
        mode = "force_generic_plan" if generic else "force_custom_plan"
        await session.execute(text(f"SET LOCAL plan_cache_mode = {mode}"))
        driver = (await (await session.connection()).get_raw_connection()).driver_connection
        assert driver is not None
        async with AsyncClientCursor(driver) as cursor:
            await cursor.execute(f"PREPARE listed AS {words}")
            places = ", ".join(["%s"] * len(parameters))
            explained = f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE listed ({places})"
            await cursor.execute(explained, list(parameters.values()))
            (document,) = await cursor.fetchone() or ("",)
            await cursor.execute("DEALLOCATE listed")
    plans = json.loads(document) if isinstance(document, str) else document
    plan: dict[str, Any] = plans[0]
    return plan


def rows_of(plan: dict[str, Any]) -> int:
    """Return how many rows of messages and their parts a plan read, including filtered ones."""
    here = 0
    if plan.get("Relation Name") in {"message", "message_metadata", "message_recipient"}:
        removed = ("Rows Removed by Filter", "Rows Removed by Index Recheck")
        read = plan["Actual Rows"] + sum(plan.get(reason, 0) for reason in removed)
        here = round(read * plan["Actual Loops"])
    return here + sum(rows_of(part) for part in plan.get("Plans", ()))


def wanted(**facts: Any) -> MessageCriteria:
    """Return criteria; those that are not given match any message."""
    return replace(ANY, **facts)


async def rows_read(database: Database, told: Told, *, generic: bool) -> int:
    """Execute statements again; return how many rows of messages and their parts they read."""
    read = 0
    for statement, parameters in told:
        plan = await executed(database, statement, parameters, generic=generic)
        read += rows_of(plan["Plan"])
    return read
