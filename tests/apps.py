"""The API for tests that start it often."""

from typing import Any, Final

from fastapi import FastAPI

from api.app import create_app
from models.settings import Settings

_specification: Final[dict[str, Any]] = {}


def make_app(settings: Settings) -> FastAPI:
    """Build the application with a specification that is generated once per test process.

    It depends on no setting, and takes ten times as long to build as the rest.
    """
    app = create_app(settings)
    if not _specification:
        _specification.update(app.openapi())
    app.openapi_schema = _specification
    return app
