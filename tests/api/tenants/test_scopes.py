"""No key accesses another merchant's data, on any public route; a new route needs a recipe."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from api.app import PUBLIC
from api.services.billing.upgrades import Billing
from models.session import Database
from tests.api.container import put_in, restored
from tests.api.doubles import Clock, FakeUpgradeStarter
from tests.api.integrator import DIRECT, Integrator, make_integrator, make_senders
from tests.api.registrar import FakeRegistrationStarter, Registrar, refused
from tests.api.scope_world import (
    asked_for,
    hooked,
    merchant_of,
    recorded_call,
    registered,
    told,
    used,
)
from tests.api.scopes import OWNER, PRIVATE, SIBLING, UPGRADE, Recipe, Route, World, recipes
from tests.factories import add_price
from tests.shown_ids import row_ids_in

RECIPES = recipes()
ROUTES: list[Route] = [
    (method, route.path)
    for router in PUBLIC
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods or ())
]
READS = [route for route in ROUTES if route[0] == "GET"]
WRITES = [route for route in ROUTES if route[0] != "GET"]
MERCHANTS: Route = ("GET", "/api/v1/merchants")
MAKE_MERCHANT: Route = ("POST", "/api/v1/merchants")
BY_ID = [
    route
    for route in ROUTES
    if any(f"{{{name}}}" in route[1] for name in ("messageId", "batchId", "keyId", "webhookId"))
]
NAMED = [
    route
    for route in ROUTES
    if route not in (*BY_ID, MERCHANTS) and (route in READS or RECIPES[route].under_own_name)
]
"""Callers that request, under a merchant's id, an object of another merchant."""
UNNAMED = [route for route, recipe in RECIPES.items() if recipe.optional]


@pytest.fixture
def counter(app: FastAPI, database: Database, clock: Clock) -> Iterator[None]:
    """The real upgrade service with doubles of Temporal and the clock only."""
    billing = Billing(database, FakeUpgradeStarter(), sweep_grace=timedelta(minutes=1), clock=clock)
    with restored(app):
        put_in(app, "billing", upgrades=billing)
        yield


@pytest.fixture
def make_world(
    integrator: Integrator,
    stranger: Integrator,
    database: Database,
    merchant_key: Callable[[int, int], Awaitable[Integrator]],
    registrations: FakeRegistrationStarter,
    harness: None,
    counter: None,
) -> Callable[[], Awaitable[World]]:
    """Creates gym-a with one of everything, its sibling, and another tenant's gym-a."""

    async def make() -> World:
        tenant = integrator.tenant_id
        await make_senders(database, tenant)
        merchant = await merchant_of(integrator, database, OWNER)
        sibling = await merchant_of(integrator, database, SIBLING)
        namesake = await merchant_of(stranger, database, OWNER)
        facts = {**await asked_for(integrator), **await registered(integrator, database)}
        facts["call"] = str(await recorded_call(database, tenant, merchant))
        await told(database, tenant, merchant)
        await used(database, tenant, merchant)
        facts |= await hooked(integrator)
        price = UPGRADE["amountCents"]  # a merchant-scoped key is bound to the price list
        await add_price(database, tenant, units=UPGRADE["units"], amount_cents=price)
        return World(
            database=database,
            tenant=integrator,
            own=await merchant_key(tenant, merchant),
            sibling=await merchant_key(tenant, sibling),
            stranger=await make_integrator(database, integrator.client),
            namesake=await merchant_key(stranger.tenant_id, namesake),
            merchant_id=merchant,
            facts=facts,
        )

    return make


@pytest.fixture
async def world(make_world: Callable[[], Awaitable[World]]) -> World:
    """A world of the test's own."""
    return await make_world()


@pytest.fixture(scope="module")
def shared() -> list[World]:
    """Holder of the world that all tests share, in which gym-a must not change."""
    return []


@pytest.fixture
async def untouched(
    shared: list[World], make_world: Callable[[], Awaitable[World]]
) -> AsyncIterator[World]:
    """That world; afterwards gym-a must be unchanged."""
    if not shared:
        shared.append(await make_world())
    before = await shared[0].rows()
    assert len(before) > 20
    yield shared[0]
    assert await shared[0].rows() == before


