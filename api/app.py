"""The HTTP application, put together from the settings."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import httpx
from fastapi import FastAPI
from temporalio.client import Client
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from api.http import openapi, problems
from api.http.auth import Authenticator
from api.http.bodies.body import BodyLimit
from api.http.head import HeadAsGet
from api.http.limits.failed_logins import FailedLogins
from api.http.limits.limit_settlement import keep_settling
from api.http.limits.rate_limits import RequestLimits
from api.http.limits.refusal_pace import RefusalPace
from api.http.limits.request_bounds import RequestBounds, refuse_unknown_path
from api.http.request_log import RequestLog
from api.portal.pages import build_portal
from api.registration_composition import add_messaging
from api.registration_starter import RegistrationStarter
from api.routes import (
    alerts,
    billing,
    consents,
    email,
    guide,
    health,
    inbound,
    merchants,
    messages,
    messaging,
    payment_webhooks,
    reports,
    unsubscribe,
    voice,
    voice_provisioning,
    webhooks,
)
from api.services.alerts.alerts import Alerts
from api.services.billing.payment_reports import PaymentWebhooks, VerifyPayment
from api.services.billing.upgrades import Billing
from api.services.billing.usage_reports import Reports
from api.services.consent.consents import Consents
from api.services.consent.inbound_texts import Inbox
from api.services.consent.unsubscribe import Unsubscribing
from api.services.messages.accept import Sending
from api.services.messages.admission import Admission
from api.services.messages.cancel import Canceling
from api.services.messages.cancel_requests import CancelRequests
from api.services.messages.delivery_reports import Receipts, Verify
from api.services.messages.permission import Permissions, UnsubscribeLinks
from api.services.messages.quote import Quoting
from api.services.messages.read import Messages
from api.services.messages.recordings import Recordings
from api.services.messages.started import StartedMessages
from api.services.registration.registry_reports import VerifyEvent
from api.services.system.readiness import Readiness
from api.services.tenants.merchants import Merchants
from api.services.voice.presence import PresenceBook
from api.services.voice.provisioning import VoiceProvisioning
from api.workflow_starters import UpgradeStarter, WorkflowStarter
from models.database.limits import API
from models.queries.voice.sip_registrations import RegistrarTables
from models.rules.voice.sip import SipSecrets
from models.session import Database
from models.settings import Settings
from providers import kamailio
from providers.http import new_client
from providers.inbound_verifiers import inbound_verifiers
from providers.ports.messages import KeepsRecordings
from providers.provider_preferences import asked_first
from providers.registries import by_mode
from providers.simulator import messages as simulated
from providers.simulator import payments
from providers.simulator.registry import SimulatedRegistry, event_verifier
from providers.twilio.setup import open_registry
from workflows.client import connect

PUBLIC = (
    merchants.router,
    consents.router,
    inbound.router,
    messages.router,
    email.router,
    billing.router,
    alerts.router,
    reports.router,
    voice.router,
    voice_provisioning.router,
    messaging.router,
)
"""In the order of the catalogue; /messages/inbound comes before /messages/{messageId}."""

HIDDEN = (
    webhooks.router,
    payment_webhooks.router,
    guide.router,
    health.router,
    unsubscribe.router,
)
"""Not part of the public contract. Routes are tried in turn: reports, the most frequent, first."""


def create_app(settings: Settings) -> FastAPI:
    """Build the application; connections are opened when it starts."""
    if settings.server_secret is None:
        raise RuntimeError("HEXAVOX_SERVER_SECRET is not set: it signs what the API hands out.")
    server_secret = settings.server_secret.get_secret_value()
    contact_keys = settings.contact_keys()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.portal = build_portal(app.openapi(), settings.public_url)
        async with AsyncExitStack() as stack:
            database = Database(
                settings.async_database_url,
                pool_size=settings.database_pool,
                limits=API,
                contact_keys=contact_keys,
            )
            stack.push_async_callback(database.close)
            vendors = new_client(settings.provider_timeout)
            stack.push_async_callback(vendors.aclose)
            temporal = await connect(lazy=True)
            started = StartedMessages(database, settings.sweep_grace)
            starter = WorkflowStarter(temporal, settings.send_waits, started.note)
            stack.push_async_callback(starter.close)
            links = UnsubscribeLinks(settings.public_url, server_secret)
            _add_reads(app, settings, database, vendors)
            settling = asyncio.create_task(keep_settling(app.state.limits, database))
            stack.push_async_callback(_end, settling)
            _add_actions(app, settings, database, starter, links)
            _add_voice(app, settings, database, starter, SipSecrets(server_secret))
            upgrades = UpgradeStarter(temporal, settings.payment_waits)
            _add_billing(app, settings, database, upgrades)
            _add_registrations(app, settings, database, vendors, temporal)
            for regular in (app.state.admission.run(), started.run()):
                stack.push_async_callback(_end, asyncio.create_task(regular))
            yield

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
    for router in HIDDEN:
        app.include_router(router, include_in_schema=False)
    for router in PUBLIC:
        app.include_router(router)
    app.router.default = refuse_unknown_path(app.router.default)
    app.add_middleware(BodyLimit)
    app.add_middleware(RequestBounds)
    app.add_middleware(HeadAsGet)
    app.add_middleware(RefusalPace, limit=settings.refusal_limit)
    app.add_middleware(RequestLog)
    if settings.trusted_proxies:
        # The address is then that of the last hop that is none of them, read from the right.
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    # What was added last is outermost.
    return app


def _add_reads(
    app: FastAPI, settings: Settings, database: Database, vendors: httpx.AsyncClient
) -> None:
    """Give the application what needs neither Temporal nor a secret of ours."""
    app.state.contact_keys = database.contact_keys
    app.state.authenticator = Authenticator(database, FailedLogins(settings.failed_login_limit))
    app.state.limits = RequestLimits(key=settings.key_limit, tenant=settings.tenant_limit)
    app.state.readiness = Readiness(database)
    app.state.merchants = Merchants(database, _now)
    app.state.consents = Consents(database, _now)
    app.state.messages = Messages(database)
    app.state.reports = Reports(database, _now)
    app.state.alerts = Alerts(database)
    app.state.recordings = Recordings(database, _keepers(settings, vendors))


def _add_actions(
    app: FastAPI,
    settings: Settings,
    database: Database,
    starter: WorkflowStarter,
    links: UnsubscribeLinks,
) -> None:
    """Give the application what starts workflows, wakes them or writes links."""
    start_within = settings.start_within
    permissions = Permissions(database, links)
    app.state.admission = Admission(
        database, limit=settings.open_limit, lag_allowed=settings.lag_allowed
    )
    app.state.sending = Sending(
        database, starter, permissions, admission=app.state.admission, start_within=start_within
    )
    app.state.quoting = Quoting(database, permissions, asked_first(), _now)
    app.state.canceling = Canceling(database, starter, app.state.messages, _now)
    app.state.cancel_requests = CancelRequests(database, app.state.canceling, _now)
    app.state.receipts = Receipts(database, starter, _verifiers(settings))
    app.state.inbox = Inbox(
        database, starter, inbound_verifiers(settings, _now), start_within=start_within, clock=_now
    )
    app.state.unsubscribing = Unsubscribing(database, links, _now)


def _add_registrations(
    app: FastAPI,
    settings: Settings,
    database: Database,
    vendors: httpx.AsyncClient,
    temporal: Client,
) -> None:
    """Give the application what registers brands, campaigns and numbers."""
    registry = SimulatedRegistry(
        vendors,
        settings.simulator_url,
        timeout=settings.provider_timeout,
        absence_window=settings.absence_window,
        secret=settings.simulator_signing,
    )
    verifiers: dict[str, VerifyEvent] = {}
    if settings.simulator_secret is not None:
        verifiers[registry.name] = event_verifier(settings.simulator_secret.get_secret_value())
    add_messaging(
        app,
        database,
        by_mode(registry, open_registry(settings, vendors)),
        RegistrationStarter(temporal, settings.registration_waits),
        verifiers,
        clock=_now,
        look_after=settings.sweep_grace,
    )


def _add_voice(
    app: FastAPI,
    settings: Settings,
    database: Database,
    starter: WorkflowStarter,
    secrets: SipSecrets,
) -> None:
    """Give the application SIP users and their presence.

    Our own registrar reads the tables and tells who is registered; any other is told, by a
    workflow, and tells us nothing.
    """
    ours = settings.voice_directory == kamailio.NAME
    registrar = kamailio.Kamailio(RegistrarTables(database).registered) if ours else None
    place = settings.voice_place
    presence = PresenceBook(database, registrar, _now, expires=place.expires)
    app.state.presence = presence
    app.state.voice_provisioning = VoiceProvisioning(
        database, place, secrets, presence, None if ours else starter.provision, _now
    )


def _add_billing(
    app: FastAPI, settings: Settings, database: Database, starter: UpgradeStarter
) -> None:
    """Give the application what buys credits and hears of payments."""
    grace = settings.sweep_grace
    app.state.billing = Billing(database, starter, sweep_grace=grace, clock=_now)
    app.state.payment_webhooks = PaymentWebhooks(
        database, starter, _payment_verifiers(settings), sweep_grace=grace, clock=_now
    )


def _verifiers(settings: Settings) -> dict[str, Verify]:
    """Return how the webhooks of each provider that has a secret here are verified."""
    verifiers: dict[str, Verify] = {}
    if settings.simulator_secret is not None:
        verifiers[simulated.NAME] = simulated.verifier(settings.simulator_secret.get_secret_value())
    return verifiers


def _payment_verifiers(settings: Settings) -> dict[str, VerifyPayment]:
    """Return the same for the webhooks of payment gateways."""
    if settings.simulator_secret is None:
        return {}
    secret = settings.simulator_secret.get_secret_value()
    return {simulated.NAME: payments.verifier(secret)}


def _keepers(settings: Settings, vendors: httpx.AsyncClient) -> dict[str, KeepsRecordings]:
    """Return the providers here that keep recordings of calls."""
    if settings.simulator_secret is None:
        return {}
    simulator = simulated.Simulator(
        vendors,
        settings.simulator_url,
        timeout=settings.provider_timeout,
        absence_window=settings.absence_window,
        secret=settings.simulator_signing,
    )
    return {simulated.NAME: simulator}


async def _end(task: asyncio.Task[None]) -> None:
    """End what runs beside the requests, and wait until it has."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _now() -> datetime:
    return datetime.now(UTC)
