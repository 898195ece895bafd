"""The API on a real Postgres, with a double of the service that accepts sends."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from api.app import create_app
from api.composition import BatchServices
from api.services.messages.accept import Sending
from api.services.messages.admission import Admission
from api.services.messages.batches.cancel import BatchCanceling
from api.services.messages.batches.read import Batches
from api.services.messages.batches.receiving_slots import ReceivingSlots
from api.services.messages.batches.store import BatchStoring
from api.services.messages.cancel import Canceling
from api.services.messages.cancel_requests import CancelRequests
from api.services.messages.permission import Permissions, UnsubscribeLinks
from api.services.messages.recordings import Recordings
from api.services.messages.routed_senders import RoutedSenders
from api.services.registration.brands import Brands
from api.services.registration.campaigns import Campaigns
from api.services.registration.numbers import MessagingNumbers
from api.services.registration.registry_reports import RegistrationWebhooks
from api.services.registration.status import MessagingStatus
from models.enums import DeliveryMode
from models.session import Database
from models.settings import Settings
from providers.registries import Registries
from providers.routing import Routes
from providers.simulator.registry import event_verifier
from tests.api.container import put_in, restored, services_of
from tests.api.doubles import (
    Clock,
    FakeBatchStarter,
    FakeRecordingProvider,
    FakeSending,
    FakeStarter,
)
from tests.api.integrator import GYM, Integrator, make_integrator, make_senders
from tests.api.raw_http import Server, serving
from tests.api.registrar import OFFERS, FakeRegistrationStarter, Registrar
from tests.contacts import CONTACT_KEY_FILE
from tests.factories import NO_LIMITS
from tests.registration.harness import ScriptedRegistry
from tests.webhook_key import WEBHOOK_KEY_FILE


@pytest.fixture(scope="session")
def settings(database_url: str) -> Settings:
    """Settings with a rate limit that no test reaches."""
    return Settings(
        database_url=SecretStr(database_url),
        public_url="https://sms.gym.test/",
        **NO_LIMITS,
        server_secret=SecretStr("only-for-tests-too"),
        contact_key_file=CONTACT_KEY_FILE,
        webhook_key_file=WEBHOOK_KEY_FILE,
        simulator_secret=SecretStr("for-tests-only-too"),
    )


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    """The running application."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
def sending(app: FastAPI) -> Iterator[FakeSending]:
    """A double that accepts sends."""
    double = FakeSending()
    with restored(app):
        put_in(app, "messages", sending=double)
        yield double


@pytest.fixture
def starter() -> FakeStarter:
    """Records started workflows."""
    return FakeStarter()


@pytest.fixture
def batch_starter() -> FakeBatchStarter:
    """Records started workflows of batches."""
    return FakeBatchStarter()


@pytest.fixture
def clock() -> Clock:
    """The clock of the real services."""
    return Clock()


@pytest.fixture
def recording_provider() -> FakeRecordingProvider:
    """A double of the provider of recordings."""
    return FakeRecordingProvider()


@pytest.fixture
def harness(
    app: FastAPI,
    database: Database,
    starter: FakeStarter,
    batch_starter: FakeBatchStarter,
    clock: Clock,
    recording_provider: FakeRecordingProvider,
) -> Iterator[None]:
    """The real services with doubles of Temporal, the vendor and the clock only."""
    links = UnsubscribeLinks("http://api.test", "only-for-tests-too")
    sending = Sending(
        database,
        starter,
        Permissions(database, links, RoutedSenders(Routes([], {}))),
        # No worker serves the messages that other tests left, so they count as lag for ever.
        admission=Admission(database, limit=100_000, lag_allowed=timedelta(days=36_500)),
        start_within=timedelta(minutes=1),
        clock=clock,
    )
    canceling = Canceling(database, starter, services_of(app).messages.reads, clock)
    with restored(app):
        put_in(
            app,
            "messages",
            sending=sending,
            canceling=CancelRequests(database, canceling, clock),
            recordings=Recordings(database, {"simulator": recording_provider}),
            batches=_batches(database, batch_starter, clock),
        )
        yield


def _batches(database: Database, starter: FakeBatchStarter, clock: Clock) -> BatchServices:
    reads, minute = Batches(database), timedelta(minutes=1)
    return BatchServices(
        slots=ReceivingSlots(),
        storing=BatchStoring(database, starter, reads, start_within=minute, clock=clock),
        reads=reads,
        canceling=BatchCanceling(database, starter, reads, start_within=minute, clock=clock),
    )


@pytest.fixture
def registry() -> ScriptedRegistry:
    """A registry with two numbers on sale."""
    return ScriptedRegistry(offers=OFFERS)


@pytest.fixture
def registrations(
    app: FastAPI, database: Database, registry: ScriptedRegistry, clock: Clock
) -> Iterator[FakeRegistrationStarter]:
    """The real registration services with doubles of Temporal, the registry and the clock only.

    Returns the recorder of started workflows.
    """
    starter = FakeRegistrationStarter()
    registries = Registries([registry], {DeliveryMode.SIMULATOR: registry.name})
    tools = (database, registries, starter, clock)
    minute = timedelta(minutes=1)
    verifiers = {registry.name: event_verifier("for-tests-only-too")}
    with restored(app):
        put_in(
            app,
            "registration",
            brands=Brands(*tools, look_after=minute),
            campaigns=Campaigns(*tools, look_after=minute),
            numbers=MessagingNumbers(*tools, look_after=minute),
            status=MessagingStatus(database, registries),
            webhooks=RegistrationWebhooks(database, starter, verifiers),
        )
        yield starter


@pytest.fixture
async def registrar(
    integrator: Integrator, database: Database, registrations: FakeRegistrationStarter
) -> Registrar:
    """An integrator with the guide's merchant, which is not registered yet."""
    assert (await integrator.post("/merchants", GYM)).status_code == 200
    return Registrar(integrator, database)


@pytest.fixture
async def gym(integrator: Integrator, database: Database, harness: None) -> Integrator:
    """An integrator with the guide's merchant and senders, on the real services."""
    await make_senders(database, integrator.tenant_id)
    assert (await integrator.post("/merchants", GYM)).status_code == 200
    return integrator


@pytest.fixture(scope="session")
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client without credentials."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield client


@pytest.fixture
async def integrator(database: Database, client: httpx.AsyncClient) -> Integrator:
    """A tenant of this test."""
    return await make_integrator(database, client)


@pytest.fixture
async def stranger(database: Database, client: httpx.AsyncClient) -> Integrator:
    """Another tenant."""
    return await make_integrator(database, client)


@pytest.fixture
def merchant_key(
    database: Database, client: httpx.AsyncClient
) -> Callable[[int, int], Awaitable[Integrator]]:
    """Creates a key of one merchant of a tenant."""

    async def make(tenant_id: int, merchant_id: int) -> Integrator:
        return await make_integrator(database, client, tenant_id, merchant_id)

    return make


@pytest.fixture(scope="session")
def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A separate process that serves the API on the tests' database."""
    with serving(database_url, tmp_path_factory.mktemp("api")) as server:
        yield server
