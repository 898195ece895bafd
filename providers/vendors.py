"""Builds all providers of an installation, so that API and worker use the same adapters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol, TypedDict

import httpx

from models.enums import DeliveryMode
from providers.inbound_verifiers import InboundSettings, inbound_verifiers
from providers.ports.messages import RecordingProvider, VerifyInbound, VerifyReports
from providers.ports.payments import Gateways, VerifyPayments
from providers.ports.registration import VerifyRegistrations
from providers.ports.sip import VoiceDirectory
from providers.provider_preferences import ORDER
from providers.registries import Registries, by_mode
from providers.routing import Routes
from providers.simulator import messages, payments, registry
from providers.simulator.messages import Simulator
from providers.simulator.payments import SimulatedPayments
from providers.simulator.registry import SimulatedRegistry
from providers.twilio.setup import open_directory, open_registry

_SIMULATOR_TIMEOUT: Final = timedelta(seconds=2)


class VendorSettings(InboundSettings, Protocol):
    """Settings of the providers."""

    @property
    def simulator_url(self) -> str: ...
    @property
    def simulator_signing(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendors:
    """All provider adapters, by purpose."""

    routes: Routes
    gateways: Gateways = field(default_factory=lambda: Gateways({}))
    registries: Registries = field(default_factory=lambda: Registries([], {}))
    directories: Sequence[VoiceDirectory] = ()
    recordings: Mapping[str, RecordingProvider] = field(default_factory=dict)
    """Providers that store recordings of calls, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifiers:
    """Verifiers of webhooks by account.

    Each raises ForgedWebhook for an invalid signature.
    """

    reports: Mapping[str, VerifyReports]
    inbound_texts: Mapping[str, VerifyInbound]
    payments: Mapping[str, VerifyPayments]
    registrations: Mapping[str, VerifyRegistrations]


def open_vendors(settings: VendorSettings, http: httpx.AsyncClient) -> Vendors:
    """Build every adapter on one HTTP client: the simulator's always, others if configured."""
    simulator = _simulator_options(settings)
    carrier = Simulator(http, settings.simulator_url, **simulator)
    gateway = SimulatedPayments(http, settings.simulator_url, **simulator)
    simulated = SimulatedRegistry(http, settings.simulator_url, **simulator)
    directory = open_directory(settings, http)
    return Vendors(
        routes=Routes([carrier], ORDER),
        gateways=Gateways({DeliveryMode.SIMULATOR: gateway}),
        registries=by_mode(simulated, open_registry(settings, http)),
        directories=[] if directory is None else [directory],
        recordings={} if settings.simulator_secret is None else {carrier.name: carrier},
    )


def open_verifiers(settings: VendorSettings, clock: Callable[[], datetime]) -> Verifiers:
    """Build the webhook verifiers of every provider whose secret is configured."""
    secret = settings.simulator_signing
    return Verifiers(
        reports={} if secret is None else {messages.NAME: messages.verifier(secret)},
        inbound_texts=inbound_verifiers(settings, clock),
        payments={} if secret is None else {messages.NAME: payments.verifier(secret)},
        registrations={} if secret is None else {messages.NAME: registry.event_verifier(secret)},
    )


class _SimulatorOptions(TypedDict):
    timeout: timedelta
    absence_window: timedelta
    secret: str | None


def _simulator_options(settings: VendorSettings) -> _SimulatorOptions:
    """Return the common options of the simulator's adapters."""
    return {
        "timeout": min(settings.provider_timeout, _SIMULATOR_TIMEOUT),
        "absence_window": settings.absence_window,
        "secret": settings.simulator_signing,
    }
