"""Samples the load: how long messages wait for a worker, by tenant, and how many are open.

Once a second one process takes a sample: the first one to lock the row. All processes read it.
"""

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

from sqlalchemy import Row, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from models.enums import MessageType
from models.queries.system.waiting_pairs import WAITING_PAIRS
from models.rules.messages.admission import SHARED_BY, Load, Waiting
from models.rules.messages.priorities import priority_of
from models.session import ReadSession, WriteSession

MOST_COUNTED: Final = 1000
"""Waiting messages of one type and tenant that are counted; further ones are ignored."""

MOST_TENANTS: Final = 1000
"""Tenants of one type in a sample: those with the most waiting messages."""

_COUNT_EVERY: Final = timedelta(seconds=10)
"""Shortest interval between counts of open messages."""

_COUNT_AFTER_FAILURE: Final = timedelta(minutes=2)
"""Wait after a count that did not finish; a count is canceled after 8 seconds."""

_COUNT_PART: Final = 20
"""Counting takes at most this fraction (one in 20) of the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The latest sample, its age, and the age of its count of open messages, in seconds."""

    load: Load
    age: float
    open: Mapping[int, int]
    """Only tenants that have at least half of the open messages they may have."""
    counted_age: float


_READ: Final = text(
    """
    SELECT waiting, open,
           extract(epoch FROM clock_timestamp() - sampled_at) AS age,
           extract(epoch FROM clock_timestamp() - counted_at) AS counted_age
      FROM load_sample WHERE id = 1
    """
)


async def read(db: ReadSession) -> Sample:
    """Return the latest sample."""
    row = (await db.execute(_READ)).one()
    return Sample(
        load=_load(row.waiting),
        age=float(row.age),
        open={int(tenant): count for tenant, count in row.open.items()},
        counted_age=float(row.counted_age),
    )


def _load(waiting: Mapping[str, Any]) -> Load:
    """Merge the types that have the same priority."""
    ages: dict[int, list[float]] = defaultdict(list)
    tenants: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for kind, sampled in waiting.items():
        priority = priority_of(MessageType(kind))
        ages[priority] += sampled["ages"]
        for tenant, count in sampled["tenants"].items():
            tenants[priority][int(tenant)] += count
    return Load(
        waiting={
            p: Waiting(
                lag=heapq.nlargest(SHARED_BY, oldest)[-1] if len(oldest) >= SHARED_BY else 0,
                oldest=max(oldest),
                tenants=dict(tenants[p]),
            )
            for p, oldest in ages.items()
        }
    )


_TAKE_LEASE: Final = text(
    """
    SELECT clock_timestamp() AS now
      FROM load_sample WHERE id = 1 AND sampled_at <= clock_timestamp() - CAST(:every AS interval)
       FOR UPDATE SKIP LOCKED
    """
)

# Skips from tenant to tenant by index; of each it reads at most as many entries as are counted.
_WAITING: Final = text(
    f"""
    WITH RECURSIVE {WAITING_PAIRS}
    SELECT pair.type, pair.tenant_id, due.waiting,
           ARRAY(SELECT extract(epoch FROM CAST(:now AS timestamptz) - ready_at)::float8
                   FROM unnest(due.oldest) AS ready_at) AS ages
      FROM pair, LATERAL (
        SELECT count(*) AS waiting,
               (array_agg(ready_at ORDER BY ready_at))[1 : CAST(:shared_by AS int)] AS oldest
          FROM (
            SELECT ready_at FROM message m
             WHERE completed_at IS NULL AND m.type = pair.type AND m.tenant_id = pair.tenant_id
               AND ready_at <= :now
             ORDER BY ready_at LIMIT :most) AS first) AS due
     WHERE due.waiting > 0
    """  # noqa: S608 - every value is a parameter
)

