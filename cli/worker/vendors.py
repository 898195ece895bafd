"""Which vendors this installation has: the simulator always, others where settings name them."""

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from models.enums import Channel, DeliveryMode
from models.settings import IncompleteSettings, Settings
from providers.inbound_verifiers import inbound_verifiers
from providers.ports.payments import Gateways
from providers.ports.sip import VoiceDirectory
from providers.provider_preferences import ORDER
from providers.registries import Registries, by_mode
from providers.routing import Routes
from providers.simulator.messages import Simulator
from providers.simulator.payments import SimulatedPayments
from providers.simulator.registry import SimulatedRegistry
from providers.twilio.setup import open_directory, open_registry

_SIMULATOR_TIMEOUT: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendors:
    """Everybody a worker calls, by what for."""

    routes: Routes
    gateways: Gateways = field(default_factory=lambda: Gateways({}))
    registries: Registries = field(default_factory=lambda: Registries([], {}))
    directories: Sequence[VoiceDirectory] = ()


def open_vendors(settings: Settings, http: httpx.AsyncClient) -> Vendors:
    """Build every adapter on one HTTP client."""
    simulator: dict[str, Any] = {
        "timeout": min(settings.provider_timeout, _SIMULATOR_TIMEOUT),
        "absence_window": settings.absence_window,
        "secret": settings.simulator_signing,
    }
    carrier = Simulator(http, settings.simulator_url, **simulator)
    gateway = SimulatedPayments(http, settings.simulator_url, **simulator)
    registry = SimulatedRegistry(http, settings.simulator_url, **simulator)
    directory = open_directory(settings, http)
    routes = Routes([carrier], ORDER)
    check_replies(routes, inbound_verifiers(settings, lambda: datetime.now(UTC)))
    return Vendors(
        routes=routes,
        gateways=Gateways({DeliveryMode.SIMULATOR: gateway}),
        registries=by_mode(registry, open_registry(settings, http)),
        directories=[] if directory is None else [directory],
    )


def check_replies(routes: Routes, heard: Container[str]) -> None:
    """Refuse a LIVE route for SMS by whose provider no STOP would come back.

    Raises:
        IncompleteSettings: there is one; `heard` are the providers whose texts the API takes.
    """
    live = routes.able(DeliveryMode.LIVE, Channel.SMS)
    deaf = [provider.name for provider in live if provider.name not in heard]
    if deaf:
        raise IncompleteSettings(
            f"LIVE tenants would send SMS by {', '.join(deaf)}: nobody here takes the texts that "
            "come back, so no STOP would be heard. See Inbound texts in docs/providers.md."
        )
