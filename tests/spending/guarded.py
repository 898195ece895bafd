"""LIVE tenants whose messages cost money, and the laws that their spending obeys."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from models.enums import DeliveryMode
from models.session import Database
from providers.ports.messages import MessageProvider
from tests.activities.doubles import ACCEPTED, Scripted
from tests.activities.harness import Harness
from tests.delivery_modes import make_over
from tests.factories import Owner, add_card, make_owner, unique

PRICE = Decimal("0.01")


async def make_live(database: Database, *, usd_per_day: str | None = None) -> Owner:
    """Create a tenant in LIVE mode, with a number that it may send from."""
    owner = await make_owner(database)
    async with database.transaction() as db:
        await make_over(db, owner.tenant_id, DeliveryMode.LIVE)
        await db.execute(
            text("UPDATE tenant SET daily_spending_limit = :most WHERE id = :t"),
            {"most": None if usd_per_day is None else Decimal(usd_per_day), "t": owner.tenant_id},
        )
    return owner


async def limit_account(database: Database, account: str, usd: str | None) -> None:
    """Set an account's limit, as the operator does."""
    async with database.transaction() as db:
        await db.execute(
            text(
                "INSERT INTO provider_account (account, daily_limit, changed_at)"
                " VALUES (:a, :most, now())"
                " ON CONFLICT (account) DO UPDATE SET daily_limit = excluded.daily_limit"
            ),
            {"a": account, "most": None if usd is None else Decimal(usd)},
        )


async def limit_tenant(database: Database, owner: Owner, usd: str | None) -> None:
    """Set a tenant's limit."""
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE tenant SET daily_spending_limit = :most WHERE id = :t"),
            {"most": None if usd is None else Decimal(usd), "t": owner.tenant_id},
        )


def named(what: str = "acc") -> str:
    """Return the name of an account that no other test uses."""
    return unique(what)[:32]


@dataclass(frozen=True, slots=True)
class Sums:
    """What a day has, reserved and booked."""

    reserved: Decimal
    booked: Decimal

    @property
    def spent(self) -> Decimal:
        return self.reserved + self.booked


NOTHING = Sums(Decimal(0), Decimal(0))

_TOTALS = """
    SELECT day, COALESCE(sum(reserved), 0) AS reserved, COALESCE(sum(booked), 0) AS booked
      FROM spending_day WHERE tenant_id = :t AND account = :a GROUP BY day ORDER BY day
"""
_ATTEMPTS = """
    SELECT day, COALESCE(sum(reserved), 0) AS reserved, COALESCE(sum(booked), 0) AS booked
      FROM attempt_cost WHERE {} GROUP BY day HAVING sum(reserved + booked) > 0 ORDER BY day
"""


class Guarded(Harness):
    """A LIVE tenant with scripted accounts, whose rate card asks 0.01 USD a unit."""

    def __init__(
        self,
        database: Database,
        owner: Owner,
        *providers: MessageProvider,
        mode: DeliveryMode = DeliveryMode.LIVE,
    ) -> None:
        super().__init__(database, owner, *providers, mode=mode)
        self.providers = providers

    async def with_cards(self, *, carrier_fee: str = "0") -> "Guarded":
        for provider in self.providers:
            await add_card(
                self.database,
                self.owner.tenant_id,
                provider=provider.name,
                unit_cost=str(PRICE),
                carrier_fee=carrier_fee,
            )
        return self

    async def accepting(self) -> "Guarded":
        """Return the same tenant, whose accounts accept from now on."""
        for provider in self.providers:
            assert isinstance(provider, Scripted)
            provider.answer(ACCEPTED)
        return self

    async def days_of_account(self, account: str) -> dict[date, Sums]:
        """Return an account's totals over all tenants."""
        return await self._days(_TOTALS, t=0, a=account)

    async def days_of_tenant(self) -> dict[date, Sums]:
        """Return the tenant's totals over all accounts."""
        return await self._days(_TOTALS, t=self.owner.tenant_id, a="")

    async def spent(self) -> Sums:
        """Return the only day's total of the tenant."""
        days = await self.days_of_tenant()
        return next(iter(days.values()), NOTHING)

    async def check_sums(self) -> None:
        """The totals of tenant and accounts are the sums of their attempts."""
        of_tenant = await self._days(_ATTEMPTS.format("tenant_id = :t"), t=self.owner.tenant_id)
        assert _without_empty(await self.days_of_tenant()) == of_tenant
        for provider in self.providers:
            of_account = await self._days(_ATTEMPTS.format("account = :a"), a=provider.account)
            totals = await self.days_of_account(provider.account)
            assert _without_empty(totals) == of_account

    async def alerts(self) -> list[tuple[int, str, bool]]:
        """Return threshold, severity and whether it is open, of the alerts about spending."""
        rows = await self.rows(
            "SELECT threshold, severity, resolved_at IS NULL AS open FROM alert"
            " WHERE tenant_id = :t AND type = 'SPENDING_LIMIT' ORDER BY threshold, id"
        )
        return [(r.threshold, r.severity, r.open) for r in rows]

    async def _days(self, sql: str, **values: Any) -> dict[date, Sums]:
        async with self.database.transaction() as db:
            rows = await db.execute(text(sql), values)
            return {r.day: Sums(r.reserved, r.booked) for r in rows}


def _without_empty(days: dict[date, Sums]) -> dict[date, Sums]:
    return {day: sums for day, sums in days.items() if sums.spent}
