"""Builds the worker's activities with their dependencies."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from temporalio.client import Client

from activities.billing.close_days import Closing
from activities.billing.payments import Payments
from activities.messages.account_health import AccountHealth
from activities.messages.batches.dispatch_chunk import ChunkDispatching
from activities.messages.batches.leaving import Leaver, Leaving
from activities.messages.batches.settle_chunk import ChunkSettlement
from activities.messages.dispatch import Dispatching
from activities.messages.inline_report_wait import InlineReportWait
from activities.messages.provider_slots import Slots
from activities.messages.reconcile import Reconciliation
from activities.messages.settle import Settlement
from activities.registration.registrations import Registering
from activities.senders.grant_slots import SenderSlots
from activities.system.expired_records import (
    DeletedEndpoints,
    ExpiredDeliveries,
    ExpiredHealth,
    ExpiredRecords,
    ExpiredSpending,
    ExpiredWindows,
)
from activities.system.step_failures import CountedFailures
from activities.system.sweep_batches import BatchSweep
from activities.system.sweep_chunks import ChunkSweep
from activities.system.sweep_messages import START_LOOK_EVERY, Sweeping, SweepTask
from activities.system.sweep_payments import PaymentSweep
from activities.system.sweep_prices import PriceSweep
from activities.system.sweep_registrations import RegistrationSweep
from activities.system.sweep_voice import DirectorySweep
from activities.system.watch_alerts import Watching
from activities.voice.provisioning import Provisioning
from activities.webhooks.deliver import WebhookDeliveries
from activities.webhooks.turn import Tools
from activities.webhooks.wake_ups import WebhookWakeUps
from api.services.webhooks.event_bodies import EventBodies
from cli.worker.batches import BatchParts, assemble_batches
from models.queries.voice.sip_registrations import RegistrarTables
from models.rules.voice.sip import SipSecrets
from models.rules.waits import SendWaits
from models.session import Database
from models.settings import IncompleteSettings, Settings
from providers import kamailio
from providers.ports.sip import VoiceDirectory
from providers.routing import Routes
from providers.vendors import Vendors
from providers.voice_directories import CurrentDirectory
from providers.webhooks.client import WebhookClient
from workflows.messages.start import start_send


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A worker's activities and the data of its task queues."""

    dispatching: Dispatching
    reconciliation: Reconciliation
    settlement: Settlement
    chunk_dispatching: ChunkDispatching
    chunk_settlement: ChunkSettlement
    sweeping: Sweeping
    sender_slots: SenderSlots
    payments: Payments
    registering: Registering
    provisioning: Provisioning
    closing: Closing
    watching: Watching
    webhooks: WebhookDeliveries
    wake_ups: WebhookWakeUps
    batches: BatchParts
    routes: Routes
    account_health: AccountHealth
    counted_failures: CountedFailures


