"""Clients that are refused again and again get delayed responses; other clients do not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import httpx
import pytest
from pydantic import SecretStr
from starlette.types import Message, Receive, Scope, Send

from api.http.auth import Caller
from api.http.idempotency import IdempotentRequest
from api.http.limits.refusal_delay import DELAY, MOST_DELAYED, RefusalDelay
from api.http.outcomes import Outcome
from api.schemas.messages import V1OmniSmsSendRequest
from api.services.messages.accept import AnsweredMessage
from models.enums import MessageType
from models.errors import TooManyOpen
from models.rules.tenants.token_bucket import Limit
from models.session import Database
from models.settings import Settings
from tests.api.container import put_in, services_of
from tests.api.doubles import FakeSending
from tests.api.integrator import SMS, make_integrator
from tests.apps import make_app
from tests.contacts import CONTACT_KEY_FILE
from tests.webhook_key import WEBHOOK_KEY_FILE

BURST = 3
BULK = {**SMS, "type": "MARKETING"}
SLOW = Limit(name="refusals", rate=0.001, burst=BURST)


async def answer(scope: Scope, _receive: Receive, send: Send) -> None:
    """Respond with the status in the path."""
    status = int(scope["path"].removeprefix("/"))
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def client_of(pace: RefusalDelay, address: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client at an address."""
    transport = httpx.ASGITransport(app=pace, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield client


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 429])
async def test_refusals_over_the_rate_wait_and_nothing_else_does(status: int) -> None:
    pace = RefusalDelay(answer, SLOW)
    async with client_of(pace, "192.0.2.1") as client, client_of(pace, "192.0.2.2") as other:
        for _ in range(BURST):
            await client.get(f"/{status}")
        delayed = asyncio.create_task(client.get(f"/{status}"))
        while not pace._delayed:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)
        for free in (client.get("/200"), client.get("/503"), other.get(f"/{status}")):
            await free
        assert not delayed.done()
        assert (await delayed).status_code == status
        assert pace._delayed == 0


async def test_only_so_many_wait() -> None:
    pace = RefusalDelay(answer, SLOW)
    started = 0

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        nonlocal started
        started += message["type"] == "http.response.start"

    scope: Scope = {"type": "http", "path": "/404", "client": ("192.0.2.1", 1)}
    asked = [
        asyncio.create_task(pace(scope, receive, send)) for _ in range(BURST + MOST_DELAYED + 10)
    ]
    await asyncio.sleep(0)
    assert (started, pace._delayed) == (BURST + 10, MOST_DELAYED)
    for task in asked:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    assert pace._delayed == 0


async def test_the_app_paces_every_kind_of_refusal(settings: Settings) -> None:
    app = make_app(settings.model_copy(update={"refusal_rate": 0.001, "refusal_burst": 1}))
    transport = httpx.ASGITransport(app=app, client=("192.0.2.1", 1))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api.test") as client,
    ):
        assert (await client.get("/nowhere")).status_code == 404
        for path in ("/nowhere", "/api/v1/merchants", "/nowhere?" + "a&" * 60, "/" + "a" * 5_000):
            began = monotonic()
            assert (await client.get(path)).status_code in (400, 401, 404)
            assert monotonic() - began >= DELAY * 0.9


async def test_a_key_whose_bulk_is_refused_for_the_load_still_sends_its_otps(
    database_url: str, database: Database
) -> None:
    app = make_app(
        Settings(
            database_url=SecretStr(database_url),
            server_secret=SecretStr("s" * 40),
            contact_key_file=CONTACT_KEY_FILE,
            webhook_key_file=WEBHOOK_KEY_FILE,
        )
    )
    transport = httpx.ASGITransport(app=app, client=("192.0.2.1", 1))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api.test") as client,
    ):
        sending = OnlyOtps()
        put_in(app, "messages", sending=sending)
        key = await make_integrator(database, client)
        await key.get("/merchants")  # the key is cached from here on
        flood = [asyncio.create_task(key.post("/messages/sms", BULK)) for _ in range(20)]
        buckets = services_of(app).limits._buckets.values()
        while not flood[-1].done() and (  # noqa: ASYNC110 - there is no event to wait for
            not buckets
            or max(bucket.under_way for bucket in buckets)
            or len(sending.orders) < len(flood)
        ):
            await asyncio.sleep(0.001)
        assert not flood[-1].done(), "it left its key's requests at once before it was answered"
        otps = [key.post("/messages/sms", SMS) for _ in range(10)]
        assert [answer.status_code for answer in await asyncio.gather(*otps)] == [200] * 10
        refused = await asyncio.gather(*flood)
    assert {answer.json()["code"] for answer in refused} == {"TOO_MANY_OPEN"}


class OnlyOtps(FakeSending):
    """Refuses all other sends for load."""

    async def accept_sms(
        self, caller: Caller, order: V1OmniSmsSendRequest, request: IdempotentRequest
    ) -> Outcome[AnsweredMessage]:
        self.error = None if order.type is MessageType.OTP else TooManyOpen("behind", 1)
        return await super().accept_sms(caller, order, request)