def test_every_public_route_has_a_recipe(app: FastAPI) -> None:
    served = {
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    assert served == set(ROUTES) == set(RECIPES)


@pytest.mark.parametrize("route", READS, ids=" ".join)
async def test_its_own_key_reads_it(untouched: World, route: Route) -> None:
    recipe = RECIPES[route]
    answer = await untouched.ask(untouched.own, route, recipe, OWNER)
    assert answer.status_code == 200, answer.text
    assert recipe.shows is None or recipe.shows(answer) != []


@pytest.mark.parametrize("route", ROUTES, ids=" ".join)
async def test_a_siblings_key_is_refused_and_changes_nothing(
    untouched: World, route: Route
) -> None:
    recipe = RECIPES[route]
    answer = await untouched.ask(untouched.sibling, route, recipe, OWNER)
    if route == MERCHANTS:
        assert _seen(recipe, answer) == []
    else:
        assert refused(answer) == recipe.refused


@pytest.mark.parametrize("route", NAMED, ids=" ".join)
@pytest.mark.parametrize("who", ["sibling", "tenant"])
async def test_in_the_name_of_the_sibling_nothing_of_it_is_there(
    untouched: World, route: Route, who: str
) -> None:
    recipe = RECIPES[route]
    answer = await untouched.ask(getattr(untouched, who), route, recipe, SIBLING)
    _of_nothing(recipe, answer)
    assert _private(untouched, answer) == []


async def test_writes_of_siblings_and_namesakes_affect_their_own_data_only(world: World) -> None:
    before = await world.rows()
    for route in sorted({*WRITES} - {*NAMED, *BY_ID}):
        recipe = RECIPES[route]
        await world.ask(world.sibling, route, recipe, SIBLING)
        await world.ask(world.tenant, route, recipe, SIBLING)
        await world.ask(world.namesake, route, recipe, OWNER)
        assert await world.rows() == before, route


@pytest.mark.parametrize("route", UNNAMED, ids=" ".join)
@pytest.mark.parametrize("who", ["sibling", "stranger", "namesake"])
async def test_a_list_of_no_merchant_in_particular_lacks_it(
    untouched: World, route: Route, who: str
) -> None:
    recipe = RECIPES[route]
    answer = await untouched.ask(getattr(untouched, who), route, recipe, None)
    assert _private(untouched, answer) == []
    if recipe.tenants_name_one and who == "stranger":
        assert answer.status_code == 400
    elif (route, who) != (MERCHANTS, "namesake"):
        assert _seen(recipe, answer) == []
    assert _seen(recipe, await untouched.ask(untouched.own, route, recipe, None)) != []


@pytest.mark.parametrize("route", sorted({*ROUTES} - {MAKE_MERCHANT}), ids=" ".join)
async def test_another_tenant_without_such_a_merchant_is_refused(
    untouched: World, route: Route
) -> None:
    recipe = RECIPES[route]
    answer = await untouched.ask(untouched.stranger, route, recipe, OWNER)
    if route == MERCHANTS:
        assert _seen(recipe, answer) == []
    else:
        assert refused(answer) in (recipe.refused, (404, "MERCHANT_NOT_FOUND"))
    assert _private(untouched, answer) == []


@pytest.mark.parametrize("route", sorted({*NAMED, *BY_ID}), ids=" ".join)
async def test_another_tenants_merchant_of_that_name_is_another_merchant(
    untouched: World, route: Route
) -> None:
    recipe = RECIPES[route]
    answer = await untouched.ask(untouched.namesake, route, recipe, OWNER)
    if route in BY_ID:
        assert refused(answer) == recipe.refused
    else:
        _of_nothing(recipe, answer)
    assert _private(untouched, answer) == []


def _of_nothing(recipe: Recipe, answer: httpx.Response) -> None:
    """Check that a list is empty, and that an object is not found."""
    if recipe.shows is not None:
        assert _seen(recipe, answer) == []
    elif recipe.under_own_name is not None:
        assert refused(answer) == recipe.under_own_name


def _seen(recipe: Recipe, answer: httpx.Response) -> list[Any]:
    assert recipe.shows is not None
    return recipe.shows(answer)


def _private(world: World, answer: httpx.Response) -> list[str]:
    """Return the values of gym-a in a response."""
    words = (*PRIVATE, world.facts["username"], world.facts["number"])
    return [word for word in words if word in answer.text]


@pytest.mark.parametrize("route", WRITES, ids=" ".join)
async def test_its_own_key_writes_it(world: World, route: Route) -> None:
    recipe = RECIPES[route]
    who = world.tenant if recipe.by_the_tenant else world.own
    answer = await world.ask(who, route, recipe, OWNER)
    assert answer.status_code == recipe.reached, answer.text


async def test_a_number_is_not_assigned_to_a_siblings_campaign(world: World) -> None:
    registrar = Registrar(world.tenant, world.database, merchant=SIBLING)
    number = world.facts["another"]
    assert (await registrar.buy(number)).status_code == 200
    await registrar.stands("number", "ACTIVE")
    before = await world.rows()
    for who in (world.sibling, world.tenant):
        asker = Registrar(who, world.database, merchant=SIBLING)
        answer = await asker.assign(number, world.facts["campaign"])
        assert refused(answer) == (404, "CAMPAIGN_NOT_FOUND")
    assert await world.rows() == before


async def test_a_siblings_campaign_is_not_corrected(world: World) -> None:
    registrar = Registrar(world.tenant, world.database, merchant=SIBLING)
    assert (await registrar.brand()).status_code == 200
    await registrar.stands("brand", "APPROVED")
    before = await world.rows()
    for who in (world.sibling, world.tenant):
        asker = Registrar(who, world.database, merchant=SIBLING)
        answer = await asker.campaign(campaignId=world.facts["rejected"])
        assert refused(answer) == (404, "CAMPAIGN_NOT_FOUND")
    assert await world.rows() == before


async def test_the_tenants_own_mail_is_no_merchants(world: World) -> None:
    sent = (await world.tenant.post("/email/send", DIRECT)).json()["messageId"]
    assert (await world.tenant.get(f"/messages/{sent}")).status_code == 200
    for who in (world.own, world.sibling, world.stranger, world.namesake):
        answer = await who.get(f"/messages/{sent}")
        assert refused(answer) == (404, "MESSAGE_NOT_FOUND")
        cancel = await who.post(f"/messages/{sent}/cancel", None)
        assert refused(cancel) == (404, "MESSAGE_NOT_FOUND")
        listed = (await who.get("/messages", channel="EMAIL")).json()
        assert listed == []


async def test_a_message_to_a_contact_is_not_found_by_the_contact(world: World) -> None:
    query = {"to": "+18135551234"}
    found = {
        who: len((await getattr(world, who).get("/messages", **query)).json())
        for who in ("tenant", "own", "sibling", "stranger", "namesake")
    }
    assert found == {"tenant": 3, "own": 3, "sibling": 0, "stranger": 0, "namesake": 0}


async def test_no_answer_shows_the_id_of_a_row(world: World) -> None:
    own_rows = row_ids_in(str(await world.rows()))
    assert len(own_rows) > 10, "rows have ids that are told from public ids"
    shown: dict[str, set[str]] = {}
    links = 0
    for route in [*READS, *WRITES, *READS]:
        for who in (world.own, world.tenant):
            answer = await world.ask(who, route, _by_ones(RECIPES[route]), OWNER)
            written = f"{answer.text}\n{answer.headers}"
            links += "link" in answer.headers
            shown.setdefault(" ".join(route), set()).update(row_ids_in(written))
    assert {route: found for route, found in shown.items() if found} == {}
    assert links > 5, "pages have cursors"


def _by_ones(recipe: Recipe) -> Recipe:
    return replace(recipe, query={**recipe.query, "limit": "1"}) if recipe.shows else recipe