def assemble(
    settings: Settings,
    database: Database,
    client: Client,
    vendors: Vendors,
    *,
    housekeeping: Database | None = None,
    webhooks: Database | None = None,
    batches: Database | None = None,
) -> Parts:
    """Build the activities.

    Sweeping, closing and watching use the pool `housekeeping`, deliveries of webhooks the pool
    `webhooks`, batches the pool `batches`, if given.

    Raises IncompleteSettings if the configured SIP directory is none of the accounts'.
    """
    routes = vendors.routes
    housekeeping = housekeeping or database
    webhooks = webhooks or database
    batches = batches or database
    reconciliation = Reconciliation(database, routes)
    settlement = Settlement(database, routes)
    health = AccountHealth(housekeeping, lambda: [p.account for p in routes.providers])
    slots = Slots(settings.provider_slots)
    dispatching = Dispatching(
        database,
        routes,
        public_url=settings.public_url,
        slots=slots,
        inline_report_wait=InlineReportWait(database, settings.inline_report_wait),
        sweep_grace=settings.sweep_grace,
        health=health,
        settle=settlement.settle,
    )
    leaving = Leaving(batches, partial(_start_leaver, client, settings.send_waits))
    return Parts(
        dispatching=dispatching,
        chunk_dispatching=ChunkDispatching(
            batches,
            routes,
            dispatching,
            leaving,
            public_url=settings.public_url,
            slots=slots,
            health=health,
            sweep_grace=settings.sweep_grace,
        ),
        chunk_settlement=ChunkSettlement(batches, routes, leaving),
        reconciliation=reconciliation,
        settlement=settlement,
        sweeping=Sweeping(
            housekeeping,
            client,
            settings.send_waits,
            routes,
            every=settings.sweep_every,
            grace=settings.sweep_grace,
            look_every=START_LOOK_EVERY,
            urgent=list(_urgent_sweep_tasks(settings, housekeeping, client)),
            tasks=list(_sweep_tasks(settings, housekeeping, client, reconciliation)),
            expiries=[
                ExpiredRecords(housekeeping),
                ExpiredWindows(housekeeping),
                ExpiredHealth(housekeeping),
                ExpiredSpending(housekeeping),
                ExpiredDeliveries(housekeeping),
                DeletedEndpoints(housekeeping),
            ],
        ),
        sender_slots=SenderSlots(database, client),
        payments=Payments(database, vendors.gateways, public_url=settings.public_url),
        registering=Registering(
            database,
            vendors.registries,
            public_url=settings.public_url,
            look_after=settings.sweep_grace,
            lost_after=settings.registration_lost_after,
        ),
        provisioning=_provisioning(settings, database, vendors.directories),
        closing=Closing(housekeeping),
        watching=Watching(
            housekeeping, every=settings.watch_every, window=settings.provider_window
        ),
        webhooks=_webhooks(settings, webhooks, vendors),
        wake_ups=WebhookWakeUps(webhooks, client, settings.webhook_wake_every),
        batches=assemble_batches(settings, batches, client, routes),
        routes=routes,
        account_health=health,
        counted_failures=CountedFailures(database),
    )


async def _start_leaver(client: Client, waits: SendWaits, leaver: Leaver) -> bool:
    """Start the workflow of a member that has left its chunk."""
    if leaver.poll_is_due:
        waits = replace(waits, report_wait=timedelta(milliseconds=100))
    return await start_send(client, leaver.send, waits, delay=leaver.delay)


def _urgent_sweep_tasks(
    settings: Settings, database: Database, client: Client
) -> Iterator[SweepTask[Any]]:
    """Build the tasks for what the API may have accepted, or canceled, without a start."""
    grace = settings.sweep_grace
    yield PaymentSweep(database, client, settings.payment_waits, grace=grace)
    yield BatchSweep(database, client, settings.send_waits, grace=grace)


def _sweep_tasks(
    settings: Settings, database: Database, client: Client, reconciliation: Reconciliation
) -> Iterator[SweepTask[Any]]:
    """Build the sweeper's tasks besides messages and the urgent ones."""
    grace = settings.sweep_grace
    yield ChunkSweep(database, client, settings.send_waits, grace=grace)
    yield RegistrationSweep(database, client, settings.registration_waits, grace=grace)
    yield PriceSweep(database, reconciliation.ask_price)
    if settings.voice_directory != kamailio.NAME:
        yield DirectorySweep(database, client, grace=grace)


def _webhooks(settings: Settings, database: Database, vendors: Vendors) -> WebhookDeliveries:
    """Build the step that delivers webhooks. Serving processes refuse to start without a key."""
    return WebhookDeliveries(
        Tools(
            database=database,
            post=WebhookClient(local=settings.webhook_local_urls).post,
            bodies=EventBodies(database, vendors.registries),
            key=b"" if settings.webhook_key_file is None else settings.webhook_key(),
        )
    )


def _provisioning(
    settings: Settings, database: Database, directories: Mapping[str, VoiceDirectory]
) -> Provisioning:
    """Build the activity that updates the SIP directory of Kamailio or of an account."""
    name = settings.voice_directory
    known = [kamailio.NAME, *sorted(directories)]
    if name not in known:
        raise IncompleteSettings(f"HEXAVOX_VOICE_DIRECTORY is none of: {', '.join(known)}")
    directory: VoiceDirectory = CurrentDirectory(directories, name)
    if name == kamailio.NAME:
        directory = kamailio.Kamailio(RegistrarTables(database).registered)
    secret = settings.server_secret
    return Provisioning(
        database, directory, None if secret is None else SipSecrets(secret.get_secret_value())
    )
