"""Which carriers there are, in order of preference: workers hand over by it, quotes price by it."""

from collections.abc import Mapping, Sequence
from typing import Final

from models.enums import Channel, DeliveryMode
from providers.simulator import messages

ORDER: Final[Mapping[DeliveryMode, Sequence[str]]] = {DeliveryMode.SIMULATOR: (messages.NAME,)}
"""Names of carriers, by who uses them."""

CHANNELS: Final[Mapping[str, frozenset[Channel]]] = {messages.NAME: messages.Simulator.channels}
"""What each carries."""


def asked_first(
    order: Mapping[DeliveryMode, Sequence[str]] = ORDER,
    channels: Mapping[str, frozenset[Channel]] = CHANNELS,
) -> dict[DeliveryMode, dict[Channel, str]]:
    """Return who is asked first, by delivery mode and channel; nobody where nobody carries it."""
    return {
        mode: {
            channel: next(name for name in names if channel in channels[name])
            for channel in Channel
            if any(channel in channels[name] for name in names)
        }
        for mode, names in order.items()
    }
