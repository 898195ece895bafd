"""Chooses the account of a message's next attempt, and its sender if the account needs another."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from models.enums import ErrorCode
from models.queries.messages.dispatch import Dispatchable
from models.queries.messages.message_sender import MessageSender, change_sender
from models.queries.senders.candidates import AccountSenders
from models.rules.accounts.routing_table import RouteKey
from models.rules.waits import growing_gap
from models.session import WriteSession
from providers.call_needs import needs_of
from providers.ports.messages import MessageProvider
from providers.routing import PastAttempt, Routes
from workflows.messages.types import DispatchResult, Verdict

_LOOK_AGAIN: Final = timedelta(minutes=1)
_LOOK_AGAIN_SELDOM: Final = timedelta(minutes=10)
"""First and longest time between two checks whether an account is switched on again."""


class AccountUnavailable(Exception):
    """An account can't take the message before `until`; the claim is rolled back.

    The next account is tried in a new transaction, so that no lock of this one is held.
    """

    def __init__(self, account: str, until: datetime) -> None:
        super().__init__(account)
        self.account = account
        self.until = until


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChoice:
    """The account of the next attempt, and the message with the sender that it is sent from."""

    provider: MessageProvider
    found: Dispatchable
    skipped: frozenset[str]
    """Accounts whose turn it was before and that could not send it: no sender, or unavailable."""


async def choose_account(
    db: WriteSession, routes: Routes, found: Dispatchable, unavailable: Mapping[str, datetime]
) -> AccountChoice | DispatchResult:
    """Return the account of the next attempt, or the result if there is none.

    `unavailable` are accounts that can't take the message now, with the time when they may. While
    every account that may be used is among them, or switched off, the message waits for the first.

    An account must own the sender. If it does not, the message gets a number of its merchant that
    the account owns, unless a copy may have gone out from its number.
    """
    past = past_attempts(found)
    unavailable = {**dict.fromkeys(found.disabled, _look_again(found)), **unavailable}
    routed = routed_accounts(routes, found)
    in_turn = routes.in_turn(routed, past)
    skipped: list[str] = []
    for provider in in_turn:
        if provider.account not in unavailable:
            sender = await _sender_of(db, routes, provider, found)
            if sender is not None:
                if sender is not found.message_sender:
                    found = replace(found, message_sender=sender)
                return AccountChoice(provider=provider, found=found, skipped=frozenset(skipped))
        skipped.append(provider.account)
    awaited = [unavailable[p.account] for p in in_turn if p.account in unavailable]
    if awaited:
        # An expired message must end at its expiry, not when an account is available.
        until = min([*awaited, *filter(None, [found.candidate.expires_at])])
        return DispatchResult(verdict=Verdict.LATER, until=until)
    refusals = [a.error_code for a in found.attempts if a.error_code is not None]
    none = ErrorCode.SENDER_NOT_REGISTERED if in_turn else ErrorCode.NO_PROVIDER
    return DispatchResult(verdict=Verdict.REFUSED, error_code=refusals[-1] if refusals else none)


def may_another_follow(
    routes: Routes,
    found: Dispatchable,
    past: Sequence[PastAttempt],
    unavailable: Collection[str] = (),
) -> MessageProvider | None:
    """Return the account that would get the attempt after `past`, as far as is known.

    Whether the merchant has a number of that account, and whether the account can take the message
    now, shows only when the message is claimed again.
    """
    for provider in routes.in_turn(routed_accounts(routes, found), past):
        if provider.account in unavailable:
            continue
        if found.message_sender.change is not None or owns_sender(routes, provider, found):
            return provider
    return None


def past_attempts(found: Dispatchable) -> list[PastAttempt]:
    """Return the message's attempts with their outcomes, oldest first."""
    return [
        PastAttempt(account=a.account, state=a.state, inferred=a.inferred) for a in found.attempts
    ]


def routed_accounts(routes: Routes, found: Dispatchable) -> Sequence[MessageProvider]:
    """Return the accounts that the routing table names for a message."""
    mode = found.delivery_mode
    key = RouteKey.of(mode, found.tenant, found.channel, found.to, found.type)
    return routes.routed(mode, key, needs_of(found.channel, found.details))


def _look_again(found: Dispatchable) -> datetime:
    """Return when to look at a switched-off account again.

    The gap grows with the wait: thousands of messages may wait for days.
    """
    now = datetime.now(UTC)
    return now + growing_gap(now - found.candidate.due_at, _LOOK_AGAIN, _LOOK_AGAIN_SELDOM)


async def _sender_of(
    db: WriteSession,
    routes: Routes,
    provider: MessageProvider,
    found: Dispatchable,
) -> MessageSender | None:
    """Return the sender of the message if it is sent with an account; None if it has none."""
    if owns_sender(routes, provider, found):
        return found.message_sender
    scope = routes.scope(provider.account)
    change = found.message_sender.change
    if scope is None or change is None:
        return None
    owned = AccountSenders(account=provider.account, listed=scope.numbers)
    return await change_sender(db, change, owned)


def owns_sender(routes: Routes, provider: MessageProvider, found: Dispatchable) -> bool:
    """Return whether the message's sender belongs to an account."""
    scope = routes.scope(provider.account)
    return (
        scope is None
        or found.message_sender.account == provider.account
        or scope.lists(found.channel, found.sender)
    )
