"""Chooses the account that a send is to go out with, and a sender that this account owns."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from api.services.messages.drafts import Draft
from api.services.messages.policy_reads import PolicyReads
from models.enums import DeliveryMode
from models.queries.consent.send_policy import SendPolicy, TenantAddresses
from models.queries.senders.candidates import AccountSenders
from models.rules.accounts.routing_table import RouteKey
from providers.call_needs import needs_of
from providers.ports.messages import MessageProvider
from providers.routing import Routes


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedSender:
    """The sender of a send, and the vendor of the account that owns it."""

    sender: str | None = field(repr=False)
    """None: there is no sender that any account may use."""
    provider: str | None
    """None: no account is routed."""
    unowned: bool = False
    """There are senders, but no account owns one."""


class RoutedSenders:
    """Makes the choice that the dispatch will make, unless an account becomes unavailable.

    In SIMULATOR mode, and where no account is routed at all, any sender of the merchant is taken:
    the dispatch decides.
    """

    def __init__(self, routes: Routes) -> None:
        self._routes = routes

    def routed(
        self, draft: Draft, tenant: str, mode: DeliveryMode, disabled: Collection[str]
    ) -> Sequence[MessageProvider]:
        """Return the accounts of a send in order of preference; those switched off come last."""
        key = RouteKey.of(mode, tenant, draft.channel, draft.to[0], draft.type)
        routed = self._routes.routed(mode, key, needs_of(draft.channel, draft.details))
        return sorted(routed, key=lambda p: p.account in disabled)

    async def number(
        self, reads: PolicyReads, draft: Draft, found: SendPolicy, contact_key: str
    ) -> RoutedSender:
        """Return a merchant's number of the first account that owns one."""
        routed = self.routed(draft, found.tenant, found.delivery_mode, found.disabled)
        for provider in routed:
            scope = self._routes.scope(provider.account)
            sender = found.sender
            if scope is not None and (sender is None or not scope.lists(draft.channel, sender)):
                owned = AccountSenders(account=provider.account, listed=scope.numbers)
                sender = await reads.owned_number(owned, contact_key)
            if sender is not None:
                return RoutedSender(sender=sender, provider=provider.name)
        return self._without(found.sender, routed)

    def address(self, draft: Draft, found: TenantAddresses) -> RoutedSender:
        """Return the oldest of the addresses whose domain belongs to the first account."""
        routed = self.routed(draft, found.tenant, found.delivery_mode, found.disabled)
        for provider in routed:
            scope = self._routes.scope(provider.account)
            for address in found.addresses:
                if scope is None or scope.lists(draft.channel, address):
                    return RoutedSender(sender=address, provider=provider.name)
        return self._without(next(iter(found.addresses), None), routed)

    def _without(self, sender: str | None, routed: Sequence[MessageProvider]) -> RoutedSender:
        """Return the result if no account owns a sender."""
        if not routed:
            return RoutedSender(sender=sender, provider=None)
        return RoutedSender(sender=None, provider=None, unowned=sender is not None)


UNOWNED: Final = (
    "No provider account that this message may be sent with has one of the senders: the operator "
    "assigns numbers and domains to accounts."
)
