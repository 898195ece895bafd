"""Settling what API processes have served with the buckets that all of them share."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text

from models.rules.tenants.token_bucket import MEMORY, Limit
from models.session import WriteSession

# Rows are locked in one order, so that two processes never wait for each other. The exponent is
# bounded because Postgres refuses a result too small to write.
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
    """What one process has served of one bucket since it settled last; key 0 is the tenant's."""

    tenant_id: int
    key_id: int
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBucket:
    """What is then left for all, and what all have served lately."""

    tenant_id: int
    key_id: int
    tokens: float
    demand: float


async def settle(
    db: WriteSession, served: Sequence[Served], *, key: Limit, tenant: Limit
) -> list[SharedBucket]:
    """Take what was served out of the shared buckets and return what they then hold.

    One statement for all. Not idempotent: what is told twice is taken twice, which only delays the
    caller.
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
