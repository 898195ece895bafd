"""Verifiers of inbound text webhooks, by provider; a STOP arrives only from these providers."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from providers.ports.messages import VerifyInbound
from providers.simulator import messages
from providers.twilio import registry
from providers.twilio.setup import Secret, TwilioSettings, open_inbound


class InboundSettings(TwilioSettings, Protocol):
    """Settings of the providers that post inbound texts."""

    @property
    def simulator_secret(self) -> Secret | None: ...


def inbound_verifiers(
    settings: InboundSettings, clock: Callable[[], datetime]
) -> dict[str, VerifyInbound]:
    """Return the verifier of each provider whose secret is configured."""
    verifiers: dict[str, VerifyInbound] = {}
    if settings.simulator_secret is not None:
        secret = settings.simulator_secret.get_secret_value()
        verifiers[messages.NAME] = messages.inbound_verifier(secret)
    twilio = open_inbound(settings, clock)
    if twilio is not None:
        verifiers[registry.NAME] = twilio
    return verifiers
