"""Finds endpoints that have a delivery due while their workflow is not looking for one."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import text

from models.queries.webhooks.deliveries_due import EndpointKey
from models.session import WriteSession

LOST_AFTER: Final = timedelta(minutes=2)
"""A wake-up that had no effect for so long is repeated; the workflow renews it before."""

# It skips from endpoint to endpoint by index: the first entry of each tells when its earliest
# delivery is due, so many pending deliveries of one endpoint cost as much as one. Of several
# workers one wakes an endpoint, because the others skip its locked row, or see it awake. Tenants
# take turns, so that one with many endpoints delays the others little. A row can't be locked where
# it is numbered; the lock checks again that it sleeps.
_SLEEPS: Final = """
    (e.awake_since IS NULL OR e.awake_since < clock_timestamp() - CAST(:lost_after AS interval))
"""
TAKE_SLEEPING: Final = text(
    f"""
    WITH RECURSIVE earliest AS (
        (SELECT tenant_id, endpoint_id, due_at FROM webhook_delivery
          WHERE status = 'PENDING'
          ORDER BY tenant_id, endpoint_id, due_at, id LIMIT 1)
        UNION ALL
        SELECT following.* FROM earliest, LATERAL (
            SELECT tenant_id, endpoint_id, due_at FROM webhook_delivery d
             WHERE status = 'PENDING'
               AND (d.tenant_id, d.endpoint_id) > (earliest.tenant_id, earliest.endpoint_id)
             ORDER BY tenant_id, endpoint_id, due_at, id LIMIT 1) following
    ), numbered AS (
        SELECT e.tenant_id, e.id, earliest.due_at,
               row_number() OVER (PARTITION BY e.tenant_id ORDER BY earliest.due_at) AS number
          FROM earliest JOIN webhook_endpoint e
            ON e.tenant_id = earliest.tenant_id AND e.id = earliest.endpoint_id
         WHERE earliest.due_at <= clock_timestamp() AND {_SLEEPS}
    ), sleeping AS (
        SELECT e.tenant_id, e.id, numbered.number, numbered.due_at
          FROM numbered JOIN webhook_endpoint e
            ON e.tenant_id = numbered.tenant_id AND e.id = numbered.id
         WHERE {_SLEEPS}
         ORDER BY numbered.number, numbered.due_at LIMIT :most
           FOR NO KEY UPDATE OF e SKIP LOCKED
    ), taken AS (
        UPDATE webhook_endpoint e SET awake_since = clock_timestamp()
          FROM sleeping
         WHERE e.tenant_id = sleeping.tenant_id AND e.id = sleeping.id
        RETURNING e.tenant_id, e.id, e.public_id, sleeping.number, sleeping.due_at
    )
    SELECT tenant_id, id, public_id FROM taken ORDER BY number, due_at
    """  # noqa: S608 - a constant
)

_PUT_BACK: Final = text(
    """
    UPDATE webhook_endpoint e SET awake_since = NULL
      FROM unnest(CAST(:tenant_ids AS bigint[]), CAST(:endpoint_ids AS bigint[]))
           AS named (tenant_id, id)
     WHERE e.tenant_id = named.tenant_id AND e.id = named.id
    """
)


async def take_sleeping(db: WriteSession, *, most: int) -> Sequence[EndpointKey]:
    """Return endpoints to be woken now, in turns over all tenants; note that they are awake.

    First one of each tenant, then the second of each, and so on.
    """
    rows = await db.execute(TAKE_SLEEPING, {"lost_after": LOST_AFTER, "most": most})
    return [
        EndpointKey(tenant_id=row.tenant_id, endpoint_id=row.id, public_id=row.public_id)
        for row in rows
    ]


async def put_back(db: WriteSession, endpoints: Sequence[EndpointKey]) -> None:
    """Note that endpoints were not woken, so that the next look finds them."""
    await db.execute(
        _PUT_BACK,
        {
            "tenant_ids": [key.tenant_id for key in endpoints],
            "endpoint_ids": [key.endpoint_id for key in endpoints],
        },
    )
