"""The composition root of a worker: builds every part, hands each its tools, serves the queues."""

import asyncio
import logging
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.closing import Closing
from activities.dispatch.attending import Attendance
from activities.dispatch.dispatching import Dispatching
from activities.housekeeping import Sweeping
from activities.housekeeping_payments import PaymentSweep
from activities.ledger import Ledger
from activities.observed import Observed
from activities.payments import Payments
from activities.privacy import PrivateFailures
from activities.provisioning import Provisioning
from activities.pump import Pumping
from activities.reconcile import Truth
from activities.registration import Registering, RegistrationSweeping
from activities.watching import Watching
from cli.health import serve_health
from models.enums import DeliveryMode
from models.queries.registrations import RegistrarTables
from models.rules.sip import SipSecrets
from models.session import Database
from models.settings import IncompleteSettings, Settings
from providers import kamailio
from providers.http import new_client
from providers.payment_ports import Gateways
from providers.registries import Registries, by_mode
from providers.routing import Routes
from providers.simulated import Simulator
from providers.simulated_payments import SimulatedPayments
from providers.simulated_registry import SimulatedRegistry
from providers.twilio.setup import open_directory, open_registry
from providers.voice_ports import VoiceDirectory
from workflows import names
from workflows.connecting import connect, register_search_attributes
from workflows.housekeeping import Sweeper
from workflows.registered import BY_QUEUE
from workflows.registration_starting import start_registration_sweeper
from workflows.scheduling import keep_closing_scheduled
from workflows.watching import Watcher
from workflows.watching_types import WatchStep

log = logging.getLogger(__name__)

_GRACE = timedelta(seconds=10)
"""What is in hand at SIGTERM may still be finished, so that nothing is redone."""

_RUNNER = UnsandboxedWorkflowRunner()
"""The sandbox takes a quarter of a worker's time; tests run every workflow in it (decision 14)."""

_STICKY = timedelta(seconds=2)
"""A killed worker costs a report at most this."""

_STAND_BY_SECONDS = 10.0
"""How soon a Temporal server that has lost its data knows us again."""

