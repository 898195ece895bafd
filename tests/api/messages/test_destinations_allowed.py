"""Sends that are refused because of their destination, and quotes that say so."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.services.messages.accept import Sending
from api.services.messages.admission import Admission
from api.services.messages.permission import Permissions, UnsubscribeLinks
from api.services.messages.quote import Quoting
from api.services.messages.routed_senders import RoutedSenders
from models.enums import Channel, DeliveryMode
from models.session import Database
from providers.ports.messages import Capabilities
from providers.routing import Routes
from tests.activities.doubles import Scripted
from tests.api.container import put_in, restored
from tests.api.doubles import FakeStarter
from tests.api.integrator import (
    DIRECT,
    EMAIL,
    GYM,
    SMS,
    VOICE,
    Integrator,
    make_integrator,
    make_senders,
    make_tenant,
)
from tests.delivery_modes import make_over
from tests.factories import add_card
from tests.spending.guarded import named

ABROAD = "+447400123456"
SENDS = {
    "/messages/sms": SMS,
    "/messages/voice": VOICE,
    "/voice/tts-calls": VOICE,
}
"""Paths of phone channels."""


class Everything(Scripted):
    channels = frozenset(Channel)
    capabilities = Capabilities(recording=True, ring_time=True, longest_call=timedelta(hours=4))


@pytest.fixture
def vendor() -> str:
    return named("vendor")


@pytest.fixture
def routed(app: FastAPI, database: Database, starter: FakeStarter, vendor: str) -> Iterator[None]:
    """The real services, with one LIVE account for every channel."""
    senders = RoutedSenders(Routes([Everything(name=vendor)], {DeliveryMode.LIVE: [vendor]}))
    links = UnsubscribeLinks("http://api.test", "only-for-tests-too")
    permissions = Permissions(database, links, senders)

    def clock() -> datetime:
        return datetime.now(UTC)

    sending = Sending(
        database,
        starter,
        permissions,
        admission=Admission(database, limit=100_000, lag_allowed=timedelta(days=36_500)),
        start_within=timedelta(minutes=1),
        clock=clock,
    )
    with restored(app):
        put_in(
            app,
            "messages",
            sending=sending,
            quoting=Quoting(database, permissions, senders, clock),
        )
        yield


async def live(
    database: Database, gym: Integrator, *, country: str = "US", allowed: list[str] | None = None
) -> Integrator:
    """Return a new tenant in LIVE mode with the guide's merchant."""
    tenant_id = await make_tenant(database)
    await make_senders(database, tenant_id)
    before = await make_integrator(database, gym.client, tenant_id)
    assert (await before.post("/merchants", GYM)).status_code == 200
    async with database.transaction() as db:
        await make_over(db, tenant_id, DeliveryMode.LIVE)
        await db.execute(
            text("UPDATE tenant SET country = :c, allowed_countries = :a WHERE id = :t"),
            {"c": country, "a": allowed, "t": tenant_id},
        )
    return await make_integrator(database, gym.client, tenant_id)


async def carded(database: Database, to: Integrator, vendor: str, country: str = "") -> None:
    for channel in Channel:
        await add_card(database, to.tenant_id, channel=channel, provider=vendor, country=country)


async def code_of(integrator: Integrator, path: str, order: dict[str, Any]) -> str:
    """Return the code of the refusal; empty if it is accepted."""
    answer = await integrator.post(path, order)
    assert answer.status_code in (200, 403), answer.text
    return str(answer.json().get("code", ""))


@pytest.mark.parametrize("path", sorted(SENDS))
async def test_a_live_tenant_sends_to_its_own_country_only(
    gym: Integrator, database: Database, routed: None, vendor: str, path: str
) -> None:
    tenant = await live(database, gym)
    await carded(database, tenant, vendor)
    assert await code_of(tenant, path, {**SENDS[path], "to": ABROAD}) == "DESTINATION_NOT_ALLOWED"
    assert (await tenant.get("/messages")).json() == []
    assert await code_of(tenant, path, SENDS[path]) == ""


@pytest.mark.parametrize("path", sorted(SENDS))
async def test_a_premium_number_needs_any_country(
    gym: Integrator, database: Database, routed: None, vendor: str, path: str
) -> None:
    premium = {**SENDS[path], "to": "+19005551234"}
    tenant = await live(database, gym, allowed=["US"])
    await carded(database, tenant, vendor)
    assert await code_of(tenant, path, premium) == "DESTINATION_NOT_ALLOWED"
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE tenant SET allowed_countries = '{*}' WHERE id = :t"),
            {"t": tenant.tenant_id},
        )
    again = await make_integrator(database, gym.client, tenant.tenant_id)
    assert await code_of(again, path, premium) == ""


