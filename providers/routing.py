"""Which provider carries a message next."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from models.enums import AttemptState, Channel, DeliveryMode
from providers.ports.messages import MessageProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAttempt:
    """What an earlier attempt of the same message came to."""

    provider: str
    state: AttemptState


class Routes:
    """The providers of this installation, in order of preference per delivery mode."""

    def __init__(
        self,
        providers: Collection[MessageProvider],
        order: Mapping[DeliveryMode, Sequence[str]],
    ) -> None:
        self._providers = {provider.name: provider for provider in providers}
        self._order = order

    @property
    def providers(self) -> Collection[MessageProvider]:
        """All of them."""
        return self._providers.values()

    @property
    def price_reporters(self) -> frozenset[str]:
        """Names of those whose own price is waited for."""
        return frozenset(p.name for p in self._providers.values() if p.reports_price)

    def find(self, name: str) -> MessageProvider | None:
        """Return the adapter of a name; None if this worker has none."""
        return self._providers.get(name)

    def able(self, mode: DeliveryMode, channel: Channel) -> Sequence[MessageProvider]:
        """Return who carries a channel in a mode, in order of preference."""
        named = [self._providers[name] for name in self._order.get(mode, ())]
        return [provider for provider in named if channel in provider.channels]

    def following(
        self, mode: DeliveryMode, channel: Channel, past: Sequence[PastAttempt]
    ) -> MessageProvider | None:
        """Return who tries next: none that refused it, and the least tried one first.

        So a provider that did not process it gives way to the next, and is asked again when all
        were asked as often.
        """
        refused = {attempt.provider for attempt in past if attempt.state is AttemptState.REFUSED}
        able = [provider for provider in self.able(mode, channel) if provider.name not in refused]
        if not able:
            return None
        return min(able, key=lambda p: sum(attempt.provider == p.name for attempt in past))
