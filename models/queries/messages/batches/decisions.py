"""Writes what was decided about the lines of a batch; their requests are dropped."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import text

from models.queries.messages.batches.pages import FoundBatch
from models.session import WriteSession


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDecision:
    """The message of a line, or code and detail of its refusal."""

    line: int
    message_id: int | None = None
    code: str | None = None
    detail: str | None = None


# The range of lines bounds what is read, whichever way the planner joins.
_DECIDE: Final = text(
    """
    WITH given AS MATERIALIZED (
        SELECT * FROM json_to_recordset(CAST(:lines AS json)) AS r (
            line int, message_id bigint, code text, detail text)
    ), written AS (
        UPDATE batch_line
           SET request = NULL, message_id = given.message_id, refusal_code = given.code,
               refusal_detail = given.detail
          FROM given
         WHERE batch_line.tenant_id = :tenant_id AND batch_line.batch_id = :batch_id
           AND batch_line.line = given.line
           AND batch_line.line BETWEEN :first AND :last
        RETURNING (batch_line.refusal_code IS NULL)::int AS accepted
    ), counted AS (
        SELECT count(*) AS lines, sum(accepted) AS accepted FROM written
    )
    UPDATE batch
       SET next_line = next_line + counted.lines, accepted = batch.accepted + counted.accepted,
           refused = refused + counted.lines - counted.accepted,
           decided_at = CASE WHEN next_line + counted.lines > total
                             THEN CAST(:now AS timestamptz) END,
           sweep_at = CASE WHEN next_line + counted.lines <= total
                           THEN CAST(:sweep_at AS timestamptz) END
      FROM counted
     WHERE batch.tenant_id = :tenant_id AND batch.id = :batch_id
    RETURNING batch.decided_at IS NOT NULL
    """
)


async def decide_lines(
    db: WriteSession,
    batch: FoundBatch,
    lines: Sequence[LineDecision],
    *,
    now: datetime,
    sweep_at: datetime,
) -> bool:
    """Write the decisions, drop the requests, and move on; return whether no line is left.

    `sweep_at` is when the sweeper looks after the batch if lines are left.
    """
    rows = [
        {"line": d.line, "message_id": d.message_id, "code": d.code, "detail": d.detail}
        for d in lines
    ]
    values = {
        "tenant_id": batch.tenant_id,
        "batch_id": batch.batch_id,
        "lines": json.dumps(rows),
        "first": lines[0].line,
        "last": lines[-1].line,
        "now": now,
        "sweep_at": sweep_at,
    }
    return bool(await db.scalar(_DECIDE, values))


_REFUSE: Final = text(
    """
    WITH locked AS MATERIALIZED (
        SELECT tenant_id, id, next_line, total FROM batch
         WHERE tenant_id = :tenant_id AND id = :batch_id AND canceled_at IS NOT NULL
           FOR NO KEY UPDATE
    ), refused AS (
        UPDATE batch_line line
           SET request = NULL, refusal_code = :code, refusal_detail = :detail
          FROM locked
         WHERE line.tenant_id = locked.tenant_id AND line.batch_id = locked.id
           AND line.line >= locked.next_line AND line.line < locked.next_line + :most
           AND line.request IS NOT NULL
        RETURNING 1
    ), counted AS (
        SELECT count(*) AS lines FROM refused
    )
    UPDATE batch
       SET next_line = batch.next_line + counted.lines, refused = refused + counted.lines,
           decided_at = CASE WHEN batch.next_line + counted.lines > batch.total
                             THEN COALESCE(decided_at, CAST(:now AS timestamptz)) END,
           sweep_at = CAST(:sweep_at AS timestamptz)
      FROM locked, counted
     WHERE batch.tenant_id = locked.tenant_id AND batch.id = locked.id
    RETURNING counted.lines, batch.decided_at IS NOT NULL AS decided
    """
)


async def refuse_next(
    db: WriteSession,
    batch: FoundBatch,
    *,
    code: str,
    detail: str,
    most: int,
    now: datetime,
    sweep_at: datetime,
) -> tuple[int, bool]:
    """Refuse the next lines of a canceled batch; return how many, and whether none is left."""
    row = (
        await db.execute(
            _REFUSE,
            {
                "tenant_id": batch.tenant_id,
                "batch_id": batch.batch_id,
                "code": code,
                "detail": detail,
                "most": most,
                "now": now,
                "sweep_at": sweep_at,
            },
        )
    ).one()
    return row.lines, row.decided
