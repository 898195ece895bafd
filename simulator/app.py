"""Builds the simulator: `create_app` builds every part once and wires the routes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response

from simulator.access import Access, SameSite, console_checks, hook_checks, vendor_checks
from simulator.answers import problem
from simulator.console_routes import ConsoleRoutes
from simulator.faults import FaultGate, FaultSwitch
from simulator.hooks.hook_routes import HookRoutes
from simulator.hooks.receivers import Receivers
from simulator.journal import Journal
from simulator.messages.carrier import Carrier
from simulator.messages.inbound_texts import Inbox
from simulator.messages.message_routes import MessageRoutes
from simulator.messages.submission import Malformed
from simulator.messages.vocabulary import Code
from simulator.payments.charges import LATER_SECONDS
from simulator.payments.gateway import Gateway
from simulator.payments.payment_routes import PaymentRoutes
from simulator.registry.registry import Registry
from simulator.registry.registry_routes import RegistryRoutes
from simulator.webhook_sender import WebhookSender


def create_app(
    *,
    access: Access,
    data_dir: Path | None = None,
    report_delay: tuple[float, float] = (0.1, 0.3),
    charge_delay: float = LATER_SECONDS,
    inbound_url: str | None = None,
) -> Starlette:
    """Build a simulator with a state of its own, stored in `data_dir` if given.

    Run it with `simulator.server`: only that server can reset connections. Setting
    `app.state.closing` ends the requests that wait without a response.
    """
    closing = asyncio.Event()
    journal = Journal(data_dir)
    webhook_sender = WebhookSender(access.signing_secret)
    carrier = Carrier(journal, webhook_sender, report_delay)
    inbox = Inbox(journal, webhook_sender, inbound_url)
    gateway = Gateway(journal, webhook_sender, report_delay, charge_delay)
    registry = Registry(journal, webhook_sender)
    receivers = Receivers(journal)
    switch = FaultSwitch()
    vendor = [*vendor_checks(access), Middleware(FaultGate, switch)]
    console = console_checks(access)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        journal.open()
        carrier.restore()
        inbox.restore()
        gateway.restore()
        registry.restore()
        receivers.restore()
        yield
        closing.set()
        await gateway.close()
        await webhook_sender.close()
        await journal.close()

    app = Starlette(
        routes=[
            *MessageRoutes(carrier, closing).routes(vendor),
            *PaymentRoutes(gateway, closing).routes(vendor, console),
            *RegistryRoutes(registry).routes(vendor, console),
            *HookRoutes(receivers, closing).routes(hook_checks(), console),
            *ConsoleRoutes(carrier, inbox, switch).routes(console),
        ],
        middleware=[Middleware(SameSite, access)],
        exception_handlers={Malformed: _malformed, HTTPException: _unknown},
        lifespan=lifespan,
    )
    app.state.closing = closing
    return app


async def _malformed(request: Request, error: Exception) -> Response:
    return problem(400, Code.MALFORMED, str(error))


async def _unknown(request: Request, error: Exception) -> Response:
    """Return the response for unknown paths and methods."""
    assert isinstance(error, HTTPException)
    code = Code.NOT_FOUND if error.status_code == 404 else Code.MALFORMED
    return problem(error.status_code, code, error.detail, dict(error.headers or {}))
