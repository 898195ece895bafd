"""Writes a permitted message with its hold, and builds the start input of its workflow."""

import logging
from datetime import datetime
from time import monotonic
from typing import Final, assert_never

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from api.services.messages.same_key_requests import UNDER_WAY
from models.database.faults import LOCKED, public_id_taken, state_of
from models.database.limits import KEY_WAIT
from models.database.transaction_limits import LockScope
from models.errors import DestinationLimited, InsufficientCredits, TemporarilyUnavailable
from models.queries.alerts import threshold_alerts
from models.queries.alerts.threshold_alerts import Account
from models.queries.messages import acceptance, destinations
from models.queries.messages.acceptance import AcceptedMessage, KeyTaken, NewMessage, NotFunded
from models.queries.messages.destinations import Destination
from models.rules.messages.identity import SendStart
from models.session import Database, WriteSession

log = logging.getLogger(__name__)

_MAX_ID_TRIES: Final = 4
"""Tries with a random public id. With 10^9 messages of a tenant, one in 4 million is taken."""


async def write_message(
    database: Database, message: NewMessage, lock_scope: LockScope
) -> AcceptedMessage:
    """Write a message with its hold, and return its ids.

    With a key it waits longer for a lock, because another request with the key may hold it. If the
    random public id is taken, the message is written again with another one.

    Raises:
        InsufficientCredits: allowance and credits do not cover it.
        TemporarilyUnavailable: its key is taken.
        DBAPIError: the database failed; after a lost connection the message may be written.
    """
    try:
        return await _write_with_retries(database, message, lock_scope)
    except InsufficientCredits:
        if message.merchant_id is not None:
            account = Account(
                tenant_id=message.tenant_id,
                merchant_id=message.merchant_id,
                channel=message.channel,
            )
            await warn_of_held_credits(database, account, message.accepted_at, lock_scope)
        raise


async def _write_with_retries(
    database: Database, message: NewMessage, lock_scope: LockScope
) -> AcceptedMessage:
    """Write it; repeat if its public id is taken, or if another request holds its key's lock."""
    give_up_at = monotonic() + KEY_WAIT.total_seconds()
    wait_when_locked, id_tries = False, 1
    while True:
        try:
            return await _write(database, message, lock_scope, wait_when_locked=wait_when_locked)
        except DBAPIError as error:
            if public_id_taken(error) and id_tries < _MAX_ID_TRIES:
                id_tries += 1
                continue
            locked = state_of(error) == LOCKED
            if not locked or message.idempotency_key is None or monotonic() > give_up_at:
                raise
        wait_when_locked = True


async def _write(
    database: Database, message: NewMessage, lock_scope: LockScope, *, wait_when_locked: bool
) -> AcceptedMessage:
    """Write the message with its hold in one transaction, or raise the reason."""
    async with database.transaction(lock_scope, wait_when_locked=wait_when_locked) as db:
        outcome = await acceptance.accept(db, message)
        match outcome:
            case AcceptedMessage():
                for destination in message.destinations:
                    await _count(db, message, outcome, destination)
                return outcome
            case NotFunded():
                raise InsufficientCredits(
                    f"Units needed: {message.units}, available: {outcome.available}."
                )
            case KeyTaken(written=True):
                raise TemporarilyUnavailable(UNDER_WAY)
            case KeyTaken():
                pass  # a rollback would discard the statements that the connection has prepared
            case _:
                assert_never(outcome)
    raise TemporarilyUnavailable(UNDER_WAY)


async def _count(
    db: WriteSession, message: NewMessage, accepted: AcceptedMessage, destination: Destination
) -> None:
    """Count it for a destination; raises DestinationLimited, which takes the message back."""
    wait = await destinations.count_send(
        db,
        destination,
        contact_key=message.contact_key,
        message_id=accepted.message_id,
        now=message.accepted_at,
    )
    if wait:
        raise DestinationLimited(retry_after=wait)


async def warn_of_held_credits(
    database: Database, account: Account, now: datetime, lock_scope: LockScope
) -> None:
    """Raise an alert if a send was refused while credits are held.

    The refusal is returned whether or not the alert can be written.
    """
    try:
        async with database.read() as read:
            unreported = await threshold_alerts.is_refusal_unreported(read, account, now)
        if unreported:
            async with database.transaction(lock_scope) as db:
                await threshold_alerts.credits_refused(db, account, now)
    except (TemporarilyUnavailable, DBAPIError, PoolTimeoutError) as error:
        log.warning("the alert for a refused send was not written: %s", type(error).__name__)


def start_of(message: NewMessage, accepted: AcceptedMessage, merchant: str) -> SendStart:
    """Return the start input of the workflow; `merchant` is empty for the tenant itself."""
    return SendStart(
        tenant_id=message.tenant_id,
        tenant_public_id=accepted.tenant_public_id,
        message_id=accepted.message_id,
        public_id=accepted.public_id,
        merchant_id=message.merchant_id or 0,
        merchant=merchant,
        channel=message.channel,
        type=message.type,
        operation=message.operation,
        scope=message.scope,
        idempotency_key=message.idempotency_key,
    )
