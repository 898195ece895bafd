"""Decides which members of a chunk can be claimed there: the plain case, with one call.

Everything else leaves the chunk: its own workflow waits, chooses another account or sender, paces
it, or ends it.
"""

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from activities.messages.account_choice import owns_sender, routed_accounts
from activities.messages.account_health import AccountHealth
from activities.messages.claimed import MARGIN, Claimed, request_of
from activities.messages.provider_slots import Slots
from activities.messages.text_parts import quick_text
from models.queries.messages.batches.chunk_claims import NUMBER, Member
from models.queries.messages.dispatch import Dispatchable
from models.rules.messages.dispatch_decision import DispatchAction, decide
from providers.ports.messages import MessageProvider
from providers.routing import Routes
from workflows import policies

log = logging.getLogger(__name__)

_SOON: Final = timedelta(seconds=10)
"""A member that is due within this time stays: clocks differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """The calls that chunks may make with the member's account are all under way."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotYet:
    """The member is due in a moment: this machine's clock is behind that of Temporal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkClaim:
    """A member that is about to be called, with its slot of the fast path."""

    message_id: int
    claimed: Claimed
    call_permit: ExitStack

    @property
    def account(self) -> str:
        """Name of the account that is called."""
        return self.claimed.provider.account

    def give_back(self, _call: object = None) -> None:
        """Give the slot back, when the call has ended."""
        self.call_permit.close()


@dataclass(slots=True, kw_only=True)
class PlainClaims:
    """Prepares claims by the facts that were read under the members' locks."""

    routes: Routes
    slots: Slots
    health: AccountHealth
    public_url: str

    def prepare(
        self, member: Member, tenant_id: int, now: datetime
    ) -> ChunkClaim | Busy | NotYet | None:
        """Return the claim of a member with a slot for its call; None if it leaves the chunk.

        Takes a few milliseconds at most: a larger text part of an e-mail is not rendered here.
        """
        try:
            return self._prepare(member, tenant_id, now)
        except Exception as error:  # its own workflow counts the failures and gives it up
            log.error("a claim of a chunk cannot be prepared", exc_info=error)
            return None

    def _prepare(
        self, member: Member, tenant_id: int, now: datetime
    ) -> ChunkClaim | Busy | NotYet | None:
        found = member.found
        if now < found.candidate.due_at <= now + _SOON and not found.candidate.completed:
            return NotYet()
        if decide(found.candidate, now).action is not DispatchAction.CLAIM or not _is_plain(found):
            return None
        provider = self._account(found, tenant_id)
        if provider is None:
            return None
        with ExitStack() as call_permit:
            if not self.slots.take_for_chunk(provider.account, call_permit):
                return Busy(account=provider.account)
            claimed = self._claimed(found, provider, now)
            if claimed is None:
                return None
            return ChunkClaim(
                message_id=member.message_id, claimed=claimed, call_permit=call_permit.pop_all()
            )

    def _account(self, found: Dispatchable, tenant_id: int) -> MessageProvider | None:
        """Return the first account of the member's route if it can take it at once, else None."""
        in_turn = self.routes.in_turn(routed_accounts(self.routes, found), [])
        if not in_turn or in_turn[0].account in found.disabled:
            return None
        provider = in_turn[0]
        slow = policies.slow_budget(provider.timeout) is not None
        if slow or not owns_sender(self.routes, provider, found):
            return None
        return provider if self.health.is_closed(provider.account, tenant_id) else None

    def _claimed(
        self, found: Dispatchable, provider: MessageProvider, now: datetime
    ) -> Claimed | None:
        """Return the attempt; None if rendering the text part of an e-mail takes long."""
        text = quick_text(found)
        if text is None:
            return None
        deadline = now + provider.timeout + MARGIN
        return Claimed(
            provider=provider,
            number=NUMBER,
            found=found,
            deadline=deadline,
            slot=None,
            request=request_of(
                found,
                public_url=self.public_url,
                account=provider.account,
                number=NUMBER,
                deadline=deadline,
                text=text,
            ),
        )


def _is_plain(found: Dispatchable) -> bool:
    """Return whether a message is not paced and has one recipient."""
    return found.pace is None and len(found.details.get("to") or ()) <= 1
