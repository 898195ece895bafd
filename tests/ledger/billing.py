"""Random billing actions, each through the project's own functions and safe to repeat."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from psycopg.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

from models.queries.billing.repricing import accept_card_prices, price_what_is_missing
from models.queries.billing.usage_days import lock_day
from models.session import Database
from models.tables.usage import UsageClosing
from tests.factories import Owner, add_card


@dataclass(frozen=True, slots=True)
class Bill:
    """Run the hourly billing tasks, or an operator's command."""

    what: Literal["card", "price", "hold"]


@dataclass(frozen=True, slots=True)
class Close:
    """Close a past day."""

    days_ago: int


class Billing:
    """One tenant's days, and their contents when they were closed."""

    def __init__(self, database: Database, owner: Owner) -> None:
        self.closed: dict[date, list[Any]] = {}
        self._database = database
        self._owner = owner

    async def act(self, action: Bill | Close) -> None:
        """Run one action."""
        tenant = self._owner.tenant_id
        now = datetime.now(UTC)
        if isinstance(action, Close):
            await self._close(now.date() - timedelta(days=action.days_ago))
        elif action.what == "card":
            await add_card(
                self._database,
                tenant,
                provider="p",
                unit_cost="0.013333",
                carrier_fee="0.0031",
                basis_points=1777,
                flat="0.000001",
                valid_in_days=0,
            )
        else:
            await self._price(action, now)

    async def _price(self, action: Bill, now: datetime) -> None:
        """Price what can be priced; a lock timeout leaves it to the next turn."""
        tenant = self._owner.tenant_id
        try:
            async with self._database.transaction() as db:
                if action.what == "price":
                    await price_what_is_missing(db, tenant_id=tenant, now=now, most=2)
                else:
                    await accept_card_prices(db, tenant_id=tenant, older_than=now.date())
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable):
                raise

    async def totals(self, day: date) -> list[Any]:
        """Return everything in the report of a day."""
        async with self._database.read() as db:
            return await self._totals(db, day)

    async def _totals(self, db: AsyncSession, day: date) -> list[Any]:
        rows = "SELECT to_jsonb(d) FROM usage_day d WHERE tenant_id = :t AND day = :day ORDER BY 1"
        return [*await db.scalars(text(rows), {"t": self._owner.tenant_id, "day": day})]

    async def _close(self, day: date) -> None:
        tenant = self._owner.tenant_id
        async with self._database.transaction() as db:
            await lock_day(db, tenant_id=tenant, day=day, alone=True)
            if await db.get(UsageClosing, (tenant, day)) is not None:
                return
            db.add(UsageClosing(tenant_id=tenant, day=day, closed_at=datetime.now(UTC)))
            await db.flush()
            self.closed[day] = await self._totals(db, day)
