"""Selects the accounts that may get the next attempt of a message."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from models.enums import AttemptState, Channel, DeliveryMode
from models.rules.accounts.account_scope import AccountScope
from models.rules.accounts.routing_table import RouteKey, RoutingTable
from providers.call_needs import CallNeeds, is_able
from providers.ports.messages import MessageProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAttempt:
    """An earlier attempt of the same message and its outcome."""

    account: str
    state: AttemptState
    inferred: bool = False
    """It counts as absent because its account's list lacks it, which proves nothing."""


class Routes:
    """The accounts of this installation, and which of them a message may be sent with.

    `order` are the accounts of each delivery mode; without a row of the table that matches, all of
    them may be used, in this order. An account without a scope serves every tenant and sends from
    every number and address: that is the simulator.
    """

    def __init__(
        self,
        providers: Collection[MessageProvider],
        order: Mapping[DeliveryMode, Sequence[str]],
        *,
        table: RoutingTable | None = None,
        scopes: Mapping[str, AccountScope] | None = None,
    ) -> None:
        self._providers = {provider.account: provider for provider in providers}
        self._order = order
        self._table = table or RoutingTable()
        self._scopes = scopes or {}

    def replace(self, other: "Routes") -> None:
        """Take over the accounts and routes of another, when the providers file is read again."""
        vars(self).update(vars(other))

    @property
    def providers(self) -> Collection[MessageProvider]:
        """All accounts."""
        return self._providers.values()

    @property
    def price_reporters(self) -> frozenset[str]:
        """Names of providers whose reported price replaces the rate card's."""
        return frozenset(p.name for p in self._providers.values() if p.reports_price)

    @property
    def silent(self) -> frozenset[str]:
        """Names of accounts that never report what became of a message."""
        return frozenset(p.account for p in self._providers.values() if not p.reports_delivery)

    def find(self, account: str) -> MessageProvider | None:
        """Return the adapter of an account; None if this worker has none."""
        return self._providers.get(account)

    def able(self, mode: DeliveryMode, channel: Channel) -> Sequence[MessageProvider]:
        """Return all accounts of a mode that have a channel."""
        named = [self._providers[name] for name in self._order.get(mode, ())]
        return [provider for provider in named if channel in provider.channels]

    def routed(
        self, mode: DeliveryMode, key: RouteKey, needs: CallNeeds | None = None
    ) -> Sequence[MessageProvider]:
        """Return the accounts that a message may be sent with, in order of preference.

        They have its channel, can place the call that it needs and serve its tenant. Only LIVE
        messages use the table and have needs: the simulator places every call.
        """
        able: Sequence[MessageProvider] = self.able(mode, key.channel)
        if mode is DeliveryMode.LIVE:
            able = [p for p in able if needs is None or is_able(p.capabilities, needs)]
            row = self._table.accounts(key)
            if row is not None:
                by_name = {provider.account: provider for provider in able}
                able = [by_name[name] for name in row if name in by_name]
        return [provider for provider in able if self._serves(provider.account, key.tenant)]

    def scope(self, account: str) -> AccountScope | None:
        """Return who may use an account and its senders; None: everyone, and every sender."""
        return self._scopes.get(account)

    def listed_by(self, number: str) -> frozenset[str]:
        """Return the accounts that the providers file lists a number under.

        It is one at most, but one that was taken out is still here for a while.
        """
        return frozenset(name for name, scope in self._scopes.items() if number in scope.numbers)

    def _serves(self, account: str, tenant: str) -> bool:
        scope = self._scopes.get(account)
        return scope is None or scope.serves(tenant)

    def in_turn(
        self, able: Sequence[MessageProvider], past: Sequence[PastAttempt]
    ) -> Sequence[MessageProvider]:
        """Return those accounts that may get the next attempt, in the order to try them.

        An account that refused the message gets none. The least tried is first: after NotProcessed
        or a proven absence that is the next account, and the first one again when all were tried
        equally often. An absence that was only inferred from a list proves nothing about a copy at
        the recipient: only the same account may try again, unless it was taken out of the file.
        """
        refused = {a.account for a in past if a.state is AttemptState.REFUSED}
        inferred = {a.account for a in past if a.inferred}
        bound = {account for account in inferred if account in self._providers}
        return sorted(
            (
                provider
                for provider in able
                if provider.account not in refused and bound <= {provider.account}
            ),
            key=lambda p: sum(attempt.account == p.account for attempt in past),
        )
