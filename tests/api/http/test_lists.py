"""Lists: complete, stable and ordered, whatever the page size."""

import re
from datetime import UTC, datetime

import pytest

from models.session import Database
from tests.api.integrator import CONSENT, GYM, Integrator, make_merchant, make_message
from tests.shown_ids import row_of


async def _walk(integrator: Integrator, first: str) -> list[dict[str, object]]:
    items: list[dict[str, object]] = []
    following: str | None = first
    while following:
        response = await integrator.client.get(following, headers=integrator.headers)
        assert response.status_code == 200
        assert len(response.json()) <= 2
        items += response.json()
        following = response.links.get("next", {}).get("url")
        # Relative, so it is correct behind any proxy and for any Host.
        assert following is None or following.startswith("/api/v1/")
    return items


async def test_merchants_are_walked_whole(integrator: Integrator) -> None:
    for number in range(5):
        await integrator.post("/merchants", {"merchantId": f"m{number}", "displayName": "M"})
    found = await _walk(integrator, "/api/v1/merchants?limit=2")
    assert [merchant["merchantId"] for merchant in found] == ["m4", "m3", "m2", "m1", "m0"]


async def test_consents_are_walked_whole_and_filters_are_kept(integrator: Integrator) -> None:
    await integrator.post("/merchants", GYM)
    for number in range(5):
        await integrator.post("/consents", {**CONSENT, "contact": f"+1813555123{number}"})
    await integrator.post("/consents", {**CONSENT, "channel": "VOICE"})
    found = await _walk(integrator, "/api/v1/consents?limit=2&channel=SMS&merchantId=gym-a")
    assert [consent["contact"] for consent in found] == [
        f"+1813555123{number}" for number in (4, 3, 2, 1, 0)
    ]


async def test_consent_history_is_walked_whole(integrator: Integrator) -> None:
    await integrator.post("/merchants", GYM)
    for number in range(5):
        await integrator.post("/consents", {**CONSENT, "source": str(number)})
    found = await _walk(
        integrator,
        "/api/v1/consents/history?merchantId=gym-a&channel=SMS&contact=+18135551234&limit=2",
    )
    assert [change["source"] for change in found] == ["4", "3", "2", "1", "0"]


async def test_messages_are_walked_whole_while_new_ones_arrive(
    integrator: Integrator, database: Database
) -> None:
    merchant = await make_merchant(database, integrator.tenant_id)
    noon = datetime(2026, 4, 16, 12, tzinfo=UTC)
    made = [
        await make_message(database, integrator.tenant_id, merchant, accepted_at=noon)
        for _ in range(4)
    ]
    first = await integrator.get("/messages", limit="2", to="+18135551234")
    await make_message(database, integrator.tenant_id, merchant)
    rest = await _walk(integrator, first.links["next"]["url"])
    found = [message["messageId"] for message in [*first.json(), *rest]]
    assert [await row_of(database, "message", one) for one in found] == made[::-1]


@pytest.mark.parametrize("limit", ["5", "6"])
async def test_the_last_page_has_no_link(integrator: Integrator, limit: str) -> None:
    for number in range(5):
        await integrator.post("/merchants", {"merchantId": f"m{number}", "displayName": "M"})
    response = await integrator.get("/merchants", limit=limit)
    assert (len(response.json()), "link" in response.headers) == (5, False)


@pytest.mark.parametrize(
    "host", ["evil.test", "evil.test/x?y", "a/b/c", "x#y", "", "user@evil.test"]
)
async def test_the_link_to_the_next_page_holds_nothing_of_host(
    integrator: Integrator, host: str
) -> None:
    for name in ("gym-a", "gym-b"):
        assert (await integrator.post("/merchants", {**GYM, "merchantId": name})).status_code == 200
    first = await integrator.client.get(
        "/api/v1/merchants?limit=1", headers={**integrator.headers, "Host": host}
    )
    assert re.fullmatch(
        r'</api/v1/merchants\?limit=1&cursor=[\w-]+>; rel="next"', first.headers["Link"]
    )
