"""Every public route declares the scope that it needs, and refuses keys without it."""

from dataclasses import replace

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from api.app import PUBLIC
from api.http.public import public_router
from api.route_scopes import ROUTE_SCOPES, check_complete
from models.enums import KeyScope
from models.session import Database
from tests.api.container import restored, services_of
from tests.api.http.references import resolved
from tests.api.integrator import Integrator, make_integrator

ROUTES = [
    f"{method} {route.path}"
    for router in PUBLIC
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods or ())
]
SHOWS_A_PASSWORD = "GET /api/v1/voice/provisioning"


async def refusals(route: str, key: Integrator, body: bytes = b"") -> tuple[int, str, str]:
    """Call a route; return status, code and detail of the answer."""
    method, path = route.split(" ")
    answer = await key.client.request(
        method, path.replace("{", "").replace("}", ""), content=body, headers=key.headers
    )
    problem = answer.json()
    return answer.status_code, problem["code"], problem["detail"]


@pytest.fixture(scope="module")
def made() -> dict[KeyScope, Integrator]:
    """Keys that all tests share, by the scope that each lacks."""
    return {}


@pytest.fixture
async def lacking(
    made: dict[KeyScope, Integrator], database: Database, client: httpx.AsyncClient
) -> dict[KeyScope, Integrator]:
    """For each scope a key with all others."""
    for scope in KeyScope:
        if scope not in made:
            made[scope] = await make_integrator(database, client, scopes={*KeyScope} - {scope})
    return made


def test_every_public_route_declares_its_scope(app: FastAPI) -> None:
    served = {
        f"{method.upper()} {path}"
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }
    assert served == set(ROUTES) == set(ROUTE_SCOPES)


def test_a_forgotten_route_keeps_the_application_from_starting() -> None:
    forgotten = public_router("/forgotten", tag="Forgotten")

    @forgotten.post("")
    async def forget() -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="lacks the scope of POST /api/v1/forgotten"):
        check_complete([*PUBLIC, forgotten])


def test_a_scope_of_no_route_keeps_the_application_from_starting() -> None:
    with pytest.raises(RuntimeError, match=r"routes that do not exist: .*/api/v1/alerts"):
        check_complete([router for router in PUBLIC if router.prefix != "/api/v1/alerts"])


def test_a_hidden_router_is_none_of_the_public_contract() -> None:
    assert all(isinstance(router, APIRouter) for router in PUBLIC)
    assert all(route.split(" ")[1].startswith("/api/v1/") for route in ROUTE_SCOPES)


async def test_a_route_without_a_scope_refuses_every_key(
    app: FastAPI, integrator: Integrator
) -> None:
    with restored(app):
        app.state.services = replace(services_of(app), route_scopes={})
        for route in ROUTES:
            status, code, _ = await refusals(route, integrator)
            assert (status, code) == (403, "SCOPE_MISSING"), route


@pytest.mark.parametrize("route", ROUTES)
async def test_a_key_with_every_other_scope_is_refused(
    route: str, lacking: dict[KeyScope, Integrator]
) -> None:
    needed = ROUTE_SCOPES[route]
    status, code, detail = await refusals(route, lacking[needed])
    assert (status, code) == (403, "SCOPE_MISSING")
    assert f" {needed}." in detail


@pytest.mark.parametrize("route", ROUTES)
async def test_a_key_with_this_scope_alone_is_not(
    route: str, database: Database, integrator: Integrator
) -> None:
    key = await make_integrator(
        database, integrator.client, integrator.tenant_id, scopes={ROUTE_SCOPES[route]}
    )
    method, path = route.split(" ")
    answer = await key.client.request(
        method, path.replace("{", "").replace("}", ""), headers=key.headers
    )
    assert "SCOPE_MISSING" not in answer.text


def test_reading_needs_read_except_where_a_password_is_shown() -> None:
    reads = {route: scope for route, scope in ROUTE_SCOPES.items() if route.startswith("GET ")}
    assert reads.pop(SHOWS_A_PASSWORD) is KeyScope.ADMIN
    assert set(reads.values()) == {KeyScope.READ}


def test_nothing_but_reading_needs_read() -> None:
    writes = {route: scope for route, scope in ROUTE_SCOPES.items() if "GET " not in route}
    assert KeyScope.READ not in writes.values()


async def test_it_is_refused_before_the_body_the_query_and_the_key_are_looked_at(
    lacking: dict[KeyScope, Integrator],
) -> None:
    key = lacking[KeyScope.SEND]
    answer = await key.client.post(
        "/api/v1/messages/sms?unknown=1",
        content=b"{not json",
        headers={**key.headers, "Idempotency-Key": "not a valid key \x01"},
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "SCOPE_MISSING")


async def test_wrong_credentials_come_before_a_missing_scope(
    lacking: dict[KeyScope, Integrator],
) -> None:
    key = lacking[KeyScope.SEND]
    wrong = replace(key, headers={**key.headers, "X-API-SECRET": "hxs_wrong"})
    assert (await wrong.post("/messages/sms", {})).json()["code"] == "INVALID_CREDENTIALS"


async def test_head_needs_what_get_needs(lacking: dict[KeyScope, Integrator]) -> None:
    key = lacking[KeyScope.READ]
    answer = await key.client.head("/api/v1/merchants", headers=key.headers)
    assert answer.status_code == 403


def test_the_specification_names_the_scope_of_every_operation(app: FastAPI) -> None:
    document = app.openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            scope = ROUTE_SCOPES[f"{method.upper()} {path}"]
            assert operation["security"] == [{"ApiKeyAuth": [scope.value], "ApiSecretAuth": []}]
            assert operation["description"].endswith(f"Requires the scope `{scope}`.")
            assert "SCOPE_MISSING" in str(resolved(document, operation["responses"]["403"]))
