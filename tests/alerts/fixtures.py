"""A merchant whose units change through the project's own functions, at times the test sets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from api.services.messages.write import write_message
from models.database.transaction_limits import LockScope
from models.enums import Channel, MessageStatus
from models.errors import InsufficientCredits
from models.queries.alerts.threshold_alerts import Account, align, limits_changed, read_balances
from models.queries.billing.upgrades import payments
from models.queries.billing.upgrades.payment_rows import get_payment
from models.queries.messages import settlement, settlement_facts
from models.queries.messages.acceptance import AcceptedMessage
from models.rules.alerts.thresholds import Funds
from models.rules.billing.periods import day_of
from models.rules.messages.settlement import End
from models.session import Database
from tests.factories import Owner, claim_once, make_owner, make_paid, new_message, try_accept

Warned = tuple[str, int, int]
"""Type, threshold, count."""


@dataclass
class MerchantFixture:
    """One merchant's SMS."""

    database: Database
    owner: Owner
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    async def open_up(cls, database: Database, *, limit: int, **facts: Any) -> "MerchantFixture":
        return cls(database, await make_owner(database, sms_limit=limit), **facts)

    @property
    def account(self) -> Account:
        return Account(
            tenant_id=self.owner.tenant_id,
            merchant_id=self.owner.merchant_id,
            channel=Channel.SMS,
        )

    async def accept(self, units: int = 1) -> int | None:
        """Accept a send; None if it is not funded."""
        message = new_message(self.owner, units=units, accepted_at=self.now)
        outcome = await try_accept(self.database, message)
        return outcome.message_id if isinstance(outcome, AcceptedMessage) else None

    async def refuse(self, units: int) -> None:
        """Send what credits do not cover, through the service that routes call."""
        message = new_message(self.owner, units=units, accepted_at=self.now)
        scope = LockScope(self.owner.tenant_id, self.owner.merchant_id, "test")
        with pytest.raises(InsufficientCredits):
            await write_message(self.database, message, scope)

    async def add(self, units: int) -> None:
        """Add credits without an upgrade, as an operator's correction does."""
        async with self.database.transaction() as db:
            await db.execute(
                text(
                    "UPDATE credit_account SET available = available + :n"
                    " WHERE tenant_id = :t AND merchant_id = :m AND channel = 'SMS'"
                ),
                {**self._ids, "n": units},
            )

    async def end(self, message_id: int, captured: int) -> None:
        """End a send with so many of its units captured."""
        async with self.database.transaction() as db:
            await claim_once(db, self.owner.tenant_id, message_id, self.now)
            message = await settlement_facts.lock_for_settlement(
                db, tenant_id=self.owner.tenant_id, message_id=message_id
            )
            assert message is not None
            end = End(
                status=MessageStatus.DELIVERED,
                captured=captured,
                provider="p",
                day=day_of(self.now),
            )
            await settlement.end_message(db, message, end, self.now)

    async def use(self, units: int) -> None:
        """Accept a send and end it with all units captured."""
        message_id = await self.accept(units)
        assert message_id is not None
        await self.end(message_id, units)

    async def buy(self, units: int) -> None:
        """Add credits, as a paid upgrade does."""
        owner = self.owner
        async with self.database.transaction() as db:
            bought = await make_paid(db, owner.tenant_id, owner.merchant_id, units, fulfilled=False)
            payment = await get_payment(db, owner.tenant_id, bought, locked=True)
            assert await payments.grant(db, payment, self.now)

    async def limit(self, units: int) -> None:
        """Change the allowance, as an upsert of the merchant does."""
        async with self.database.transaction() as db:
            await db.execute(
                text("UPDATE merchant SET sms_limit = :n WHERE tenant_id = :t AND id = :m"),
                {**self._ids, "n": units},
            )
            await limits_changed(
                db,
                tenant_id=self.owner.tenant_id,
                merchant_id=self.owner.merchant_id,
                now=self.now,
            )

    async def watch(self) -> bool:
        """Run the watcher for this merchant alone."""
        async with self.database.transaction() as db:
            return await align(db, self.account, self.now)

    async def funds(self) -> Funds:
        async with self.database.read() as db:
            (balances,) = await read_balances(db, [self.account], self.now)
        return balances.funds

    async def open(self) -> list[Warned]:
        """Return the open alerts."""
        return [_warned(row) for row in await self.alerts() if row.resolved_at is None]

    async def resolved(self) -> list[Warned]:
        """Return the resolved alerts."""
        return [_warned(row) for row in await self.alerts() if row.resolved_at is not None]

    async def alerts(self) -> Sequence[Any]:
        async with self.database.read() as db:
            return (
                await db.execute(
                    text("SELECT * FROM alert WHERE tenant_id = :t ORDER BY type, threshold, id"),
                    {"t": self.owner.tenant_id},
                )
            ).all()

    @property
    def _ids(self) -> dict[str, int]:
        return {"t": self.owner.tenant_id, "m": self.owner.merchant_id}


def _warned(row: Any) -> Warned:
    return row.type, row.threshold, row.count
