"""The registry: its rows of the table, its numbers, persistence, and signed webhooks."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import phonenumbers
import pytest

from simulator.registry.registry import Declined, Record, Registry, Request
from simulator.registry.registry_inventory import NumberType, find_offer, stock
from simulator.registry.registry_outcomes import Collection, Status, decision_of
from tests.simulator.harness import Client, Listener, Running, unique

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class SilentWebhookSender:
    """Sends nothing."""

    def send(self, webhooks: Any, on_delivered: Any) -> None:
        """Drop them."""


class NoJournal:
    """Stores nothing."""

    def put(self, kind: Any, id: str, document: Any) -> None:
        """Drop it."""


@pytest.fixture
def registry() -> Registry:
    return Registry(NoJournal(), SilentWebhookSender())  # type: ignore[arg-type]  # doubles


def take(registry: Registry, collection: Collection, at: datetime = NOW, **fields: Any) -> Record:
    request = Request(
        collection=collection,
        callback_url="http://us/news",
        **{"reference": unique("ref"), **fields},
    )
    return registry.take(request, at)


def approved(registry: Registry, legal_name: str = "Gym LLC") -> Record:
    """Register brand and campaign; return the campaign, decided by NOW + 10 s."""
    brand = take(registry, Collection.BRANDS, legal_name=legal_name)
    return take(registry, Collection.CAMPAIGNS, NOW + 3 * SECOND, brand=brand.id)


def offered(registry: Registry, area_code: str = "813") -> str:
    return registry.offers(area_code, NumberType.LOCAL, 1)[0].number


@pytest.mark.parametrize(
    ("legal_name", "brand", "campaign"),
    [
        ("Gym LLC", (2, 0), (2, 0)),
        ("REJECT LLC", (2, 2), (2, 0)),
        ("CREJECT LLC", (2, 0), (2, 1)),
        ("SLOW LLC", (20, 0), (20, 0)),
        ("SLOW REJECT", (20, 2), (20, 0)),
        ("reject llc", (2, 0), (2, 0)),
    ],
)
def test_a_legal_name_says_what_becomes_of_brand_and_campaigns(
    legal_name: str, brand: tuple[int, int], campaign: tuple[int, int]
) -> None:
    for collection, expected in ((Collection.BRANDS, brand), (Collection.CAMPAIGNS, campaign)):
        decision = decision_of(collection, legal_name)
        assert (decision.seconds, len(decision.reasons)) == expected


def test_a_brand_is_pending_then_decided_by_the_clock(registry: Registry) -> None:
    brand = take(registry, Collection.BRANDS, legal_name="Gym LLC")
    assert brand.status(NOW + 1.9 * SECOND) is Status.PENDING
    assert brand.status(NOW + 2 * SECOND) is Status.DONE


def test_the_same_reference_is_one_request(registry: Registry) -> None:
    number = offered(registry)
    first = take(registry, Collection.NUMBERS, reference="r1", number=number)
    assert take(registry, Collection.NUMBERS, reference="r1", number=number) is first
    assert len(registry.all(Collection.NUMBERS)) == 1


def test_no_number_is_sold_twice_or_offered_again(registry: Registry) -> None:
    number = offered(registry)
    bought = take(registry, Collection.NUMBERS, number=number)
    assert number not in {o.number for o in registry.offers("813", NumberType.LOCAL, 500)}
    with pytest.raises(Declined):
        take(registry, Collection.NUMBERS, number=number)
    take(registry, Collection.RELEASES, number=bought.id)
    assert number not in {o.number for o in registry.offers("813", NumberType.LOCAL, 500)}
    with pytest.raises(Declined):
        take(registry, Collection.NUMBERS, number=number)


def test_a_number_that_is_not_on_sale_is_declined(registry: Registry) -> None:
    for number in ("+18132201000", "+18135550200", "+442071838750", "+1813"):
        with pytest.raises(Declined):
            take(registry, Collection.NUMBERS, number=number)


def test_every_number_for_sale_is_valid_and_of_fiction_and_no_two_are_alike() -> None:
    for type, expected in ((NumberType.LOCAL, 3_500), (NumberType.TOLL_FREE, 700)):
        numbers = [offer.number for offer in stock(None, type)]
        assert len(numbers) == len(set(numbers)) == expected
        some = numbers[::11]  # parsing takes time, and all are generated alike
        wrong = [n for n in some if not phonenumbers.is_valid_number(phonenumbers.parse(n))]
        assert wrong == []
        assert [n for n in numbers if n[5:10] != "55501"] == []


def test_an_offer_is_found_by_its_number() -> None:
    offer = next(stock("813", NumberType.LOCAL))
    assert find_offer(offer.number) == offer
    assert (offer.locality, offer.region) == ("Tampa", "FL")


def test_a_campaign_needs_an_approved_brand(registry: Registry) -> None:
    pending = take(registry, Collection.BRANDS, legal_name="Gym LLC")
    rejected = take(registry, Collection.BRANDS, legal_name="REJECT LLC")
    for brand, later in ((pending, 1), (rejected, 5)):
        with pytest.raises(Declined):
            take(registry, Collection.CAMPAIGNS, NOW + later * SECOND, brand=brand.id)


def test_a_number_is_assigned_after_a_second_and_only_once(registry: Registry) -> None:
    campaign = approved(registry)
    later = NOW + 10 * SECOND
    bought = take(registry, Collection.NUMBERS, number=offered(registry))
    pair = {"number": bought.id, "campaign": campaign.id}
    assignment = take(registry, Collection.ASSIGNMENTS, later, **pair)
    assert assignment.status(later) is Status.PENDING
    assert assignment.status(later + SECOND) is Status.DONE
    with pytest.raises(Declined):
        take(registry, Collection.ASSIGNMENTS, later, **pair)
    with pytest.raises(Declined):
        take(registry, Collection.RELEASES, later, number=bought.id)
    take(registry, Collection.UNASSIGNMENTS, later, number=bought.id)
    assert take(registry, Collection.RELEASES, later, number=bought.id).status(later) is Status.DONE
    with pytest.raises(Declined):
        take(registry, Collection.ASSIGNMENTS, later, **pair)


def test_slow_makes_assigning_slow_too(registry: Registry) -> None:
    brand = take(registry, Collection.BRANDS, legal_name="SLOW LLC")
    campaign = take(registry, Collection.CAMPAIGNS, NOW + 21 * SECOND, brand=brand.id)
    later = NOW + 60 * SECOND
    bought = take(registry, Collection.NUMBERS, number=offered(registry))
    assignment = take(
        registry, Collection.ASSIGNMENTS, later, number=bought.id, campaign=campaign.id
    )
    assert assignment.status(later + 19 * SECOND) is Status.PENDING
    assert assignment.status(later + 20 * SECOND) is Status.DONE


def test_only_what_was_rejected_is_amended_and_it_stays_the_same_brand(registry: Registry) -> None:
    rejected = take(registry, Collection.BRANDS, legal_name="REJECT LLC")
    fields = {"legal_name": "Gym LLC", "amends": rejected.id}
    with pytest.raises(Declined):
        take(registry, Collection.BRANDS, NOW + SECOND, **fields)
    amended = take(registry, Collection.BRANDS, NOW + 5 * SECOND, **fields)
    assert (amended.id, amended.status(NOW + 8 * SECOND)) == (rejected.id, Status.DONE)
    with pytest.raises(Declined):
        take(registry, Collection.BRANDS, NOW + 10 * SECOND, **fields)
    assert len(registry.all(Collection.BRANDS)) == 1


@pytest.fixture
async def served(tmp_path: Path, listener: Listener) -> AsyncIterator[httpx.AsyncClient]:
    """A registry over HTTP, with a data folder."""
    with Running(tmp_path) as running:
        async with Client(running.url, listener).http as http:
            yield http


def document(listener: Listener, **fields: Any) -> dict[str, Any]:
    return {
        "reference": unique("ref"),
        "callbackUrl": f"{listener.url}/news",
        "notAfter": (datetime.now(UTC) + timedelta(minutes=1)).isoformat(),
        **fields,
    }


async def test_a_purchase_is_answered_found_reported_and_listed(
    served: httpx.AsyncClient, listener: Listener
) -> None:
    offers = (await served.get("/registry/numbers/available?areaCode=813&limit=2")).json()
    assert offers["count"] == 2
    order = document(listener, number=offers["items"][0]["number"])
    answer = await served.post("/registry/numbers", json=order)
    assert answer.status_code == 202
    view = answer.json()
    assert (view["status"], view["number"]) == ("done", order["number"])
    query = {"reference": order["reference"]}
    assert (await served.get("/registry/numbers", params=query)).json()["items"] == [view]
    assert (await served.get(f"/registry/numbers/{view['id']}")).json() == view
    assert (await served.get("/registrations?collection=numbers")).json()["items"] == [view]
    [posted] = await listener.webhooks(1)
    assert (posted.body["type"], posted.body["reference"]) == ("registration", order["reference"])
    assert posted.headers["x-simulator-signature"].startswith("t=")
    sold = await served.post("/registry/numbers", json=document(listener, number=order["number"]))
    assert (sold.status_code, sold.json()["code"]) == (422, 21422)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/registry/brands", {"legalName": None}),
        ("/registry/campaigns", {}),
        ("/registry/numbers", {}),
        ("/registry/brands", {"legalName": "x", "callbackUrl": "nowhere"}),
        ("/registry/brands", {"legalName": "x", "notAfter": "2026-01-01T00:00:00"}),
        ("/registry/planets", {"legalName": "x"}),
    ],
)
async def test_an_invalid_request_is_400(
    served: httpx.AsyncClient, listener: Listener, path: str, body: dict[str, Any]
) -> None:
    assert (await served.post(path, json=document(listener, **body))).status_code == 400


async def test_what_comes_too_late_is_refused_and_faults_strike_here_too(
    served: httpx.AsyncClient, listener: Listener
) -> None:
    late = document(listener, legalName="Gym", notAfter="2026-01-01T00:00:00Z")
    answer = await served.post("/registry/brands", json=late)
    assert (answer.status_code, answer.json()["code"]) == (422, 30036)
    await served.post("/faults", json={"down": True})
    assert (
        await served.post("/registry/brands", json=document(listener, legalName="Gym"))
    ).status_code == 503
    assert (await served.get("/registry/numbers/available")).status_code == 503
    assert (await served.get("/registrations")).json()["count"] == 0


async def test_a_restart_keeps_sold_numbers_and_pending_webhooks(
    tmp_path: Path, listener: Listener
) -> None:
    with Running(tmp_path) as running:
        async with Client(running.url, listener).http as http:
            offers = (await http.get("/registry/numbers/available?areaCode=212&limit=1")).json()
            number = offers["items"][0]["number"]
            order = document(listener, number=number)
            bought = (await http.post("/registry/numbers", json=order)).json()
            brand = document(listener, legalName="Gym LLC")
            await http.post("/registry/brands", json=brand)
            await listener.webhooks(1)
    with Running(tmp_path) as running:
        async with Client(running.url, listener).http as http:
            again = await http.post("/registry/numbers", json=order)
            assert again.json() == bought
            offers = (await http.get("/registry/numbers/available?areaCode=212&limit=1")).json()
            assert offers["items"][0]["number"] != number
            told = await listener.webhooks(2)
            await asyncio.sleep(0.1)
    assert [news.body["reference"] for news in told] == [order["reference"], brand["reference"]]
