"""Keeps attempts within the daily spending limits of their account and their tenant."""

import logging
from datetime import datetime

from activities.messages.account_choice import AccountUnavailable
from activities.messages.claimed import Claimed
from models.enums import AttemptState, MessageType
from models.metrics import ACCOUNT_LIMITS
from models.queries.accounts import spending
from models.queries.accounts.spending import NewAttempt, Reservation
from models.queries.alerts.spending_alerts import warn_of_spending
from models.rules.accounts.spending import REACHED_AT, Spending, tried_again_at
from models.rules.billing.periods import day_of
from models.session import WriteSession
from workflows.messages.types import DispatchStep

log = logging.getLogger(__name__)


class SpendingLimited(AccountUnavailable):
    """An attempt would exceed a limit, or nothing tells its price and there is a limit."""

    def __init__(self, attempt: NewAttempt, reservation: Reservation, until: datetime) -> None:
        super().__init__(attempt.account, until)
        self._attempt = attempt
        self._reservation = reservation

    async def warn(self, db: WriteSession) -> None:
        """Tell who can do something: the tenant about its limit, the operator about others.

        Call it in the transaction after the one that was rolled back.
        """
        named = {"account": self.account, "provider": self._attempt.provider}
        if not self._reservation.priced:
            log.warning("an account is limited and no rate card tells its price", extra=named)
        elif self._reservation.tenant.full:
            await _warn_tenant(db, self._attempt, self._reservation.tenant, REACHED_AT)
        else:
            _tell_operator(self._attempt, REACHED_AT, logging.INFO)  # once per message


async def reserve(db: WriteSession, step: DispatchStep, claimed: Claimed, now: datetime) -> None:
    """Reserve what an attempt costs; call it last in the transaction that claims its message.

    Raises:
        SpendingLimited: a limit forbids it now; the claim must be rolled back.
    """
    found = claimed.found
    if not found.guarded:
        return
    attempt = attempt_of(claimed, step.tenant_id, step.message_id, now)
    reservation = await spending.reserve(db, attempt)
    if reservation.refused:
        urgent = found.type is MessageType.OTP
        until = tried_again_at(now, found.candidate.expires_at, step.message_id, urgent=urgent)
        raise SpendingLimited(attempt, reservation, until)
    await tell_crossed(db, attempt, reservation)


def attempt_of(claimed: Claimed, tenant_id: int, message_id: int, now: datetime) -> NewAttempt:
    """Return what a reservation needs of a claimed attempt."""
    return NewAttempt(
        tenant_id=tenant_id,
        message_id=message_id,
        number=claimed.number,
        provider=claimed.provider.name,
        account=claimed.provider.account,
        channel=claimed.found.channel,
        to=claimed.found.to,
        units=claimed.found.units,
        now=now,
    )


async def tell_crossed(db: WriteSession, attempt: NewAttempt, reservation: Reservation) -> None:
    """Tell which parts of the limits a reservation reaches."""
    for percent in reservation.account.crossed:
        _tell_operator(attempt, percent, logging.WARNING)
    for percent in reservation.tenant.crossed:
        await _warn_tenant(db, attempt, reservation.tenant, percent)


def releases(claimed: Claimed, state: AttemptState) -> bool:
    """Return whether this outcome of a call may release what its attempt reserves."""
    return claimed.found.guarded and state in spending.RELEASED


async def release(
    db: WriteSession, step: DispatchStep, claimed: Claimed, state: AttemptState
) -> None:
    """Release what an attempt reserves if the vendor certainly did not send the message.

    Idempotent. Call it last in the transaction that concludes the attempt.
    """
    if releases(claimed, state):
        await spending.release(
            db, tenant_id=step.tenant_id, message_id=step.message_id, number=claimed.number
        )


async def _warn_tenant(
    db: WriteSession, attempt: NewAttempt, spent: Spending, percent: int
) -> None:
    assert spent.limit is not None
    await warn_of_spending(
        db,
        tenant_id=attempt.tenant_id,
        percent=percent,
        limit=spent.limit,
        day=day_of(attempt.now),
        now=attempt.now,
    )


def _tell_operator(attempt: NewAttempt, percent: int, level: int) -> None:
    """An account is the operator's: no tenant learns what the others spend."""
    ACCOUNT_LIMITS.labels(attempt.account, str(percent)).inc()
    log.log(
        level,
        "an account reached a part of its daily spending limit",
        extra={"account": attempt.account, "percent": percent},
    )