async def test_a_tenant_elsewhere_sends_to_its_own_country_only(
    gym: Integrator, database: Database, routed: None, vendor: str
) -> None:
    tenant = await live(database, gym, country="GB")
    await carded(database, tenant, vendor)
    assert await code_of(tenant, "/messages/sms", {**SMS, "to": ABROAD}) == ""
    assert await code_of(tenant, "/messages/sms", SMS) == "DESTINATION_NOT_ALLOWED"


async def test_a_country_that_the_operator_allows_is_sent_to(
    gym: Integrator, database: Database, routed: None, vendor: str
) -> None:
    tenant = await live(database, gym, allowed=["GB", "US"])
    await carded(database, tenant, vendor)
    assert await code_of(tenant, "/messages/sms", {**SMS, "to": ABROAD}) == ""
    jamaica = {**SMS, "to": "+18765551234"}
    assert await code_of(tenant, "/messages/sms", jamaica) == "DESTINATION_NOT_ALLOWED"


async def test_a_simulator_tenant_sends_anywhere_unless_countries_are_set(
    gym: Integrator, database: Database, routed: None
) -> None:
    assert await code_of(gym, "/messages/sms", {**SMS, "to": ABROAD}) == ""
    async with database.transaction() as db:
        await db.execute(
            text("UPDATE tenant SET allowed_countries = '{US}' WHERE id = :t"),
            {"t": gym.tenant_id},
        )
    again = await make_integrator(database, gym.client, gym.tenant_id)
    refused = await code_of(again, "/messages/sms", {**SMS, "to": ABROAD})
    assert refused == "DESTINATION_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("/messages/sms", SMS),
        ("/messages/voice", VOICE),
        ("/messages/email", EMAIL),
        ("/email/send", DIRECT),
    ],
)
async def test_a_live_send_without_a_rate_is_refused(
    gym: Integrator, database: Database, routed: None, vendor: str, path: str, order: dict[str, Any]
) -> None:
    tenant = await live(database, gym)
    assert await code_of(tenant, path, order) == "NO_RATE"
    await carded(database, tenant, vendor)
    assert await code_of(tenant, path, order) == ""


async def test_a_card_of_another_country_or_vendor_or_of_later_is_no_rate(
    gym: Integrator, database: Database, routed: None, vendor: str
) -> None:
    tenant = await live(database, gym, allowed=["*"])
    await carded(database, tenant, vendor, country="US")
    await carded(database, tenant, named("other"))
    await add_card(database, tenant.tenant_id, provider=vendor, country="GB", valid_in_days=1)
    assert await code_of(tenant, "/messages/sms", {**SMS, "to": ABROAD}) == "NO_RATE"
    assert await code_of(tenant, "/messages/sms", SMS) == ""


async def test_a_simulator_tenant_needs_no_rate(
    gym: Integrator, database: Database, routed: None
) -> None:
    assert await code_of(gym, "/messages/sms", SMS) == ""


async def test_a_quote_gives_the_same_reasons(
    gym: Integrator, database: Database, routed: None, vendor: str
) -> None:
    tenant = await live(database, gym)
    order = {**SMS, "channel": "SMS"}

    async def reason(to: str) -> str | None:
        answer = await tenant.post("/messages/quote", {**order, "to": to})
        assert answer.status_code == 200, answer.text
        found: str | None = answer.json()["reason"]
        assert answer.json()["allowed"] is (found is None)
        return found

    assert await reason(ABROAD) == "DESTINATION_NOT_ALLOWED"
    assert await reason("+19005551234") == "DESTINATION_NOT_ALLOWED"
    assert await reason(SMS["to"]) == "NO_RATE"
    await carded(database, tenant, vendor)
    assert await reason(SMS["to"]) is None


async def test_an_opt_out_is_told_before_the_country(
    gym: Integrator, database: Database, routed: None
) -> None:
    tenant = await live(database, gym)
    body = {"merchantId": "gym-a", "channel": "SMS", "contact": ABROAD, "source": "test"}
    await tenant.post("/consents", {**body, "status": "OPT_OUT"})
    assert await code_of(tenant, "/messages/sms", {**SMS, "to": ABROAD}) == "CONSENT_OPTED_OUT"
