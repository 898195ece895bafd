"""Settles the requests served by an API process with the shared buckets."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from models.rules.tenants.token_bucket import MEMORY, Limit
from models.session import WriteSession

# Rows are locked in one order, to avoid deadlocks. The exponent is bounded, because Postgres raises
# an error on underflow.
_SETTLE = text(
    """
    INSERT INTO request_bucket AS b (tenant_id, key_id, tokens, demand, settled_at)
    SELECT tenant_id, key_id,
           CASE WHEN key_id = 0 THEN :tenant_burst ELSE :key_burst END - served,
           served, clock_timestamp()
      FROM unnest(CAST(:tenants AS bigint[]), CAST(:keys AS bigint[]), CAST(:served AS float8[]))
           AS told (tenant_id, key_id, served)
     ORDER BY tenant_id, key_id
        ON CONFLICT (tenant_id, key_id) DO UPDATE SET
           tokens = CASE WHEN b.key_id = 0
               THEN greatest(-:tenant_burst, least(:tenant_burst, b.tokens + :tenant_rate
                    * greatest(0, extract(epoch FROM clock_timestamp() - b.settled_at)))
                    - excluded.demand)
               ELSE greatest(-:key_burst, least(:key_burst, b.tokens + :key_rate
                    * greatest(0, extract(epoch FROM clock_timestamp() - b.settled_at)))
                    - excluded.demand) END,
           demand = b.demand * exp(-least(60, greatest(0,
               extract(epoch FROM clock_timestamp() - b.settled_at) / :memory)))
               + excluded.demand,
           settled_at = clock_timestamp()
    RETURNING tenant_id, key_id, tokens, demand
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Requests that a process served from one bucket since it last settled; key 0: the tenant."""

    tenant_id: int
    key_id: int
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBucket:
    """Remaining tokens and recent requests of all processes, after a settlement."""

    tenant_id: int
    key_id: int
    tokens: float
    demand: float


async def settle(
    db: WriteSession, served: Sequence[Served], *, key: Limit, tenant: Limit
) -> list[SharedBucket]:
    """Subtract served requests from the shared buckets and return their new state.

    It is one statement for all buckets. Not idempotent: a repeated settlement subtracts twice,
    which only delays the caller.
    """
    rows = await db.execute(
        _SETTLE,
        {
            "tenants": [one.tenant_id for one in served],
            "keys": [one.key_id for one in served],
            "served": [float(one.requests) for one in served],
            "key_rate": float(key.rate),
            "key_burst": float(key.burst),
            "tenant_rate": float(tenant.rate),
            "tenant_burst": float(tenant.burst),
            "memory": MEMORY,
        },
    )
    return [
        SharedBucket(
            tenant_id=row.tenant_id, key_id=row.key_id, tokens=row.tokens, demand=row.demand
        )
        for row in rows
    ]
