"""The price list: versions are added, never changed; a purchase uses the one in force."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text

from models.enums import Channel
from models.queries.billing.versions import Imported, add_versions, lock_versions
from models.rules.billing.csv_file import BadLine
from models.rules.billing.price_file import PriceLine
from models.rules.billing.prices import Offer
from models.session import ReadSession, WriteSession

EVERYBODY: Final = 0
"""Tenant id of the lines for every tenant."""

_NEAREST: Final = 5
"""Number of packs that a refusal suggests."""

# A tenant's own lines of a channel and number of units replace the general ones in every currency,
# also if they say that nothing is sold.
_IN_FORCE: Final = """
    own_and_general AS (
        SELECT DISTINCT ON (tenant_id, units, currency) tenant_id, units, currency, amount_cents
          FROM price
         WHERE tenant_id IN (0, :tenant_id) AND channel = :channel
           AND (CAST(:units AS integer) IS NULL OR units = :units)
           AND valid_from <= statement_timestamp()
         ORDER BY tenant_id, units, currency, valid_from DESC
    ), offer AS (
        SELECT units, amount_cents, currency FROM own_and_general line
         WHERE amount_cents IS NOT NULL
           AND (tenant_id <> 0
                OR NOT EXISTS (SELECT 1 FROM own_and_general own
                                WHERE own.tenant_id <> 0 AND own.units = line.units))
    )
"""

_OFFERED = text(
    f"""
    WITH {_IN_FORCE}
    SELECT units, amount_cents, currency FROM offer ORDER BY currency
    """  # noqa: S608 - every value is a parameter
)

_NEAR = text(
    f"""
    WITH {_IN_FORCE}
    SELECT units, amount_cents, currency FROM offer
     ORDER BY abs(units - CAST(:wanted AS integer)), units, currency LIMIT :most
    """  # noqa: S608 - every value is a parameter
)


async def find_offers(
    db: ReadSession | WriteSession, *, tenant_id: int, channel: Channel, units: int
) -> list[Offer]:
    """Return the offers of a tenant for this number of units, one per currency."""
    values = {"tenant_id": tenant_id, "channel": channel, "units": units}
    return [_offer(row) for row in await db.execute(_OFFERED, values)]


async def find_near_offers(
    db: ReadSession | WriteSession, *, tenant_id: int, channel: Channel, units: int
) -> list[Offer]:
    """Return a few offers of a channel, nearest in units first."""
    values = {"tenant_id": tenant_id, "channel": channel, "units": None}
    rows = await db.execute(_NEAR, {**values, "wanted": units, "most": _NEAREST})
    return [_offer(row) for row in rows]


def _offer(row: Any) -> Offer:
    return Offer(units=row.units, amount_cents=row.amount_cents, currency=row.currency)


_CUSTOM = text("SELECT custom_prices FROM tenant WHERE id = :tenant_id")


async def has_custom_prices(db: ReadSession | WriteSession, tenant_id: int) -> bool:
    """Return whether a tenant's own keys may buy at any price."""
    return bool(await db.scalar(_CUSTOM, {"tenant_id": tenant_id}))


_LOCK = text("LOCK TABLE price IN SHARE ROW EXCLUSIVE MODE")

_TENANTS = text("SELECT id, name FROM tenant WHERE name = ANY(CAST(:names AS text[]))")

_VERSION = text(
    """
    SELECT valid_from, amount_cents FROM price
     WHERE tenant_id = :tenant_id AND channel = :channel AND units = :units
       AND currency = :currency AND valid_from <= :valid_from
     ORDER BY valid_from DESC LIMIT 1
    """
)

_ADD = text(
    """
    INSERT INTO price
           (tenant_id, channel, units, currency, valid_from, amount_cents, imported_at)
    VALUES (:tenant_id, :channel, :units, :currency, :valid_from, :amount_cents, :now)
    """
)


async def lock_prices(db: WriteSession) -> datetime:
    """Lock the price list against other changes until the transaction ends; return the time.

    Purchases do not wait: they read the list before or after the change.
    """
    return await lock_versions(db, _LOCK)


async def add_prices(db: WriteSession, *, lines: Sequence[PriceLine], now: datetime) -> Imported:
    """Add a version for every line that differs from the one in force; the lock must be held."""
    tenants = await _tenants(db, lines)
    refused = [
        BadLine(number=line.number, reason=f"names a tenant there is none of: {line.tenant}")
        for line in lines
        if line.tenant is not None and line.tenant not in tenants
    ]
    if refused:
        return Imported(added=0, unchanged=0, refused=refused)
    return await add_versions(
        db,
        ((EVERYBODY if line.tenant is None else tenants[line.tenant], line) for line in lines),
        find=_VERSION,
        add=_ADD,
        says=("amount_cents",),
        now=now,
    )


async def _tenants(db: WriteSession, lines: Sequence[PriceLine]) -> Mapping[str, int]:
    names = sorted({line.tenant for line in lines if line.tenant is not None})
    rows = await db.execute(_TENANTS, {"names": names})
    return {row.name: row.id for row in rows}


_LIST = text(
    """
    SELECT price.*, tenant.name AS tenant,
           CASE WHEN valid_from > statement_timestamp() THEN 'later'
                WHEN lead(valid_from) OVER line <= statement_timestamp() THEN 'past'
                ELSE 'in force' END AS stands
      FROM price LEFT JOIN tenant ON tenant.id = price.tenant_id
     WHERE CAST(:tenant_id AS bigint) IS NULL OR price.tenant_id = :tenant_id
    WINDOW line AS (PARTITION BY price.tenant_id, channel, units, currency ORDER BY valid_from)
     ORDER BY price.tenant_id, channel, units, currency, valid_from
    """
)


async def list_prices(
    db: ReadSession | WriteSession, *, tenant_id: int | None = None
) -> Sequence[Any]:
    """Return every version of the list, or of a tenant's own lines, and whether it is in force."""
    return (await db.execute(_LIST, {"tenant_id": tenant_id})).all()
