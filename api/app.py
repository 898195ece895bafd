"""Builds the HTTP application from the settings."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from fastapi import FastAPI
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.composition import Connections, Services, build_services, open_starters
from api.http import openapi, problems
from api.http.bodies.body import BodyLimit
from api.http.head import HeadAsGet
from api.http.limits.limit_settlement import keep_settling
from api.http.limits.refusal_delay import RefusalDelay
from api.http.limits.request_bounds import RequestBounds, refuse_unknown_path
from api.http.request_log import RequestLog
from api.portal.pages import build_portal
from api.portal.portal import Portal
from api.route_scopes import ROUTE_SCOPES, check_complete
from api.routes import (
    alerts,
    batches,
    billing,
    consents,
    email,
    guide,
    health,
    inbound,
    keys,
    merchants,
    messages,
    messaging,
    payment_webhooks,
    reports,
    unsubscribe,
    voice,
    voice_provisioning,
    webhook_endpoints,
    webhooks,
)
from api.services.accounts.reload import AccountReload
from api.services.messages.started import StartedMessages
from api.webhook_operations import describe_events
from models.configuration.accounts import Configuration, read_configuration
from models.database.limits import API
from models.rules.consent.contact_keys import ContactKeys
from models.session import Database
from models.settings import Settings
from providers.http import new_client
from providers.vendors import check_accounts, open_providers
from workflows.client import connect

PUBLIC = (
    merchants.router,
    consents.router,
    inbound.router,
    batches.router,
    messages.router,
    email.router,
    billing.router,
    alerts.router,
    reports.router,
    voice.router,
    voice_provisioning.router,
    messaging.router,
    keys.router,
    webhook_endpoints.router,
)
"""In the order of the specification; /messages/inbound and /messages/batch must precede
/messages/{messageId}.
"""

HIDDEN = (
    payment_webhooks.router,  # before the others, whose route of reports would match it too
    webhooks.router,
    guide.router,
    health.router,
    unsubscribe.router,
)
"""Not part of the public contract. Routes are matched in order, so the most frequent, delivery
reports, come first.
"""


def create_app(settings: Settings) -> FastAPI:
    """Build the application; it opens its connections in its lifespan.

    Raises BadSettings for mistakes in the providers file, and RuntimeError if a public route
    declares no scope.
    """
    if settings.server_secret is None:
        raise RuntimeError("HEXAVOX_SERVER_SECRET is not set: it signs what the API hands out.")
    check_complete(PUBLIC)
    server_secret = settings.server_secret.get_secret_value()
    contact_keys = settings.contact_keys()
    check_accounts(_configuration(settings), settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.services = await _open_services(
                stack, settings, contact_keys, server_secret, app.openapi
            )
            yield

    app = FastAPI(
        lifespan=lifespan,
        openapi_url=None,  # served by api.routes.guide
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=openapi.operation_id,
        redirect_slashes=False,  # clients often repeat a redirected POST as a GET
    )
    problems.install(app)
    openapi.install(app, ROUTE_SCOPES)
    describe_events(app)
    for router in HIDDEN:
        app.include_router(router, include_in_schema=False)
    for router in PUBLIC:
        app.include_router(router)
    app.router.default = refuse_unknown_path(app.router.default)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestBounds)
    app.add_middleware(HeadAsGet)
    app.add_middleware(RefusalDelay, limit=settings.refusal_limit)
    app.add_middleware(RequestLog)
    if settings.trusted_proxies:
        # Takes the client's address from X-Forwarded-For: the rightmost hop that is not a trusted
        # proxy.
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    # The middleware added last is the outermost.
    return app


async def _open_services(
    stack: AsyncExitStack,
    settings: Settings,
    contact_keys: ContactKeys,
    server_secret: str,
    specification: Callable[[], dict[str, Any]],
) -> Services:
    """Open the connections, build the services and start the background tasks.

    The exit stack closes all of it.
    """
    database = Database(
        settings.async_database_url,
        pool_size=settings.database_pool,
        limits=API,
        contact_keys=contact_keys,
    )
    stack.push_async_callback(database.close)
    http = new_client(settings.provider_timeout)
    stack.push_async_callback(http.aclose)
    started = StartedMessages(database, settings.sweep_grace)
    starters = open_starters(settings, await connect(lazy=True), started)
    stack.push_async_callback(starters.sends.close)
    providers = open_providers(settings, http, _now)
    stack.push_async_callback(providers.accounts.close)
    await providers.accounts.replace(_configuration(settings))
    connections = Connections(
        database=database,
        vendors=providers.vendors,
        verifiers=providers.verifiers,
        starters=starters,
        started=started,
    )
    portal = Portal(lambda: build_portal(specification(), settings.public_url))
    services = build_services(settings, connections, server_secret, portal=portal, clock=_now)
    stack.push_async_callback(services.last_uses.close)
    for regular in (
        keep_settling(services.limits, database),
        services.messages.admission.run(),
        started.run(),
        services.last_uses.run(),
    ):
        stack.push_async_callback(_end, asyncio.create_task(regular))
    if settings.providers_file is not None:
        reload = AccountReload(database, providers.accounts, partial(_configuration, settings))
        stack.enter_context(reload.on_hangup())
        stack.push_async_callback(_end, asyncio.create_task(reload.run()))
    return services


def _configuration(settings: Settings) -> Configuration:
    return read_configuration(settings.providers_file, os.environ)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel a background task and wait until it has ended."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _now() -> datetime:
    return datetime.now(UTC)
