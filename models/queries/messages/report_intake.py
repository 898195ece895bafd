"""Takes a report in, in a transaction of its own, or counts and logs why it is not believed."""

import logging
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from models.database.transaction_limits import LockScope
from models.metrics import REPORT_MISMATCHES
from models.queries.messages import receipts
from models.queries.messages.receipts import NewReceipt, StoredReceipt
from models.rules.messages.delivery_events import Mismatch
from models.session import Database

log = logging.getLogger(__name__)


async def take_report(
    database: Database, receipt: NewReceipt, now: datetime
) -> StoredReceipt | Mismatch:
    """Store one report, or say what of it does not belong to its attempt."""
    try:
        stored = await _store(database, receipt, now)
    except IntegrityError:  # the id became another attempt's meanwhile: now that is seen
        stored = await _store(database, receipt, now)
    if isinstance(stored, Mismatch):
        note_mismatch(
            tenant_id=receipt.tenant_id,
            message_id=receipt.message_id,
            attempt=receipt.attempt,
            provider=receipt.provider,
            reason=stored,
        )
    return stored


async def _store(
    database: Database, receipt: NewReceipt, now: datetime
) -> StoredReceipt | Mismatch:
    # One that suppresses takes several statements, any other just one.
    alone = receipt.suppresses is None
    lock_scope = LockScope(receipt.tenant_id)
    async with database.statement(lock_scope) if alone else database.transaction(lock_scope) as db:
        return await receipts.store(db, receipt, database.contact_keys, now)


def note_mismatch(
    *, tenant_id: int, message_id: int, attempt: int, provider: str, reason: Mismatch
) -> None:
    """Count and log that a provider told of an attempt what does not belong to it."""
    REPORT_MISMATCHES.labels(provider, reason).inc()
    log.warning(
        "a report does not match its attempt",
        extra={
            "tenant_id": tenant_id,
            "message_id": message_id,
            "attempt": attempt,
            "provider": provider,
            "reason": reason,
        },
    )