_SIMULATOR_TIMEOUT = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Everything a worker is made of."""

    dispatching: Dispatching
    truth: Truth
    ledger: Ledger
    sweeping: Sweeping
    pumping: Pumping
    payments: Payments
    registering: Registering
    registration_sweeping: RegistrationSweeping
    provisioning: Provisioning
    closing: Closing
    watching: Watching
    routes: Routes


def assemble(
    settings: Settings,
    database: Database,
    client: Client,
    routes: Routes,
    gateways: Gateways,
    registries: Registries,
    directories: Sequence[VoiceDirectory] = (),
) -> Parts:
    """Build the activities."""
    return Parts(
        dispatching=Dispatching(
            database,
            routes,
            public_url=settings.public_url,
            slots=settings.provider_slots,
            attendance=Attendance(database, settings.report_attended),
        ),
        truth=Truth(database, routes),
        ledger=Ledger(database, routes),
        sweeping=Sweeping(
            database,
            client,
            settings.send_waits,
            routes,
            every=settings.sweep_every,
            grace=settings.sweep_grace,
            tells_directory=settings.voice_directory != kamailio.NAME,
            chores=[
                PaymentSweep(database, client, settings.payment_waits, grace=settings.sweep_grace)
            ],
        ),
        pumping=Pumping(database, client),
        payments=Payments(database, gateways, public_url=settings.public_url),
        registering=Registering(
            database,
            registries,
            public_url=settings.public_url,
            look_after=settings.sweep_grace,
        ),
        registration_sweeping=RegistrationSweeping(
            database,
            client,
            settings.registration_waits,
            every=settings.sweep_every,
            grace=settings.sweep_grace,
        ),
        provisioning=_provisioning(settings, database, directories),
        closing=Closing(database),
        watching=Watching(database, every=settings.watch_every, window=settings.provider_window),
        routes=routes,
    )


def _provisioning(
    settings: Settings, database: Database, directories: Sequence[VoiceDirectory]
) -> Provisioning:
    """Build what tells the SIP directory that the settings name: our own, or one of a vendor."""
    ours: VoiceDirectory = kamailio.Kamailio(RegistrarTables(database).registered)
    known = {directory.name: directory for directory in (ours, *directories)}
    directory = known.get(settings.voice_directory)
    if directory is None:
        raise IncompleteSettings(f"HEXAVOX_VOICE_DIRECTORY is none of: {', '.join(known)}")
    secret = settings.server_secret
    return Provisioning(
        database, directory, None if secret is None else SipSecrets(secret.get_secret_value())
    )


def workers(client: Client, parts: Parts, queues: Sequence[str] | None = None) -> list[Worker]:
    """Build a worker per task queue: the wanted ones, or all."""
    built = {
        names.MESSAGES: lambda: Worker(
            client,
            task_queue=names.MESSAGES,
            workflows=BY_QUEUE[names.MESSAGES],
            activities=[
                parts.dispatching.dispatch,
                parts.truth.reconcile,
                parts.truth.poll,
                parts.ledger.settle,
            ],
            workflow_runner=_RUNNER,
            interceptors=[Observed(), PrivateFailures()],
            max_concurrent_workflow_tasks=100,
            # Local activities are first in, first out: with fewer slots than workflow tasks a
            # message that matters would wait behind others that hold both.
            max_concurrent_local_activities=100,
            max_concurrent_activities=100,
            max_cached_workflows=2000,
            sticky_queue_schedule_to_start_timeout=_STICKY,
            graceful_shutdown_timeout=_GRACE,
        ),
        names.MONEY: lambda: Worker(
            client,
            task_queue=names.MONEY,
            workflows=BY_QUEUE[names.MONEY],
            activities=[
                parts.payments.charge,
                parts.payments.follow,
                parts.payments.call_off,
                parts.payments.grant,
                parts.payments.refund,
            ],
            workflow_runner=_RUNNER,
            interceptors=[Observed(), PrivateFailures()],
            sticky_queue_schedule_to_start_timeout=_STICKY,
            graceful_shutdown_timeout=_GRACE,
        ),
        names.HOUSEKEEPING: lambda: Worker(
            client,
            task_queue=names.HOUSEKEEPING,
            workflows=BY_QUEUE[names.HOUSEKEEPING],
            activities=[
                parts.sweeping.sweep,
                parts.pumping.let_in,
                parts.closing.close_days,
                parts.watching.watch,
            ],
            workflow_runner=_RUNNER,
            interceptors=[Observed(), PrivateFailures()],
            sticky_queue_schedule_to_start_timeout=_STICKY,
            graceful_shutdown_timeout=_GRACE,
        ),
        names.REGISTRATION: lambda: Worker(
            client,
            task_queue=names.REGISTRATION,
            workflows=BY_QUEUE[names.REGISTRATION],
            activities=[
                parts.registering.submit,
                parts.registering.reconcile,
                parts.registering.ask,
                parts.registration_sweeping.sweep_registrations,
                parts.provisioning.provision_voice,
            ],
            workflow_runner=_RUNNER,
            interceptors=[Observed(), PrivateFailures()],
            max_concurrent_activities=20,
            sticky_queue_schedule_to_start_timeout=_STICKY,
            graceful_shutdown_timeout=_GRACE,
        ),
    }
    for provider in parts.routes.providers:
        queue = names.provider_queue(provider.name)
        built[queue] = lambda queue=queue: Worker(  # type: ignore[misc]
            client,
            task_queue=queue,
            activities=[parts.dispatching.dispatch_queued],
            interceptors=[Observed(), PrivateFailures()],
            max_concurrent_activities=20,
            graceful_shutdown_timeout=_GRACE,
        )
    return [built[queue]() for queue in (queues or built)]


async def start_sweeper(client: Client) -> None:
    """Make sure the one sweeper runs; every worker asks, one is enough."""
    await client.start_workflow(
        Sweeper.run,
        id=names.SWEEPER_ID,
        task_queue=names.HOUSEKEEPING,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="starts what was accepted but is not running",
    )


async def start_watcher(client: Client) -> None:
    """Make sure the one watcher runs, likewise."""
    await client.start_workflow(
        Watcher.run,
        WatchStep(),
        id=names.WATCHER_ID,
        task_queue=names.HOUSEKEEPING,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary="resolves alerts, and raises those that nobody did",
    )


async def run_worker(settings: Settings, *, queues: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    database = Database(settings.async_database_url, pool_size=settings.database_pool)
    client = await _connect_patiently()
    await register_search_attributes(client)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        http = await stack.enter_async_context(new_client(settings.provider_timeout))
        routes = Routes(
            [
                Simulator(
                    http,
                    settings.simulator_url,
                    timeout=min(settings.provider_timeout, _SIMULATOR_TIMEOUT),
                    absence_window=settings.absence_window,
                )
            ],
            {DeliveryMode.SIMULATOR: ["simulator"]},
        )
        gateways = Gateways(
            {
                DeliveryMode.SIMULATOR: SimulatedPayments(
                    http,
                    settings.simulator_url,
                    timeout=min(settings.provider_timeout, _SIMULATOR_TIMEOUT),
                    absence_window=settings.absence_window,
                )
            }
        )
        registry = SimulatedRegistry(
            http,
            settings.simulator_url,
            timeout=min(settings.provider_timeout, _SIMULATOR_TIMEOUT),
            absence_window=settings.absence_window,
        )
        registries = by_mode(registry, open_registry(settings, http))
        directory = open_directory(settings, http)
        directories = [] if directory is None else [directory]
        parts = assemble(settings, database, client, routes, gateways, registries, directories)
        for worker in workers(client, parts, queues):
            await stack.enter_async_context(worker)
        await start_sweeper(client)
        await start_watcher(client)
        await start_registration_sweeper(client)
        await keep_closing_scheduled(client, settings.close_every, adjust=True)
        standing_by = asyncio.create_task(_stand_by(client, settings.close_every))
        stack.callback(standing_by.cancel)
        health = serve_health(settings.worker_health_port, settings.worker_health_host)
        await stack.enter_async_context(health)
        log.info("worker is ready")
        await stop.wait()
        log.info("worker stops")


async def _stand_by(client: Client, close_every: timedelta) -> None:
    """Set Temporal up again should it lose its data while we run: then nobody else does."""
    while True:
        await asyncio.sleep(_STAND_BY_SECONDS)
        try:
            await register_search_attributes(client)
            await start_sweeper(client)
            await start_registration_sweeper(client)
            await keep_closing_scheduled(client, close_every, adjust=False)
            await start_watcher(client)
        except RPCError as error:
            log.warning("Temporal is out of reach", extra={"reason": error.status.name})


async def _connect_patiently() -> Client:
    """Connect, however long Temporal takes to come up."""
    while True:
        try:
            return await connect()
        except RuntimeError:
            log.warning("Temporal is out of reach")
            await asyncio.sleep(1)
