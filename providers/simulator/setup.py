"""Builds the simulator's adapters as an account."""

from datetime import timedelta
from typing import Final, Protocol

import httpx

from providers.accounts import CheckResult, OpenAccount
from providers.simulator import messages, registry
from providers.simulator.messages import Simulator
from providers.simulator.payments import SimulatedPayments
from providers.simulator.registry import SimulatedRegistry

_TIMEOUT: Final = timedelta(seconds=2)


class SimulatorSettings(Protocol):
    """Where the simulator is, and the secret shared with it."""

    @property
    def simulator_url(self) -> str: ...
    @property
    def simulator_signing(self) -> str | None: ...
    @property
    def provider_timeout(self) -> timedelta: ...
    @property
    def absence_window(self) -> timedelta: ...


def open_account(settings: SimulatorSettings, http: httpx.AsyncClient) -> OpenAccount:
    """Return the built-in account; without a secret nothing that the simulator posts is taken."""
    secret = settings.simulator_signing
    timeout, window = min(settings.provider_timeout, _TIMEOUT), settings.absence_window
    carrier = Simulator(
        http, settings.simulator_url, timeout=timeout, absence_window=window, secret=secret
    )
    simulated = SimulatedRegistry(
        http, settings.simulator_url, timeout=timeout, absence_window=window, secret=secret
    )
    return OpenAccount(
        name=carrier.account,
        vendor=carrier.name,
        check=_check,
        messages=carrier,
        registry=simulated,
        recordings=None if secret is None else carrier,
        reports=None if secret is None else messages.verifier(secret),
        inbound=None if secret is None else messages.inbound_verifier(secret),
        registrations=None if secret is None else registry.event_verifier(secret),
    )


def open_gateway(settings: SimulatorSettings, http: httpx.AsyncClient) -> SimulatedPayments:
    """Return the simulator as a payment gateway."""
    return SimulatedPayments(
        http,
        settings.simulator_url,
        timeout=min(settings.provider_timeout, _TIMEOUT),
        absence_window=settings.absence_window,
        secret=settings.simulator_signing,
    )


async def _check() -> CheckResult:
    return CheckResult(valid=True)
