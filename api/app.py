"""The HTTP application, put together from the settings."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from api import openapi, problems
from api.auth import Authenticator
from api.body import BodyLimit
from api.limits import RateLimiter
from api.logs import RequestLog
from api.routes import consents, guide, health, merchants, messages, webhooks
from api.services.consents import Consents
from api.services.merchants import Merchants
from api.services.messages import Messages
from api.services.readiness import Readiness
from api.services.receipts import Receipts, Verify
from api.services.sending import Sending
from api.temporal import WorkflowStarter
from models.session import Database
from models.settings import Settings
from providers import simulated
from workflows.connecting import connect

PUBLIC = (merchants.router, consents.router, messages.router)
"""In the order of the catalogue."""


def create_app(settings: Settings) -> FastAPI:
    """Build the application; connections are opened when it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        database = Database(settings.async_database_url, pool_size=settings.database_pool)
        app.state.authenticator = Authenticator(database)
        app.state.limiter = RateLimiter(settings.rate_limit, settings.rate_burst)
        app.state.readiness = Readiness(database)
        app.state.merchants = Merchants(database, _now)
        app.state.consents = Consents(database, _now)
        app.state.messages = Messages(database)
        starter = WorkflowStarter(await connect(lazy=True), settings.send_waits)
        app.state.sending = Sending(database, starter, sweep_grace=settings.sweep_grace)
        app.state.receipts = Receipts(database, starter, _verifiers(settings))
        try:
            yield
        finally:
            await database.close()

    app = FastAPI(
        lifespan=lifespan,
        openapi_url=None,  # served by api.routes.guide
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=openapi.operation_id,
        redirect_slashes=False,  # a redirected POST is too often repeated as a GET
    )
    problems.install(app)
    openapi.install(app)
    for router in PUBLIC:
        app.include_router(router)
    for router in (guide.router, health.router, webhooks.router):
        app.include_router(router, include_in_schema=False)
    app.mount("/assets", guide.assets)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestLog)  # added last, so it is outermost
    return app


def _verifiers(settings: Settings) -> dict[str, Verify]:
    """Return how the webhooks of each provider that has a secret here are verified."""
    verifiers: dict[str, Verify] = {}
    if settings.simulator_secret is not None:
        verifiers[simulated.NAME] = simulated.verifier(settings.simulator_secret.get_secret_value())
    return verifiers


def _now() -> datetime:
    return datetime.now(UTC)
