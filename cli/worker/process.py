"""The worker process: builds the activities and serves the task queues until it is stopped."""

import asyncio
import logging
import os
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial

from temporalio.client import Client

from api.services.accounts.reload import AccountReload
from api.services.system.readiness import Readiness
from cli.worker.composition import assemble
from cli.worker.health import serve_health
from cli.worker.queues import AccountWorkers, workers
from cli.worker.system_workflows import keep_system_workflows, start_system_workflows
from models.configuration.accounts import Configuration, read_configuration
from models.configuration.environment_settings import BadSettings
from models.database.limits import HOUSEKEEPING, WORKER
from models.session import Database
from models.settings import IncompleteSettings, Settings
from providers.http import new_client
from providers.vendors import check_accounts, open_providers
from workflows import names
from workflows.client import connect, register_search_attributes

log = logging.getLogger(__name__)

_HOUSEKEEPING_POOL = 4
"""Connections besides those of the sends, so that neither pool blocks the other."""
_WEBHOOK_POOL = 6
"""The same for deliveries of webhooks."""
_BATCH_POOL = 4
"""The same for batches."""


async def run_worker(settings: Settings, *, queues: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises BadSettings for mistakes in the providers file, IncompleteSettings for a missing secret.
    """
    serves_batches = not queues or names.BATCHES in queues
    if serves_batches and settings.server_secret is None:
        raise IncompleteSettings(
            "HEXAVOX_SERVER_SECRET is not set: it signs the links in the e-mails of batches."
        )
    check_accounts(_configuration(settings), settings)
    url, size = settings.async_database_url, settings.database_pool
    keys = settings.contact_keys()
    database = Database(url, pool_size=size, limits=WORKER, contact_keys=keys)
    housekeeping = Database(
        url, pool_size=_HOUSEKEEPING_POOL, limits=HOUSEKEEPING, contact_keys=keys
    )
    webhooks = Database(url, pool_size=_WEBHOOK_POOL, limits=WORKER, contact_keys=keys)
    batches = Database(url, pool_size=_BATCH_POOL, limits=WORKER, contact_keys=keys)
    client = await _connect_patiently()
    await register_search_attributes(client)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        stack.push_async_callback(housekeeping.close)
        stack.push_async_callback(webhooks.close)
        stack.push_async_callback(batches.close)
        http = await stack.enter_async_context(new_client(settings.provider_timeout))
        providers = open_providers(settings, http, lambda: datetime.now(UTC))
        stack.push_async_callback(providers.accounts.close)
        await providers.accounts.replace(_configuration(settings))
        parts = assemble(
            settings,
            database,
            client,
            providers.vendors,
            housekeeping=housekeeping,
            webhooks=webhooks,
            batches=batches,
        )
        for worker in workers(client, parts, queues):
            await stack.enter_async_context(worker)
        account_workers = AccountWorkers(client, parts, queues)
        stack.push_async_callback(account_workers.close)
        await account_workers.adjust()
        await start_system_workflows(client, settings.close_every, adjust=True)
        standing_by = asyncio.create_task(keep_system_workflows(client, settings.close_every))
        stack.callback(standing_by.cancel)
        sharing = asyncio.create_task(parts.account_health.run())
        stack.callback(sharing.cancel)
        if not queues or names.WEBHOOKS in queues:
            stack.callback(asyncio.create_task(parts.wake_ups.run()).cancel)
        if serves_batches:
            stack.callback(asyncio.create_task(parts.batches.admission.run()).cancel)
        health = serve_health(
            settings.worker_health_port, settings.worker_health_host, Readiness(database).check
        )
        await stack.enter_async_context(health)
        changed = asyncio.Event()
        if settings.providers_file is not None:
            reload = AccountReload(
                housekeeping,
                providers.accounts,
                partial(_configuration, settings),
                changed=changed.set,
            )
            stack.enter_context(reload.on_hangup())
            stack.callback(asyncio.create_task(reload.run()).cancel)
        log.info("worker is ready")
        while await _first(stop, changed) is changed:
            changed.clear()
            await account_workers.adjust()
        log.info("worker stops")


def _configuration(settings: Settings) -> Configuration:
    return read_configuration(settings.providers_file, os.environ)


async def _first(stop: asyncio.Event, changed: asyncio.Event) -> asyncio.Event:
    """Return the event that is set first; `stop` if both are."""
    waits = [asyncio.create_task(event.wait()) for event in (stop, changed)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
    return stop if stop.is_set() else changed


async def _connect_patiently() -> Client:
    """Connect, with unlimited retries while Temporal is unreachable.

    Raises BadSettings for an invalid certificate or key.
    """
    while True:
        try:
            return await connect()
        except RuntimeError:
            log.warning("Temporal is unreachable", extra={"setting": "TEMPORAL_ADDRESS"})
            await asyncio.sleep(1)
        except ValueError:  # the message of the error may contain the key
            raise BadSettings(
                "TEMPORAL_TLS_… must be certificates and a key that fit together"
            ) from None
