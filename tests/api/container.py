"""Replaces services in a running application's container by doubles, and restores them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fastapi import FastAPI

from api.composition import Services


def services_of(app: FastAPI) -> Services:
    """Return the container of a running application."""
    services: Services = app.state.services
    return services


def put_in(app: FastAPI, domain: str, **doubles: Any) -> None:
    """Replace services of a domain by these, by name."""
    services = services_of(app)
    changed = replace(getattr(services, domain), **doubles)
    app.state.services = replace(services, **{domain: changed})


@contextmanager
def restored(app: FastAPI) -> Iterator[None]:
    """Restore the services that are replaced in the block."""
    real = services_of(app)
    try:
        yield
    finally:
        app.state.services = real
