"""Composition of the API: one container of services, and the worker's adapters."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
from fastapi import FastAPI, Request
from fastapi.params import Depends

from api import deps
from api.app import create_app
from cli.worker.composition import assemble
from models.configuration.accounts import read_configuration
from models.session import Database
from models.settings import Settings
from providers.http import new_client
from providers.registries import Registries
from providers.simulator.messages import Simulator
from providers.vendors import open_providers
from tests.api.container import services_of
from tests.providers_files import TWILIO, TWILIO_TOKEN_VARIABLE, write_file
from workflows.client import connect

SERVICES = {
    name: get_args(alias)
    for name, alias in vars(deps).items()
    if get_origin(alias) is Annotated
    and isinstance(get_args(alias)[1], Depends)
    and getattr(get_args(alias)[1].dependency, "__name__", "") == "picked"
}
"""The dependency types of routes."""


def test_the_state_of_the_application_is_one_container(app: FastAPI) -> None:
    assert list(app.state) == ["services"]


def test_every_service_has_a_dependency() -> None:
    assert len(SERVICES) > 20


@pytest.mark.parametrize("name", SERVICES)
async def test_a_route_gets_the_service_that_its_type_names(app: FastAPI, name: str) -> None:
    kind, dependency = SERVICES[name]
    service = await dependency.dependency(Request({"type": "http", "app": app}))
    assert isinstance(service, get_origin(kind) or kind)


def registry_timeouts(registries: Registries) -> dict[str, timedelta]:
    """Return the timeout of one call at each registry."""
    found = {name: registries.find(name) for name in ("simulator", "twilio")}
    return {name: registry.timeout for name, registry in found.items() if registry is not None}


@pytest.mark.parametrize(("vendors", "simulator"), [(10, 2), (1, 1)])
async def test_api_and_worker_give_each_vendor_the_same_time(
    settings: Settings,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vendors: int,
    simulator: int,
) -> None:
    monkeypatch.setenv(TWILIO_TOKEN_VARIABLE, "not-shown")
    own: dict[str, Any] = {
        "provider_timeout": timedelta(seconds=vendors),
        "providers_file": write_file(tmp_path, TWILIO),
    }
    settings = settings.model_copy(update=own)
    app = create_app(settings)
    async with app.router.lifespan_context(app), new_client(settings.provider_timeout) as http:
        providers = open_providers(settings, http, lambda: datetime.now(UTC))
        await providers.accounts.replace(read_configuration(settings.providers_file, os.environ))
        parts = assemble(settings, database, await connect(lazy=True), providers.vendors)
        api = services_of(app)
        carrier = parts.routes.find("simulator")
        recording_provider = api.messages.recordings._recording_providers["simulator"]
        assert isinstance(recording_provider, Simulator)
        assert carrier is not None
        assert recording_provider.timeout == carrier.timeout == timedelta(seconds=simulator)
        expected = {"simulator": timedelta(seconds=simulator), "twilio": timedelta(seconds=vendors)}
        assert registry_timeouts(parts.registering._registries) == expected
        registration = api.registration
        for registries in (
            registration.brands._registries,
            registration.campaigns._registries,
            registration.numbers._registries,
            registration.status._registries,
        ):
            assert registry_timeouts(registries) == expected
