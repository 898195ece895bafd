"""Two accounts at doubles of Twilio, behind servers that can hang or lose answers."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Final

import httpx
from sqlalchemy import text

from models.enums import Channel, DeliveryMode
from models.rules.billing.periods import day_of
from models.session import Database
from models.tables.rate import Rate
from models.tables.tenant import SenderNumber
from tests.delivery_modes import make_over
from tests.e2e.harness import Harness, Integrator
from tests.vendors.counting_server import CountingServer
from tests.vendors.serving import serve
from tests.vendors.twilio_callbacks import report
from tests.vendors.twilio_double import ACCOUNT, TOKEN, TwilioDouble

TOKEN_VARIABLE: Final = "CHAOS_TWILIO_TOKEN"
NUMBERS: Final = {"first": "+12135550123", "second": "+12135550124"}
"""Sender number of each account."""
_recipients = count()

SECONDS: Final = 1
"""Time-out of a call."""

_CALLBACK_EVERY: Final = 0.05


def write_providers_file(folder: Path, ports: dict[str, int]) -> dict[str, str]:
    """Write a file with both accounts; return the environment of the processes.

    OTPs prefer the second account, all other messages the first.
    """
    accounts = "".join(
        f"""
        [[account]]
        name = "{name}"
        vendor = "twilio"
        account_sid = "{ACCOUNT}"
        auth_token = {{ env = "{TOKEN_VARIABLE}" }}
        numbers = ["{NUMBERS[name]}"]
        api_url = "http://127.0.0.1:{port}"
        timeout_seconds = {SECONDS}
        """
        for name, port in ports.items()
    )
    routes = """
        [[route]]
        channel = "SMS"
        accounts = ["first", "second"]

        [[route]]
        channel = "SMS"
        type = "OTP"
        accounts = ["second", "first"]
        """
    path = folder / "providers.toml"
    path.write_text(accounts + routes)
    return {"HEXAVOX_PROVIDERS_FILE": str(path), TOKEN_VARIABLE: TOKEN}


@dataclass(frozen=True)
class Account:
    """One account: the server in front of its double, and the double."""

    line: CountingServer
    twilio: TwilioDouble
    reported: set[str]
    """Ids of the messages whose delivery the API was told."""

    def copies(self) -> Counter[str]:
        """Return how many messages each recipient got."""
        return Counter(message["to"] for message in self.twilio.all("Messages"))


@contextlib.asynccontextmanager
async def opened(port: int) -> AsyncIterator[Account]:
    """Serve one account on a port; every message it takes is reported as delivered."""
    twilio = TwilioDouble()
    async with serve(twilio) as url, httpx.AsyncClient(trust_env=False) as client:
        line = CountingServer(url)
        line.url = f"http://127.0.0.1:{port}"
        await line.open()
        reported: set[str] = set()
        reporting = asyncio.create_task(_report_all(twilio, client, reported))
        try:
            yield Account(line, twilio, reported)
        finally:
            reporting.cancel()
            await line.aclose()


async def _report_all(twilio: TwilioDouble, client: httpx.AsyncClient, reported: set[str]) -> None:
    while True:
        for message in list(twilio.all("Messages")):
            if message["sid"] not in reported:
                with contextlib.suppress(httpx.HTTPError):  # the API may be busy: tried again
                    answer = await report(twilio, client, message["sid"], "delivered")
                    if answer.is_success:
                        reported.add(message["sid"])
        await asyncio.sleep(_CALLBACK_EVERY)


async def live_integrator(harness: Harness) -> Integrator:
    """Create a LIVE tenant whose pool has the number of each account."""
    integrator = await harness.integrator(sms_limit=10_000)
    await go_live(harness.database, integrator.owner.tenant_id)
    return integrator


async def go_live(database: Database, tenant_id: int) -> None:
    """Make a tenant LIVE; its pool has the number of each account, its rate card their vendor."""
    now = datetime.now(UTC)
    async with database.transaction() as db:
        await make_over(db, tenant_id, DeliveryMode.LIVE)
        await db.execute(
            text("DELETE FROM sender_number WHERE tenant_id = :id OR number = ANY(:numbers)"),
            {"id": tenant_id, "numbers": list(NUMBERS.values())},
        )
        db.add_all(
            SenderNumber(number=number, tenant_id=tenant_id, merchant_id=None, created_at=now)
            for number in NUMBERS.values()
        )
        db.add(
            Rate(
                tenant_id=tenant_id,
                channel=Channel.SMS,
                provider="twilio",
                country="",
                valid_from=datetime.combine(day_of(now), datetime.min.time(), UTC),
                unit_cost=Decimal("0.0083"),
                carrier_fee=Decimal("0.0045"),
                markup_basis_points=0,
                markup_flat=Decimal(0),
                imported_at=now,
            )
        )


def recipient() -> str:
    """Return a new US number; few have the same prefix, which the limits of destinations count."""
    area, exchange = divmod(next(_recipients), 700)
    return f"+1{212 + area}{220 + exchange}1234"


async def circuit_of(harness: Harness, worker: str, account: str) -> str | None:
    """Return the state of an account's circuit as a worker knows it."""
    answer = await harness.http.get(f"http://127.0.0.1:{harness.stack.ports[worker]}/metrics")
    for line in answer.text.splitlines():
        if line.startswith("hexavox_provider_circuit{") and f'account="{account}"' in line:
            labels, _, value = line.partition("} ")
            if float(value):
                return labels.partition('state="')[2].partition('"')[0]
    return None
