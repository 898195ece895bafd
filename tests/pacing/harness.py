"""A rate-limited number, merchants that share it, and workers whose provider records every call."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from pydantic import SecretStr
from sqlalchemy import text
from temporalio.client import Client
from temporalio.service import RPCError

from cli.worker.composition import assemble
from cli.worker.queues import AccountWorkers, workers
from cli.worker.system_workflows import start_sweeper
from models.enums import Channel, ConsentStatus, DeliveryMode, MessageType
from models.queries.messages.acceptance import AcceptedMessage
from models.rules.messages.identity import SendStart
from models.rules.messages.reference import parse_reference
from models.session import Database
from models.settings import Settings
from models.tables.ledger import CreditAccount
from models.tables.merchant import Merchant
from providers.ports.messages import (
    Accepted,
    Answer,
    Capabilities,
    LookUp,
    LookUpRequest,
    NotFound,
    Proof,
    SendRequest,
)
from providers.routing import Routes
from providers.vendors import Vendors
from tests.contacts import CONTACT_KEY_FILE
from tests.factories import Owner, make_owner, new_message, say, try_accept, unique
from tests.webhook_key import WEBHOOK_KEY_FILE
from workflows.messages.start import SendSignal, start_send, wake_send
from workflows.names import sender_queue_id
from workflows.payloads import data_converter
from workflows.senders.workflow import SenderQueue

TO = "+18005551234"
"""A non-geographic number, so that only the merchant's time zone applies."""

_AT_ONCE = 15
"""Accepted and started concurrently; the pool has 20 connections."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call to the provider."""

    at: float
    message_id: int


class RecordingProvider:
    """Accepts every message at once, and records the time."""

    name = account = "recording"
    capabilities = Capabilities(recording=True, ring_time=True, longest_call=timedelta(hours=4))
    reports_delivery = True
    channels = frozenset({Channel.SMS, Channel.VOICE})
    proof = Proof.REFERENCE
    reports_price = False
    timeout = timedelta(seconds=2)
    absence_window = timedelta(0)

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.messages: dict[int, int] = {}
        """Row ids by public id, of all messages that it may get."""

    async def send(self, request: SendRequest) -> Answer:
        reference = parse_reference(request.reference)
        assert reference is not None
        assert datetime.now(UTC) < request.not_after
        self.calls.append(Call(at=time.monotonic(), message_id=self.messages[reference.message]))
        return Accepted(provider_message_id=request.reference)

    async def look_up(self, request: LookUpRequest) -> LookUp:
        return NotFound()

    def of(self, messages: Sequence[int]) -> list[Call]:
        """Return the calls for these messages, in order."""
        wanted = set(messages)
        return [call for call in self.calls if call.message_id in wanted]


def most_in_a_second(calls: Sequence[Call]) -> int:
    """Return the maximum number of calls in a second."""
    times = sorted(call.at for call in calls)
    return max(sum(start <= at < start + 1 for at in times) for start in times)


