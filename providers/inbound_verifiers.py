"""Who passes on what recipients write: without that no STOP would ever be heard."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, TypeAlias

from providers.ports.messages import InboundText
from providers.simulator import messages
from providers.twilio import registry
from providers.twilio.setup import Secret, TwilioSettings, open_inbound

VerifyInbound: TypeAlias = Callable[[Mapping[str, str], bytes], InboundText]
"""Headers and raw body → the text. Raises ForgedWebhook."""


class InboundSettings(TwilioSettings, Protocol):
    """What an installation says of those it hears."""

    @property
    def simulator_secret(self) -> Secret | None: ...


def inbound_verifiers(
    settings: InboundSettings, clock: Callable[[], datetime]
) -> dict[str, VerifyInbound]:
    """Return how the texts of each provider that has a secret here are verified and read."""
    verifiers: dict[str, VerifyInbound] = {}
    if settings.simulator_secret is not None:
        secret = settings.simulator_secret.get_secret_value()
        verifiers[messages.NAME] = messages.inbound_verifier(secret)
    twilio = open_inbound(settings, clock)
    if twilio is not None:
        verifiers[registry.NAME] = twilio
    return verifiers
