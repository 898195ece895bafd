"""Deletes rows that have outlived their use: idempotency records, sends, health, webhooks …"""

from datetime import datetime, timedelta
from typing import Final

from models.enums import WebhookDeliveryError, WebhookDeliveryStatus
from models.queries.accounts import expired_spending, health
from models.queries.messages import destinations
from models.queries.tenants.idempotency_records import delete_records_before
from models.queries.webhooks import delivery_outcomes, expired_deliveries
from models.queries.webhooks.delivery_outcomes import Outcome
from models.session import Database

KEPT_FOR: Final = timedelta(days=30)
"""How long the contract promises that a key of an upsert is known."""


class ExpiredRecords:
    """Deletes records older than `KEPT_FOR`. Idempotent: a deleted record is not there again.

    Sends and upgrades are answered from their own rows, which are not deleted here; neither are the
    records of upgrades.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete(self, now: datetime, most: int) -> int:
        """Delete at most `most` records, the oldest first; return how many were deleted."""
        async with self._database.transaction() as db:
            return await delete_records_before(db, now - KEPT_FOR, most=most)


class ExpiredWindows:
    """Deletes the times of sends that no limit counts any more. Idempotent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete(self, now: datetime, most: int) -> int:
        """Delete at most `most` rows, the oldest first; return how many were deleted."""
        async with self._database.transaction() as db:
            return await destinations.delete_expired(db, now=now, most=most)


class ExpiredHealth:
    """Deletes evidence about provider accounts that counts no more. Idempotent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete(self, now: datetime, most: int) -> int:
        """Delete at most `most` rows, the oldest first; return how many were deleted."""
        async with self._database.transaction() as db:
            return await health.delete_expired(db, now=now, most=most)


class ExpiredSpending:
    """Deletes totals of days that are long over; what each attempt has cost stays. Idempotent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete(self, now: datetime, most: int) -> int:
        """Delete at most `most` rows, the oldest first; return how many were deleted."""
        async with self._database.transaction() as db:
            return await expired_spending.delete_expired(db, now=now, most=most)


class ExpiredDeliveries:
    """Deletes deliveries of webhooks after 30 days. Idempotent.

    One that is still pending ends first, so that the next event of its subject is not held back.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete(self, now: datetime, most: int) -> int:
        """End and delete at most `most` rows each, the oldest first; return how many."""
        async with self._database.read() as db:
            pending = await expired_deliveries.old_pending(db, now=now, most=most)
        for delivery in pending:
            outcome = Outcome(
                status=WebhookDeliveryStatus.FAILED,
                attempts=delivery.attempts,
                error=WebhookDeliveryError.EXPIRED,
            )
            async with self._database.transaction() as db:
                await delivery_outcomes.conclude(db, delivery, outcome, now=now)
        async with self._database.transaction() as db:
            deleted = await expired_deliveries.delete_old(db, now=now, most=most)
        return max(len(pending), deleted)


class DeletedEndpoints:
    """Deletes endpoints that integrators deleted, after their deliveries. Idempotent."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def delete(self, now: datetime, most: int) -> int:
        """Delete at most `most` deliveries; return how many."""
        async with self._database.transaction() as db:
            return await expired_deliveries.delete_deleted_endpoints(db, now=now, most=most)