@dataclass
class SenderHarness:
    """Sends from one number of one tenant."""

    database: Database
    settings: Settings
    address: str
    owner: Owner
    provider: RecordingProvider = field(default_factory=RecordingProvider)
    started: dict[int, str] = field(default_factory=dict)
    """Workflow ids by message."""

    @asynccontextmanager
    async def opened(self, *, workers_count: int = 1) -> AsyncIterator[None]:
        """Serve every queue by so many workers, each with its own client."""
        async with AsyncExitStack() as stack:
            for _ in range(workers_count):
                client = await self.client()
                routes = Routes([self.provider], {DeliveryMode.SIMULATOR: [self.provider.name]})
                vendors = Vendors(routes=routes)
                parts = assemble(self.settings, self.database, client, vendors)
                for worker in workers(client, parts):
                    await stack.enter_async_context(worker)
                account_workers = AccountWorkers(client, parts)
                stack.push_async_callback(account_workers.close)
                await account_workers.adjust()
            await start_sweeper(await self.client())
            yield

    async def client(self) -> Client:
        return await Client.connect(self.address, data_converter=data_converter)

    async def limit(self, per_second: str | None) -> None:
        """Limit the number, and signal its queue's workflow, which otherwise polls every few
        seconds.
        """
        await self.write(
            "UPDATE sender_number SET segments_per_second = :limit, next_segment_at = NULL"
            " WHERE number = :number",
            limit=None if per_second is None else Decimal(per_second),
            number=self.owner.sender,
        )
        with contextlib.suppress(RPCError):
            await (await self.queue_workflow()).signal(SenderQueue.message_queued)

    async def another_merchant(self) -> Owner:
        """Return a second merchant of the tenant that sends from the same number."""
        now = datetime.now(UTC)
        async with self.database.transaction() as db:
            merchant = Merchant(
                tenant_id=self.owner.tenant_id,
                external_id=unique("merchant"),
                display_name="Gym B",
                active=True,
                sms_limit=100_000,
                voice_minutes_limit=0,
                email_limit=0,
                timezone=_where_it_is_noon(),
                created_at=now,
                updated_at=now,
            )
            db.add(merchant)
            await db.flush()
            assert merchant.id is not None
            other = replace(self.owner, merchant_id=merchant.id, merchant=merchant.external_id)
            db.add_all(
                CreditAccount(
                    delivery_mode=DeliveryMode.SIMULATOR,
                    tenant_id=self.owner.tenant_id,
                    merchant_id=merchant.id,
                    channel=channel,
                    available=0,
                    held=0,
                )
                for channel in Channel
            )
        await say(self.database, other, contact=TO, status=ConsentStatus.OPT_IN)
        return other

    async def send(self, count: int, owner: Owner | None = None, **wanted: Any) -> list[int]:
        """Accept and start so many messages; return their ids in order."""
        of = owner or self.owner
        client = await self.client()
        messages: list[int] = []
        for _ in range(0, count, _AT_ONCE):
            most = min(_AT_ONCE, count - len(messages))
            some = await asyncio.gather(*(self.accept(of, **wanted) for _ in range(most)))
            await asyncio.gather(*(self._start(client, of, message, **wanted) for message in some))
            messages += some
        return messages

    async def accept(self, owner: Owner | None = None, **wanted: Any) -> int:
        """Accept a message without starting it."""
        accepted = await try_accept(
            self.database, new_message(owner or self.owner, to=TO, **wanted)
        )
        assert isinstance(accepted, AcceptedMessage)
        self.provider.messages[accepted.public_id] = accepted.message_id
        return accepted.message_id

    async def _start(self, client: Client, owner: Owner, message_id: int, **wanted: Any) -> None:
        send = SendStart(
            tenant_id=owner.tenant_id,
            tenant_public_id=owner.tenant_public_id,
            message_id=message_id,
            public_id=next(k for k, v in self.provider.messages.items() if v == message_id),
            merchant_id=owner.merchant_id,
            merchant=owner.merchant,
            channel=Channel.SMS,
            type=wanted.get("type", MessageType.TRANSACTIONAL),
            operation="send-sms",
            scope="",
            idempotency_key=None,
        )
        self.started[message_id] = send.workflow_id
        await start_send(client, send, self.settings.send_waits)

    async def wake(self, message_id: int) -> None:
        """Signal a message's workflow, as a cancel does."""
        await wake_send(await self.client(), self.started[message_id], SendSignal.ROW_CHANGED)

    async def queued(self) -> list[int]:
        """Return the queued messages of the number in the order of the queue."""
        async with self.database.read() as db:
            rows = await db.execute(
                text(
                    "SELECT message_id FROM sender_queue WHERE tenant_id = :t"
                    " AND granted_at IS NULL ORDER BY priority, turn, seq"
                ),
                {"t": self.owner.tenant_id},
            )
            return list(rows.scalars())

    async def granted(self, message_id: int) -> datetime | None:
        """Return the granted slot of a message that has not used it."""
        async with self.database.read() as db:
            found = await db.execute(
                text(
                    "SELECT granted_at FROM sender_queue WHERE tenant_id = :t AND message_id = :m"
                ),
                {"t": self.owner.tenant_id, "m": message_id},
            )
            moment: datetime | None = found.scalar_one_or_none()
            return moment

    async def wait_for_queue_length(self, length: int) -> None:
        """Wait until so many messages are queued."""
        await until(lambda: self._has_queue_length(length), seconds=20)

    async def _has_queue_length(self, length: int) -> bool:
        return len(await self.queued()) == length

    async def sent(self, messages: Sequence[int], count: int | None = None) -> list[Call]:
        """Wait until the provider was called for them, or for so many of them."""
        wanted = len(messages) if count is None else count

        async def enough() -> bool:
            return len(self.provider.of(messages)) >= wanted

        await until(enough, seconds=30)
        return self.provider.of(messages)

    async def queue_workflow(self) -> Any:
        """Return the handle of the workflow of the number's queue."""
        sender = await self.sender_public_id()
        name = sender_queue_id(self.owner.tenant_id, sender, Channel.SMS)
        return (await self.client()).get_workflow_handle(name)

    async def sender_id(self) -> int:
        async with self.database.read() as db:
            found = await db.execute(
                text("SELECT id FROM sender_number WHERE number = :n"), {"n": self.owner.sender}
            )
            return int(found.scalar_one())

    async def sender_public_id(self) -> int:
        async with self.database.read() as db:
            found = await db.execute(
                text("SELECT public_id FROM sender_number WHERE number = :n"),
                {"n": self.owner.sender},
            )
            return int(found.scalar_one())

    async def write(self, sql: str, **values: Any) -> None:
        async with self.database.transaction() as db:
            await db.execute(text(sql), values)

    async def close(self) -> None:
        """Delete and terminate what the next test's workers would process."""
        await self.write("DELETE FROM sender_queue WHERE tenant_id = :t", t=self.owner.tenant_id)
        client = await self.client()
        left = [workflow async for workflow in client.list_workflows("ExecutionStatus='Running'")]
        await asyncio.gather(*(_terminate(client, workflow.id) for workflow in left))


async def _terminate(client: Client, workflow_id: str) -> None:
    await client.get_workflow_handle(workflow_id).terminate()


async def open_harness(database: Database, url: str, address: str) -> SenderHarness:
    """Open a harness with a tenant of its own; its merchant's recipient opted in."""
    owner = await make_owner(database, sms_limit=100_000)
    harness = SenderHarness(
        database=database,
        settings=Settings(
            database_url=SecretStr(url),
            server_secret=SecretStr("only-for-tests-too"),
            contact_key_file=CONTACT_KEY_FILE,
            webhook_key_file=WEBHOOK_KEY_FILE,
            sweep_every=timedelta(seconds=0.5),
        ),
        address=address,
        owner=owner,
    )
    await say(database, owner, contact=TO, status=ConsentStatus.OPT_IN)
    await harness.write(
        "UPDATE merchant SET timezone = :zone WHERE tenant_id = :t AND id = :m",
        zone=_where_it_is_noon(),
        t=owner.tenant_id,
        m=owner.merchant_id,
    )
    return harness


def _where_it_is_noon() -> str:
    hour = datetime.now(UTC).hour
    # These zones have POSIX signs: west is plus.
    return f"Etc/GMT{hour - 12:+d}" if hour != 12 else "UTC"


async def until(condition: Callable[[], Awaitable[bool]], *, seconds: float) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
