"""Listing inbound texts."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from models.rules.tenants.credentials import hash_credential, new_credentials
from models.session import Database
from models.tables.tenant import ApiKey
from tests.factories import Owner, make_owner
from tests.inbound.harness import CONTACT, OTHER, InboundHarness
from tests.shown_ids import shown

PATH = "/api/v1/messages/inbound"


async def read(
    inbound: InboundHarness, query: dict[str, str] | None = None, owner: Owner | None = None
) -> list[dict[str, Any]]:
    """List the texts that a caller sees."""
    of = owner or inbound.owner
    response = await inbound.client.get(PATH, params=query or {}, headers=of.headers)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()
    return found


async def key_of(database: Database, owner: Owner) -> Owner:
    """Create a merchant-scoped key."""
    pair = new_credentials()
    async with database.transaction() as db:
        db.add(
            ApiKey(
                tenant_id=owner.tenant_id,
                merchant_id=owner.merchant_id,
                name="test",
                key=pair.key,
                key_hash=hash_credential(pair.key),
                secret_hash=hash_credential(pair.secret),
                created_at=datetime.now(UTC),
            )
        )
    return replace(owner, api_key=pair.key, api_secret=pair.secret)


async def test_no_credentials(client: httpx.AsyncClient) -> None:
    assert (await client.get(PATH)).status_code == 401


async def test_another_tenants_are_not_shown(inbound: InboundHarness) -> None:
    stranger = await make_owner(inbound.database)
    await inbound.texts("hello")
    assert await read(inbound, owner=stranger) == []
    response = await inbound.client.get(
        PATH, params={"merchantId": inbound.owner.merchant}, headers=stranger.headers
    )
    assert (response.status_code, response.json()["code"]) == (404, "MERCHANT_NOT_FOUND")


async def test_a_text_is_shown_whole(inbound: InboundHarness) -> None:
    await inbound.writes()
    await inbound.texts("Stop!", at="2026-04-16T13:20:32.942Z")
    [shown] = await read(inbound)
    [stored] = await inbound.stored()
    received = stored.received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert shown == {
        "id": str(stored.public_id),
        "from": CONTACT,
        "to": inbound.owner.sender,
        "body": "Stop!",
        "kind": "OPT_OUT",
        "merchantId": inbound.owner.merchant,
        "receivedAt": received,
        "sentAt": "2026-04-16T13:20:32.942Z",
    }


async def test_they_come_newest_first_page_by_page(inbound: InboundHarness) -> None:
    for number in range(5):
        await inbound.texts(f"text {number}")
    seen: list[str] = []
    url: str | None = f"{PATH}?limit=2"
    while url:
        response = await inbound.client.get(url, headers=inbound.owner.headers)
        seen += [item["body"] for item in response.json()]
        url = response.links.get("next", {}).get("url")
    assert seen == ["text 4", "text 3", "text 2", "text 1", "text 0"]


async def test_they_are_narrowed_by_merchant_sender_and_number(inbound: InboundHarness) -> None:
    merchant_fixture = await inbound.merchant_fixture()
    number = await inbound.own_number(merchant_fixture)
    await inbound.texts("to the pool")
    await inbound.texts("to the shop", number=number, sender=OTHER)
    assert [item["merchantId"] for item in await read(inbound)] == [merchant_fixture.merchant, None]
    for query in ({"merchantId": merchant_fixture.merchant}, {"from": OTHER}, {"to": number}):
        assert [item["body"] for item in await read(inbound, query)] == ["to the shop"]


async def test_a_merchants_key_sees_what_is_meant_for_it(
    inbound: InboundHarness, database: Database
) -> None:
    merchant_fixture = await inbound.merchant_fixture()
    await inbound.texts("for nobody")
    await inbound.texts("for the shop", number=await inbound.own_number(merchant_fixture))
    await inbound.texts("for the gym", number=await inbound.own_number())
    scoped = await key_of(database, merchant_fixture)
    assert [item["body"] for item in await read(inbound, owner=scoped)] == ["for the shop"]
    response = await inbound.client.get(
        PATH, params={"merchantId": inbound.owner.merchant}, headers=scoped.headers
    )
    assert response.status_code == 404


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"to": "nobody"}, "INVALID_PHONE_NUMBER"),
        ({"kind": "OPT_OUT"}, "VALIDATION_FAILED"),
        ({"cursor": "WzEsMl0"}, "VALIDATION_FAILED"),
        ({"limit": "0"}, "VALIDATION_FAILED"),
    ],
)
async def test_a_wrong_query_is_refused(
    inbound: InboundHarness, query: dict[str, str], code: str
) -> None:
    response = await inbound.client.get(PATH, params=query, headers=inbound.owner.headers)
    assert (response.status_code, response.json()["code"]) == (400, code)


async def test_messages_are_still_read_by_their_ids(inbound: InboundHarness) -> None:
    message_id = await shown(inbound.database, "message", await inbound.writes())
    found = await inbound.client.get(
        f"/api/v1/messages/{message_id}", headers=inbound.owner.headers
    )
    assert found.json()["messageId"] == str(message_id)