# Messages with an attempt by one index, those without by the other.
_OPEN: Final = text(
    f"""
    WITH RECURSIVE tried AS (
        (SELECT tenant_id FROM message WHERE completed_at IS NULL AND attempts > 0
          ORDER BY tenant_id LIMIT 1)
        UNION ALL
        SELECT following.* FROM tried, LATERAL (
            SELECT tenant_id FROM message m
             WHERE completed_at IS NULL AND attempts > 0 AND m.tenant_id > tried.tenant_id
             ORDER BY tenant_id LIMIT 1) AS following
    ), {WAITING_PAIRS}, counted AS (
        SELECT tenant_id, open FROM tried, LATERAL (
            SELECT count(*) AS open FROM (
                SELECT 1 FROM message m
                 WHERE completed_at IS NULL AND attempts > 0 AND m.tenant_id = tried.tenant_id
                 LIMIT :limit) AS first) AS found
        UNION ALL
        SELECT tenant_id, open FROM pair, LATERAL (
            SELECT count(*) AS open FROM (
                SELECT 1 FROM message m
                 WHERE completed_at IS NULL AND ready_at IS NOT NULL
                   AND m.type = pair.type AND m.tenant_id = pair.tenant_id
                 LIMIT :limit) AS first) AS found
    )
    SELECT tenant_id, sum(open) AS open FROM counted
     GROUP BY tenant_id HAVING sum(open) * 2 >= :limit
    """  # noqa: S608 - every value is a parameter
)

_STORE: Final = text(
    "UPDATE load_sample SET sampled_at = :now, waiting = :waiting WHERE id = 1"
).bindparams(bindparam("waiting", type_=JSONB))

_STORE_OPEN: Final = text(
    """
    UPDATE load_sample
       SET open = :open, counted_at = :now,
           count_again_at = clock_timestamp()
                + GREATEST(CAST(:every AS interval), (clock_timestamp() - :now) * :part)
     WHERE id = 1
    """
).bindparams(bindparam("open", type_=JSONB))


async def take_sample(db: WriteSession, *, every: timedelta) -> bool:
    """Take a sample if the latest is older than `every`; return whether this process took it."""
    lease = (await db.execute(_TAKE_LEASE, {"every": every})).one_or_none()
    if lease is None:
        return False
    rows = (
        await db.execute(_WAITING, {"now": lease.now, "most": MOST_COUNTED, "shared_by": SHARED_BY})
    ).all()
    await db.execute(_STORE, {"now": lease.now, "waiting": _waiting(rows)})
    return True


# Committed before counting, so that a count that fails or times out is not restarted every second;
# and counting does not hold the row's lock, so that samples continue.
_LEASE_COUNT: Final = text(
    """
    UPDATE load_sample SET count_again_at = clock_timestamp() + CAST(:after_failure AS interval)
     WHERE id = (SELECT id FROM load_sample
                  WHERE id = 1 AND count_again_at <= clock_timestamp() FOR UPDATE SKIP LOCKED)
    RETURNING clock_timestamp() AS now
    """
)


async def lease_count(db: WriteSession) -> datetime | None:
    """Return the current time if open messages have to be counted and no other process does.

    The caller commits, then counts. If it fails, the next count follows after a wait.
    """
    row = (await db.execute(_LEASE_COUNT, {"after_failure": _COUNT_AFTER_FAILURE})).one_or_none()
    return None if row is None else row.now


async def count_open(db: WriteSession, *, now: datetime, limit: int) -> None:
    """Count open messages, and schedule the next count.

    Args:
        now: when the lease was taken.
        limit: open messages that a tenant may have; at most this many are counted per tenant.
    """
    rows = (await db.execute(_OPEN, {"limit": limit})).all()
    counts = {str(row.tenant_id): int(row.open) for row in rows}
    values = {"open": counts, "now": now, "every": _COUNT_EVERY, "part": _COUNT_PART}
    await db.execute(_STORE_OPEN, values)


def _waiting(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    """Return the stored form of the waiting messages, by type."""
    by_type: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_type[row.type].append(row)
    return {
        kind: {
            "ages": heapq.nlargest(SHARED_BY, chain.from_iterable(row.ages for row in found)),
            "tenants": {
                str(row.tenant_id): row.waiting
                for row in sorted(found, key=lambda row: -row.waiting)[:MOST_TENANTS]
            },
        }
        for kind, found in by_type.items()
    }
