"""Order of preference of providers; dispatching and quotes both use it."""

from collections.abc import Mapping, Sequence
from typing import Final

from models.enums import Channel, DeliveryMode
from providers.simulator import messages

ORDER: Final[Mapping[DeliveryMode, Sequence[str]]] = {DeliveryMode.SIMULATOR: (messages.NAME,)}
"""Names of providers by delivery mode, preferred ones first."""

CHANNELS: Final[Mapping[str, frozenset[Channel]]] = {messages.NAME: messages.Simulator.channels}
"""Channels of each provider."""


def asked_first(
    order: Mapping[DeliveryMode, Sequence[str]] = ORDER,
    channels: Mapping[str, frozenset[Channel]] = CHANNELS,
) -> dict[DeliveryMode, dict[Channel, str]]:
    """Return the preferred provider by delivery mode and channel, where there is one."""
    return {
        mode: {
            channel: next(name for name in names if channel in channels[name])
            for channel in Channel
            if any(channel in channels[name] for name in names)
        }
        for mode, names in order.items()
    }
