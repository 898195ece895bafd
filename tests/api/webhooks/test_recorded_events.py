"""What the API does is told by events whose data is what the API answers."""

from typing import Any

import pytest

from models.enums import DeliveryMode, WebhookEventType
from models.session import Database
from models.tables.webhook import WebhookEndpoint
from providers.registries import Registries
from tests.api.integrator import CONSENT, GYM, SMS, Integrator
from tests.api.registrar import FakeRegistrationStarter, Registrar
from tests.registration.harness import ScriptedRegistry
from tests.webhooks.endpoints import make_endpoint_of
from tests.webhooks.rendering import events_of


@pytest.fixture
async def endpoint(database: Database, integrator: Integrator) -> WebhookEndpoint:
    """An endpoint of the integrator's tenant, for all events."""
    return await make_endpoint_of(database, integrator.tenant_id)


async def test_a_consent_is_told_as_it_was_recorded(
    database: Database, integrator: Integrator, endpoint: WebhookEndpoint
) -> None:
    await integrator.post("/merchants", GYM)
    answers = [
        (await integrator.post("/consents", {**CONSENT, "status": status, "source": source})).json()
        for status, source in (("OPT_IN", "form"), ("OPT_OUT", "phone"), ("OPT_OUT", "letter"))
    ]
    events = await events_of(database, endpoint)
    assert [event["type"] for event in events] == ["consent.changed"] * 3
    assert [event["data"] for event in events] == answers


async def test_a_replayed_consent_is_told_once(
    database: Database, integrator: Integrator, endpoint: WebhookEndpoint
) -> None:
    await integrator.post("/merchants", GYM)
    for _ in range(3):
        await integrator.post("/consents", CONSENT, key="once")
    assert len(await events_of(database, endpoint)) == 1


async def test_a_message_is_told_as_the_api_shows_it_and_a_replay_is_not(
    database: Database, gym: Integrator
) -> None:
    endpoint, integrator = await make_endpoint_of(database, gym.tenant_id), gym
    answers = [await integrator.post("/messages/sms", SMS, key="once") for _ in range(3)]
    id = answers[0].json()["messageId"]
    accepted = (await integrator.get(f"/messages/{id}")).json()
    await integrator.post(f"/messages/{id}/cancel", None)
    canceled = (await integrator.get(f"/messages/{id}")).json()
    events = await events_of(database, endpoint)
    told = [(event["type"], event["data"]) for event in events if event["type"][:7] == "message"]
    assert told == [("message.accepted", accepted), ("message.canceled", canceled)]


async def test_a_registration_is_told_with_the_whole_status(
    database: Database,
    integrator: Integrator,
    endpoint: WebhookEndpoint,
    registrar: Registrar,
    registry: ScriptedRegistry,
    registrations: FakeRegistrationStarter,
) -> None:
    assert (await registrar.brand(submit=False)).status_code == 200
    registries = Registries([registry], {DeliveryMode.SIMULATOR: registry.name})
    (event,) = [
        e
        for e in await events_of(database, endpoint, registries)
        if e["type"] == WebhookEventType.COMPLIANCE_CHANGED
    ]
    shown: Any = (await integrator.get("/merchants/gym-a/messaging/status")).json()
    assert event["data"] == shown
    assert shown["brand"]["status"] == "DRAFT"
