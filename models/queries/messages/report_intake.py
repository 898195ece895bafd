"""Stores a report in a transaction of its own, or counts and logs why it is rejected."""

import logging
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError

from models.database.transaction_limits import LockScope
from models.metrics import REPORT_MISMATCHES
from models.queries.messages import receipts
from models.queries.messages.receipts import AttemptKey, NewReceipt, StoredReceipt
from models.rules.messages.delivery_events import Mismatch
from models.rules.messages.reference import Reference
from models.session import Database

log = logging.getLogger(__name__)


async def take_report(
    database: Database, receipt: NewReceipt, now: datetime
) -> StoredReceipt | Mismatch:
    """Store one report, or return why it does not match its attempt."""
    try:
        stored = await _store(database, receipt, now)
    except IntegrityError:  # another attempt got the id concurrently; a retry sees it
        stored = await _store(database, receipt, now)
    if isinstance(stored, Mismatch):
        note_mismatch(receipt.account, stored, receipt.attempt)
    return stored


async def _store(
    database: Database, receipt: NewReceipt, now: datetime
) -> StoredReceipt | Mismatch:
    # A report that suppresses needs several statements, any other only one.
    alone = receipt.suppresses is None
    lock_scope = LockScope(receipt.attempt.tenant_id)
    async with database.statement(lock_scope) if alone else database.transaction(lock_scope) as db:
        return await receipts.store(db, receipt, database.contact_keys, now)


def note_mismatch(account: str, reason: Mismatch, about: AttemptKey | Reference) -> None:
    """Count and log a report that does not match its attempt."""
    REPORT_MISMATCHES.labels(account, reason).inc()
    match about:
        case AttemptKey():
            named: dict[str, Any] = {
                "tenant_id": about.tenant_id,
                "message_id": about.public_id,
                "attempt": about.number,
            }
        case Reference():
            named = {"reference": str(about)}
    log.warning(
        "a report does not match its attempt",
        extra={**named, "account": account, "reason": reason},
    )
