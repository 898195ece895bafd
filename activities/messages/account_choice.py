"""Chooses the account of a message's next attempt."""

from collections.abc import Mapping
from datetime import datetime

from models.enums import ErrorCode
from models.queries.messages.dispatch import Dispatchable
from providers.ports.messages import MessageProvider
from providers.routing import PastAttempt, Routes
from workflows.messages.types import DispatchResult, Verdict


class AccountUnavailable(Exception):
    """An account can't take the message before `until`; the claim is rolled back.

    The next account is tried in a new transaction, so that no lock of this one is held.
    """

    def __init__(self, account: str, until: datetime) -> None:
        super().__init__(account)
        self.account = account
        self.until = until


def choose_account(
    routes: Routes, found: Dispatchable, unavailable: Mapping[str, datetime]
) -> MessageProvider | DispatchResult:
    """Return the account of the next attempt, or the result if there is none.

    `unavailable` are accounts that can't take the message now, with the time when they may. While
    every account that may be used is among them, the message waits for the first.
    """
    past = [PastAttempt(account=a.account, state=a.state) for a in found.attempts]
    able = routes.able(found.delivery_mode, found.channel)
    free = [provider.account for provider in able if provider.account not in unavailable]
    provider = routes.following(found.delivery_mode, found.channel, past, among=free)
    if provider is not None:
        return provider
    awaited = [p for p in able if p.account in unavailable and routes.may_follow(p, past)]
    if awaited:
        until = min(unavailable[provider.account] for provider in awaited)
        return DispatchResult(verdict=Verdict.LATER, until=until)
    refusals = [a.error_code for a in found.attempts if a.error_code is not None]
    return DispatchResult(
        verdict=Verdict.REFUSED, error_code=refusals[-1] if refusals else ErrorCode.NO_PROVIDER
    )
