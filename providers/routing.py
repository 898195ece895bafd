"""Selects the provider of the next attempt."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from models.enums import AttemptState, Channel, DeliveryMode
from providers.ports.messages import MessageProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAttempt:
    """An earlier attempt of the same message and its outcome."""

    account: str
    state: AttemptState


class Routes:
    """The accounts of this installation, in order of preference per delivery mode."""

    def __init__(
        self,
        providers: Collection[MessageProvider],
        order: Mapping[DeliveryMode, Sequence[str]],
    ) -> None:
        self._providers = {provider.account: provider for provider in providers}
        self._order = order

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
        """Return the providers of a channel in a mode, in order of preference."""
        named = [self._providers[name] for name in self._order.get(mode, ())]
        return [provider for provider in named if channel in provider.channels]

    def following(
        self, mode: DeliveryMode, channel: Channel, past: Sequence[PastAttempt]
    ) -> MessageProvider | None:
        """Return the provider of the next attempt: of those that have not refused, the least tried.

        After NotProcessed the next provider is tried, and the first one again when all were tried
        equally often.
        """
        refused = {attempt.account for attempt in past if attempt.state is AttemptState.REFUSED}
        able = [
            provider for provider in self.able(mode, channel) if provider.account not in refused
        ]
        if not able:
            return None
        return min(able, key=lambda p: sum(attempt.account == p.account for attempt in past))
