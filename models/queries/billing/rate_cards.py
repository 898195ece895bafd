"""Rate cards: versions are added, never changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from models.enums import Channel
from models.queries.billing.versions import Imported, add_versions, lock_versions
from models.rules.billing.rate_file import RateLine
from models.session import ReadSession, WriteSession

_LOCK = text("LOCK TABLE rate IN SHARE ROW EXCLUSIVE MODE")

_IN_FORCE = text(
    """
    SELECT valid_from, unit_cost, carrier_fee, markup_basis_points, markup_flat
      FROM rate
     WHERE tenant_id = :tenant_id AND channel = :channel AND provider = :provider
       AND country = :country AND valid_from <= :valid_from
     ORDER BY valid_from DESC LIMIT 1
    """
)

_ADD = text(
    """
    INSERT INTO rate (tenant_id, channel, provider, country, valid_from, unit_cost, carrier_fee,
                      markup_basis_points, markup_flat, imported_at)
    VALUES (:tenant_id, :channel, :provider, :country, :valid_from, :unit_cost, :carrier_fee,
            :markup_basis_points, :markup_flat, :now)
    """
)


async def lock_rates(db: WriteSession) -> datetime:
    """Lock the rate cards against other changes until the transaction ends; return the time."""
    return await lock_versions(db, _LOCK)


async def add_rates(
    db: WriteSession, *, tenant_id: int, lines: Sequence[RateLine], now: datetime
) -> Imported:
    """Add a version for every line that differs from the one in force; the lock must be held."""
    return await add_versions(
        db,
        ((tenant_id, line) for line in lines),
        find=_IN_FORCE,
        add=_ADD,
        says=("unit_cost", "carrier_fee", "markup_basis_points", "markup_flat"),
        now=now,
    )


_LIST = text(
    """
    SELECT rate.*,
           CASE WHEN valid_from > :now THEN 'later'
                WHEN lead(valid_from) OVER line <= :now THEN 'past' ELSE 'in force' END AS stands
      FROM rate WHERE tenant_id = :tenant_id
    WINDOW line AS (PARTITION BY channel, provider, country ORDER BY valid_from)
     ORDER BY channel, provider, country, valid_from
    """
)


async def list_rates(
    db: ReadSession | WriteSession, *, tenant_id: int, now: datetime
) -> Sequence[Any]:
    """Return every version of a tenant's card, and whether it is past, in force or later."""
    return (await db.execute(_LIST, {"tenant_id": tenant_id, "now": now})).all()


_HAS_RATE = text(
    """
    SELECT EXISTS (
        SELECT 1 FROM rate
         WHERE tenant_id IN (:tenant_id, 0) AND channel = :channel AND provider = :provider
           AND country IN (:country, '') AND valid_from <= statement_timestamp())
    """
)


async def has_rate(
    db: ReadSession, *, tenant_id: int, channel: Channel, provider: str, country: str
) -> bool:
    """Return whether a card in force covers a destination: the tenant's own or a default one."""
    found = await db.scalar(
        _HAS_RATE,
        {
            "tenant_id": tenant_id,
            "channel": channel,
            "provider": provider,
            "country": country,
        },
    )
    return bool(found)


_UNPRICED = text(
    """
    SELECT DISTINCT tenant_id FROM usage_record
     WHERE state = 'PROVISIONAL' AND gap = 'RATE_MISSING'
    """
)


async def tenants_with_gaps(db: ReadSession | WriteSession) -> list[int]:
    """Return the ids of all tenants with messages that no card covers."""
    return sorted(await db.scalars(_UNPRICED))
